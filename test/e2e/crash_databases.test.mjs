// test/e2e/crash_databases.test.mjs - killed under load, Writ has a line for every statement and
// command that was answered.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import pg from 'pg';

import { Postgres } from './lib/postgres.mjs';
import { freePort, sleep, until } from './lib/process.mjs';
import { Raw, RedisServer } from './lib/redis.mjs';
import { Writ } from './lib/writ.mjs';

const ROUNDS = Number(process.env.WRIT_E2E_KILLS || (process.env.WRIT_SOAK ? 40 : 4));
let postgres, redis, writ, pgPort, redisPort;

before(async () => {
    [postgres, redis] = await Promise.all([Postgres.start({ settings: { log_statement: "'none'" } }), RedisServer.start()]);
    await postgres.must('CREATE TABLE kept(id text)');
    pgPort = await freePort();
    redisPort = await freePort();
    writ = await Writ.start({
        name: 'crash-db',
        files: { password: 'hunter2\n' },
        config: { lanes: 2, gateway: { postgres: { listen: `127.0.0.1:${pgPort}` }, redis: { listen: `127.0.0.1:${redisPort}` } } },
        policy: {
            upstreams: {
                warehouse: { type: 'postgres', address: `127.0.0.1:${postgres.port}`, database: 'postgres', login: { user: 'postgres' } },
                cache: { type: 'redis', address: `127.0.0.1:${redis.port}`, login: { password_file: 'password' } },
            },
            roles: { all: { allow: ['warehouse:*:**', 'cache:*:*'] } },
            subjects: { tester: { type: 'service', roles: ['all'] } },
        },
    });
});

after(async () => {
    await writ?.close();
    await postgres?.close();
    await redis?.close();
});

// Until the gateway dies. What was answered is counted.
async function statements(seen) {
    const { id, token } = await writ.issue('tester');
    const one = { id, answered: 0, action: 'insert' };
    seen.push(one);
    const client = new pg.Client({ host: '127.0.0.1', port: pgPort, user: 'x', password: token, database: 'warehouse' });
    client.on('error', () => {});
    try {
        await client.connect();
        for (let i = 0; ; i++) {
            await client.query('INSERT INTO kept VALUES ($1)', [`${id}-${i}`]);
            one.answered++;
        }
    } catch { /* killed */ }
}

async function commands(seen) {
    const { id, token } = await writ.issue('tester');
    const one = { id, answered: 0, action: 'set' };
    seen.push(one);
    const raw = await Raw.open(redisPort);
    raw.send(['AUTH', 'cache', token]);
    try {
        await raw.expect('+OK\r\n');
        let over = false;
        raw.closed.then(() => { over = true; });
        for (let i = 0; !over; i++) {
            raw.send(...Array.from({ length: 8 }, (_, n) => ['SET', `${id}:${i}:${n}`, 'x']));
            await raw.expect('+OK\r\n'.repeat(8), 300);
            one.answered += 8;
        }
    } catch {
        one.answered += (raw.text.match(/\+OK/g) ?? []).length;
    }
    raw.close();
}

test(`${ROUNDS} kills under load`, { timeout: 60000 + ROUNDS * 30000 }, async (t) => {
    let answers = 0;
    for (let round = 0; round < ROUNDS; round++) {
        const seen = [];
        const loading = Promise.allSettled([...Array.from({ length: 4 }, () => statements(seen)), ...Array.from({ length: 3 }, () => commands(seen))]);
        await sleep(500 + Math.random() * 400);
        await writ.stop('SIGKILL');
        await loading;
        await writ.launch();
        for (const { id, answered, action } of seen) {
            const lines = await until('the lines', async () => {
                const found = await writ.audit('--token', id, '--action', action, '--limit', '10000');
                return found.length >= Math.min(answered, 10000) && found;
            });
            assert.ok(lines.every((line) => line.decision === 'allow'));
            answers += answered;
        }
        assert.equal((await writ.cli(['audit', 'verify'])).code, 0);
    }
    assert.ok(answers > 0);
    t.diagnostic(`${ROUNDS} kills, ${answers} answers, each with its line`);
});
