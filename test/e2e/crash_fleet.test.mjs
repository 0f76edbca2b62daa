// test/e2e/crash_fleet.test.mjs - nodes killed and stopped, the database failed over, all under
// load: no acknowledged change is lost, nothing is let through after its confirmed end.
import assert from 'node:assert/strict';
import http from 'node:http';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { Postgres } from './lib/postgres.mjs';
import { freePort, sleep, until } from './lib/process.mjs';
import { Orders } from './lib/upstream.mjs';
import { bearer, policy, Writ } from './lib/writ.mjs';

const ROUNDS = Number(process.env.WRIT_E2E_KILLS || (process.env.WRIT_SOAK ? 60 : 6));
const STALENESS = 1500;
let primary, copy, ports, orders, nodes;

/* splitmix32 */
const seed = Number(process.env.WRIT_SEED || Date.now() % 2 ** 32);
let state = seed >>> 0;
const dice = (sides) => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return ((z ^ (z >>> 16)) >>> 0) % sides;
};

const start = (name, files = {}) => Writ.start({
    name,
    policy: policy(orders.port),
    files,
    config: {
        node: name,
        lanes: 1,
        store: { type: 'postgres', url: `postgresql://postgres@127.0.0.1:${ports[0]},127.0.0.1:${ports[1]}/postgres` },
        fleet: { staleness: `${STALENESS}ms` },
    },
});

before(async () => {
    console.log(`# WRIT_SEED=${seed}`);
    primary = await Postgres.start({ settings: { log_statement: "'none'" }, hba: ['host replication postgres 127.0.0.1/32 trust'] });
    ports = [primary.port, await freePort()];
    copy = await primary.standby(ports[1]);
    orders = await Orders.start();
    nodes = [await start('node-a')];
    const key = { 'data/key': readFileSync(join(nodes[0].data, 'key')) };
    nodes.push(...await Promise.all(['node-b', 'node-c'].map((name) => start(name, key))));
});

after(async () => {
    for (const node of nodes ?? [])
        await node.close();
    await orders?.close();
    await copy?.close();
    await primary?.close();
});

/* 0: no answer. */
const ask = (node, token) => new Promise((done) => {
    const call = http.get({ host: '127.0.0.1', port: node.port, path: '/orders/v1/orders/1', headers: bearer(token), agent: false },
        (answer) => { answer.resume(); answer.on('end', () => done(answer.statusCode)).on('error', () => done(0)); });
    call.on('error', () => done(0));
    call.setTimeout(5000, () => call.destroy());
});

const history = { issued: new Map(), revoked: new Map(), wrong: [], answers: 0 };

/* Issues, uses, and ends tokens at random nodes; what was answered counts. */
async function client(running) {
    while (running()) {
        const at = (n) => nodes[dice(nodes.length)];
        try {
            const issued = await at().api('POST', '/v1/tokens', { subject: 'tester' });
            if (issued.status !== 201)
                continue;
            const { id, token } = issued.json;
            history.issued.set(id, token);
            await ask(at(), token);
            const ended = await at().api('DELETE', `/v1/tokens/${id}?wait=fleet`);
            if (ended.status !== 200)
                continue;
            history.revoked.set(id, token);
            for (const status of await Promise.all(nodes.map((node) => ask(node, token)))) {
                history.answers++;
                if (status === 200)
                    history.wrong.push(id);
            }
        } catch {
            await sleep(20); /* the node is being killed */
        }
    }
}

const violence = {
    async 'kill a node'() {
        const node = nodes[dice(nodes.length)];
        await node.stop('SIGKILL');
        await node.launch();
    },
    async 'stop a node for a while'() {
        const node = nodes[dice(nodes.length)];
        node.process.child.kill('SIGSTOP');
        await sleep(200 + dice(2 * STALENESS));
        node.process.child.kill('SIGCONT');
    },
    async 'fail over'() {
        const [old, next] = [primary, copy];
        await old.process.stop('SIGKILL');
        await next.promote();
        [primary, copy] = [next, undefined];
        await old.close();
        copy = await primary.standby(old.port);
    },
};

test(`${ROUNDS} times killed, stopped, failed over`, async () => {
    let running = true;
    const clients = Array.from({ length: 6 }, () => client(() => running));

    await sleep(500);
    for (let round = 0; round < ROUNDS; round++) {
        const names = Object.keys(violence);
        await violence[names[round < names.length ? round : dice(names.length)]]();
        await sleep(300 + dice(700));
    }
    running = false;
    await Promise.all(clients);

    for (const node of nodes)
        await until('the node to take part', async () => (await node.api('GET', '/readyz')).status === 200, { within: 20000 });
    const { token } = (await nodes[0].api('POST', '/v1/tokens', { subject: 'tester' })).json;
    for (const node of nodes)
        await until('it holds everywhere', async () => await ask(node, token) === 200, { within: 20000 });

    assert.deepEqual(history.wrong, [], `let through after a confirmed end; WRIT_SEED=${seed}`);
    assert.ok(history.revoked.size > 10, `${history.revoked.size} ends were confirmed`);
    for (const id of history.issued.keys()) {
        const node = nodes[dice(nodes.length)];
        const shown = await node.api('GET', `/v1/tokens/${id}`);
        assert.equal(shown.status, 200, `${id} was acknowledged and is gone; WRIT_SEED=${seed}`);
        if (history.revoked.has(id))
            assert.equal(shown.json.state, 'revoked', `${id} lives again; WRIT_SEED=${seed}`);
    }
    for (const node of nodes)
        assert.equal((await node.cli(['audit', 'verify'])).code, 0);
    console.log(`# ${history.issued.size} issued, ${history.revoked.size} ends confirmed, ${history.answers} requests afterwards`);
});
