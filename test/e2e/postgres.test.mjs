// Databases behind the gate: psql and node-postgres against a real PostgreSQL.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import net from 'node:net';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import pg from 'pg';

import { Postgres, psql } from './lib/postgres.mjs';
import { freePort, makePlace, clearPlace, Process, run, SLACK, sleep, until } from './lib/process.mjs';
import { PROGRAM, Writ } from './lib/writ.mjs';

let server, writ, port, tlsPort, place, tokens = {};

const roles = {
    clerk: { allow: ['warehouse:select|insert|update|delete:public.orders'] },
    reader: { allow: ['warehouse:select:public.orders', 'warehouse:select:public.customers(id,name)'] },
    careful: {
        allow: [
            { right: 'warehouse:select:public.orders', when: { max_rows: 10 } },
            { right: 'warehouse:update|delete:public.orders', when: { where: 'required' } },
            { right: 'warehouse:call:public.writes', when: { read_only: true } },
            { right: 'warehouse:call:pg_catalog.pg_sleep', when: { statement_timeout: '200ms' } },
        ],
    },
    bounded: {
        allow: [{ right: 'warehouse:call:pg_catalog.pg_sleep', when: { max_concurrent: 1 } },
            { right: 'warehouse:select:public.orders', when: { max_bytes: '4KiB/1h' } }],
    },
    all: { allow: ['warehouse:*:**', 'told:*:**'] },
};

function certificate(name, subject, more = []) {
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
        '-keyout', join(place, `${name}.key`), '-out', join(place, `${name}.pem`), '-subj', subject, ...more], { stdio: 'pipe' });
}

before(async () => {
    place = makePlace('postgres-tls');
    certificate('gw', '/CN=localhost', ['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']);
    certificate('client', '/CN=amara');
    certificate('other', '/CN=thief');
    server = await Postgres.start();
    await server.must(`CREATE ROLE writ LOGIN PASSWORD 'hunter2'; CREATE DATABASE shop OWNER writ;`);
    await server.must(`
        CREATE TABLE orders(id int PRIMARY KEY, item text);
        CREATE TABLE customers(id int PRIMARY KEY, name text, password text);
        CREATE TABLE secrets(id int, v text);
        INSERT INTO orders SELECT i, 'item ' || i FROM generate_series(1, 1000) i;
        INSERT INTO customers VALUES (1, 'Ada', 'enigma');
        INSERT INTO secrets VALUES (1, 'top');
        CREATE FUNCTION writes() RETURNS int LANGUAGE sql AS 'INSERT INTO orders VALUES (100000, ''by function'') RETURNING id';
        GRANT ALL ON ALL TABLES IN SCHEMA public TO writ; GRANT ALL ON SCHEMA public TO writ;`, 'shop');
    port = await freePort();
    tlsPort = await freePort();
    writ = await Writ.start({
        name: 'postgres',
        files: { 'secrets/warehouse': 'hunter2\n' },
        config: { gateway: { postgres: { listen: `127.0.0.1:${port}` } } },
        policy: {
            upstreams: {
                warehouse: {
                    type: 'postgres', address: `127.0.0.1:${server.port}`, database: 'shop',
                    login: { user: 'writ', password_file: 'secrets/warehouse' },
                },
                told: {
                    type: 'postgres', address: `127.0.0.1:${server.port}`, database: 'shop',
                    login: { user: 'writ', password_file: 'secrets/warehouse' }, record: 'full',
                },
                dead: { type: 'postgres', address: `127.0.0.1:${await freePort()}`, database: 'x', login: { user: 'x' } },
            },
            roles,
            subjects: Object.fromEntries(Object.keys(roles).map((role) => [role, { type: 'user', roles: [role] }])),
        },
    });
    for (const role of Object.keys(roles))
        tokens[role] = (await writ.issue(role)).token;
});

after(async () => {
    await writ?.close();
    await server?.close();
    clearPlace(place);
});

const ask = (role, input, more = {}) =>
    psql(port, { database: 'warehouse', password: tokens[role] ?? role, input, ...more });

async function client(role, more = {}) {
    const made = new pg.Client({ host: '127.0.0.1', port, user: role, password: tokens[role] ?? role, database: 'warehouse', ...more });
    made.on('error', (error) => { made.broken = error; });
    await made.connect();
    return made;
}

test('psql does what the rights say, and no more', async () => {
    let { out, err } = await ask('clerk', 'SELECT item FROM orders WHERE id = 7;\nSELECT * FROM secrets;\nSELECT 2;');
    assert.equal(out, 'item 7\n2\n');
    assert.match(err, /ERROR:  permission denied/);
    assert.match(err, /HINT:  you need warehouse:select:public\.secrets/);
    assert.doesNotMatch(server.log, /secrets WHERE|FROM secrets;\n/);
    ({ out, err } = await ask('clerk', '\\d orders'));
    assert.match(out, /item\|text/);
    assert.equal(err, '');
});

test('a refused statement leaves the session as an error would', async () => {
    const text = 'BEGIN;\nSELECT * FROM secrets;\nSELECT 1;\nROLLBACK;\nSELECT 3;';
    const { out, err } = await ask('clerk', text);
    assert.equal(out, 'BEGIN\nROLLBACK\n3\n');
    assert.match(err, /current transaction is aborted/);
    const savepoint = await ask('clerk', 'BEGIN;\nSAVEPOINT a;\nSELECT * FROM secrets;\nROLLBACK TO a;\nSELECT 4;\nCOMMIT;');
    assert.equal(savepoint.out, 'BEGIN\nSAVEPOINT\nROLLBACK\n4\nCOMMIT\n');
    const whole = await ask('clerk', undefined, { args: ['-c', 'INSERT INTO orders VALUES (777777, \'never\'); SELECT * FROM secrets'] });
    assert.match(whole.err, /secrets/);
    assert.equal(await server.must('SELECT count(*) FROM orders WHERE id = 777777', 'shop'), '0');
});

test('the extended protocol: values, names, a pipelined batch', async () => {
    const made = await client('clerk');
    assert.equal((await made.query('SELECT item FROM orders WHERE id = $1', [9])).rows[0].item, 'item 9');
    for (let i = 1; i < 4; i++)
        assert.equal((await made.query({ name: 'by-id', text: 'SELECT id FROM orders WHERE id = $1', values: [i] })).rows[0].id, i);
    await assert.rejects(made.query('SELECT * FROM secrets WHERE id = $1', [1]),
        (error) => error.code === '42501' && error.hint.includes('warehouse:select:public.secrets'));
    assert.equal((await made.query('SELECT 5 AS x')).rows[0].x, 5);
    await made.query('BEGIN');
    await assert.rejects(made.query('DELETE FROM secrets WHERE id = $1', [1]), { code: '42501' });
    await assert.rejects(made.query('SELECT 1'), { code: '25P02' });
    await made.query('ROLLBACK');
    const many = await Promise.all(Array.from({ length: 200 }, (_, i) => made.query('SELECT $1::int AS n', [i])));
    assert.deepEqual(many.map((r) => r.rows[0].n), Array.from({ length: 200 }, (_, i) => i));
    await made.end();
});

test('columns, conditions', async () => {
    assert.equal((await ask('reader', 'SELECT name FROM customers WHERE id = 1')).out, 'Ada\n');
    for (const text of ['SELECT * FROM customers', 'SELECT c FROM customers c', 'SELECT name FROM customers WHERE password = \'enigma\'',
        'SELECT (c).password FROM customers c', 'SELECT count(*) FROM customers', 'SELECT row_to_json(customers) FROM customers',
        'TABLE customers', 'COPY customers TO STDOUT', 'SELECT name FROM customers ORDER BY password'])
        assert.match((await ask('reader', text)).err, /permission denied/, text);
    const careful = await ask('careful', 'SELECT id FROM orders LIMIT 10;\nSELECT id FROM orders;\nSELECT 6;');
    assert.equal(careful.out.trim().split('\n').length, 11);
    assert.match(careful.err, /more than the 10 rows/);
    assert.match((await ask('careful', 'DELETE FROM orders')).err, /condition where does not hold/);
    assert.equal((await ask('careful', 'DELETE FROM orders WHERE id = 4')).out, 'DELETE 1\n');
    assert.match((await ask('careful', 'SELECT writes()')).err, /read-only transaction/);
    assert.match((await ask('careful', 'SELECT pg_sleep(5)')).err, /statement timeout/);
    const made = await client('careful');
    await assert.rejects(made.query('SELECT writes() WHERE $1::int = 1', [1]), { code: '25006' });
    await assert.rejects(made.query('SELECT pg_sleep($1)', [5]), { code: '57014' });
    await assert.rejects(made.query('SELECT id FROM orders WHERE id < $1', [100]), { code: '54000' });
    assert.equal((await made.query('SELECT id FROM orders WHERE id < $1 LIMIT 2', [100])).rows.length, 2);
    await made.end();
});

test('COPY in and out, cursors, prepared statements', async () => {
    const text = 'COPY orders(id, item) FROM STDIN;\n5000\thello\n\\.\nCOPY (SELECT * FROM orders WHERE id = 5000) TO STDOUT;\nDELETE FROM orders WHERE id = 5000;';
    assert.equal((await ask('clerk', text)).out, 'COPY 1\n5000\thello\nDELETE 1\n');
    assert.match((await ask('clerk', 'COPY secrets FROM STDIN;\n1\tx\n\\.\n')).err, /you need warehouse:insert:public\.secrets/);
    assert.match((await ask('clerk', 'COPY orders FROM STDIN;\nnot a number\n\\.\nSELECT 7;')).out, /7/);
    assert.match((await ask('clerk', "COPY orders TO PROGRAM 'id'")).err, /you need warehouse:copy:program/);
    assert.equal((await ask('clerk', 'PREPARE p AS SELECT id FROM orders WHERE id = $1;\nEXECUTE p(3);\nDEALLOCATE p;')).out,
        'PREPARE\n3\nDEALLOCATE\n');
    assert.equal((await ask('clerk', 'BEGIN;\nDECLARE c CURSOR FOR SELECT id FROM orders ORDER BY id;\nFETCH 2 FROM c;\nCOMMIT;')).out,
        'BEGIN\nDECLARE CURSOR\n1\n2\nCOMMIT\n');
});

test('the database is the upstream; a token that does not hold ends in 28P01', async () => {
    assert.match((await ask('nobody', 'SELECT 1')).err, /FATAL: /);
    assert.match((await psql(port, { database: 'nowhere', password: tokens.clerk, input: 'SELECT 1' })).err, /no upstream of this name/);
    assert.match((await psql(port, { database: 'dead', password: tokens.all, input: 'SELECT 1' })).err, /permission denied|no right/);
    await assert.rejects(client('writ_' + '0'.repeat(40)), { code: '28P01' });
    const { token, id } = await writ.issue('clerk');
    await writ.revoke(id);
    await assert.rejects(client(token), { code: '28P01' });
});

test('revocation cuts an idle prompt and a running query, and the query ends at the server', async () => {
    const { token, id } = await writ.issue('all');
    const idle = await client(token), busy = await client(token);
    const sleeping = busy.query("SELECT pg_sleep(30), 'the-running-one'").catch((error) => error);
    await until('the query to run', async () => (await server.must("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%the-running-one%' AND state = 'active' AND pid <> pg_backend_pid()")) === '1');
    const began = Date.now();
    await writ.revoke(id);
    const error = await sleeping;
    assert.ok(Date.now() - began < 1000 * SLACK);
    assert.equal(error.code, '28000');
    assert.match(error.message, /revoked/);
    await until('the idle one to be cut', () => idle.broken !== undefined);
    assert.ok(Date.now() - began < 1000 * SLACK, `${Date.now() - began} ms`);
    await until('the server to stop it', async () => (await server.must("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%the-running-one%' AND state = 'active' AND pid <> pg_backend_pid()")) === '0');
});

test('cancellation reaches the own query, by a key of the gateway', async () => {
    const made = await client('all');
    const sleeping = made.query("SELECT pg_sleep(30), 'cancel-me'").catch((error) => error);
    await sleep(200);
    const cancel = (key) => new Promise((done) => {
        const socket = net.connect(port, '127.0.0.1', () => {
            const bytes = Buffer.alloc(16);
            bytes.writeInt32BE(16, 0);
            bytes.writeInt32BE(80877102, 4);
            bytes.writeInt32BE(made.processID, 8);
            bytes.writeInt32BE(key, 12);
            socket.end(bytes);
        });
        socket.on('close', done);
        socket.on('error', done);
        socket.resume();
    });
    await cancel(made.secretKey ^ 1);
    await sleep(200);
    let over = false;
    sleeping.then(() => { over = true; });
    await sleep(50);
    assert.equal(over, false, 'a wrong secret cancels nothing');
    await cancel(made.secretKey);
    assert.equal((await sleeping).code, '57014');
    assert.equal((await made.query('SELECT 8 AS x')).rows[0].x, 8);
    await made.end();
});

test('what could make the gateway read another statement than the server is refused', async () => {
    for (const text of ['SET standard_conforming_strings = off', "SET client_encoding = 'SJIS'",
        "SELECT set_config('standard_conforming_strings', 'off', false)", "SELECT set_config('search_' || 'path', 'x', false)"])
        assert.match((await ask('all', text)).err, /ERROR/, text);
    assert.match((await ask('all', 'SELECT 1', { env: { PGCLIENTENCODING: 'SJIS' } })).err, /client_encoding must be UTF8/);
    assert.match((await ask('all', 'SELECT 1', { env: { PGOPTIONS: '-c session_replication_role=replica' } })).err, /not taken at the log-in/);
    assert.equal((await ask('all', 'SHOW statement_timeout', { env: { PGOPTIONS: '-c statement_timeout=7s' } })).out, '7s\n');
});

test('search_path is followed', async () => {
    await server.must('CREATE SCHEMA app; CREATE TABLE app.orders(id int); GRANT ALL ON SCHEMA app TO writ; GRANT ALL ON app.orders TO writ', 'shop');
    const { out, err } = await ask('clerk', 'SELECT count(*) > 0 FROM orders;\nSET search_path = app;\nSELECT * FROM orders;\nRESET search_path;\nSELECT count(*) > 0 FROM orders;');
    assert.equal(out, 't\nSET\nRESET\nt\n');
    assert.match(err, /warehouse:select:app\.orders/);
    const once = await ask('clerk', undefined, { args: ['-c', 'SET search_path = app; SELECT * FROM orders'] });
    assert.match(once.err, /warehouse:select:app\.orders/);
    const back = await ask('clerk', 'BEGIN;\nSET search_path = app;\nROLLBACK;\nSELECT count(*) > 0 FROM orders');
    assert.match(back.err, /warehouse:select:app\.orders/, 'what is not certain must be allowed in both');
});

// Messages of the extended protocol in one batch, up to one Sync: texts, or names of what was
// prepared. Resolves to the tags that came, and the error.
class Batch {
    constructor(parts) {
        this.parts = parts;
        this.tags = [];
        this.done = new Promise((resolve) => { this.resolve = resolve; });
    }

    submit(connection) {
        this.send(connection).catch((error) => { this.error = error; this.resolve(this); });
    }

    // pause: what follows is sent when the server has long answered what stands before.
    async send(connection) {
        for (const { text, name = '', run = true, pause } of this.parts) {
            if (pause !== undefined) {
                connection.flush();
                await sleep(pause);
                continue;
            }
            if (text !== undefined)
                connection.parse({ name, text });
            if (run) {
                connection.bind({ statement: name });
                connection.execute({});
            }
        }
        connection.sync();
    }

    handleRowDescription() {}
    handleDataRow() {}
    handleCommandComplete({ text }) { this.tags.push(text); }
    handleError(error) { this.error = error; this.resolve(this); }
    handleReadyForQuery() { this.resolve(this); }
}

test('what is prepared follows the search_path too', async () => {
    const needed = /warehouse:select:app\.orders/;
    const sql = await ask('clerk', 'PREPARE p AS SELECT count(*) > 0 FROM orders;\nEXECUTE p;\nSET search_path = app;\nEXECUTE p;\nSET search_path = public;\nEXECUTE p;');
    assert.equal(sql.out, 'PREPARE\nt\nSET\nSET\nt\n');
    assert.match(sql.err, needed);

    const client = new pg.Client({ host: '127.0.0.1', port, database: 'warehouse', user: 'x', password: tokens.clerk });
    await client.connect();
    const batch = (...parts) => { const made = new Batch(parts); client.query(made); return made.done; };
    const select = { name: 'q', text: 'SELECT id FROM orders LIMIT 1' };
    assert.deepEqual((await batch(select)).tags, ['SELECT 1']);
    assert.deepEqual((await batch({ text: 'SET search_path = app' })).tags, ['SET']);
    assert.match((await batch({ name: 'q' })).error.hint, needed);

    // The path that was prepared comes back while the session is certain of another.
    await client.query('SET search_path = public');
    assert.deepEqual((await batch({ name: 's', text: 'SET search_path = app' })).tags, ['SET']);
    await client.query('SET search_path = public');
    assert.deepEqual((await batch({ name: 'q' })).tags, ['SELECT 1']);
    const later = await batch({ name: 's' }, { name: 'q' });
    assert.match(later.error.hint, needed);

    // An error in the middle of a batch: what the client has yet to send of it is dropped.
    for (const wrong of [{ text: 'SELECT 1 / 0' }, { text: 'TABLE secrets' }]) {
        const failed = await batch({ text: 'SELECT 5' }, wrong, { pause: 100 }, { text: 'SELECT 6' }, { name: 'q' });
        assert.deepEqual(failed.tags, ['SELECT 1']);
        assert.equal((await client.query('SELECT 7 AS seven')).rows[0].seven, 7);
    }

    // A path that is taken back with its batch was never certain.
    await client.query('SET search_path = app');
    const back = await batch({ text: 'SET search_path = public' }, { text: 'ROLLBACK' });
    assert.deepEqual(back.tags, ['SET', 'ROLLBACK']);
    assert.match((await batch({ name: 'q' })).error.hint, needed);
    await batch({ text: 'SET search_path = public' }, { text: 'SELECT 1 / 0' });
    assert.match((await batch({ name: 'q' })).error.hint, needed);
    await client.end();
});

test('TLS, and a token that is bound to a certificate', async () => {
    await writ.stop();
    writ.configure({ gateway: { postgres: { listen: `127.0.0.1:${tlsPort}`,
        tls: { cert: join(place, 'gw.pem'), key: join(place, 'gw.key'), client_cert: 'request' } } } });
    await writ.launch();
    const bound = (await writ.issue('clerk', '--bind-cert', join(place, 'client.pem'))).token;
    const tls = (name, more = {}) => psql(tlsPort, { database: 'warehouse', password: bound, input: 'SELECT 9',
        env: { PGSSLMODE: 'verify-full', PGSSLROOTCERT: join(place, 'gw.pem'),
            ...(name ? { PGSSLCERT: join(place, `${name}.pem`), PGSSLKEY: join(place, `${name}.key`) } : { PGSSLCERT: '/nowhere', PGSSLKEY: '/nowhere' }), ...more } });
    execFileSync('chmod', ['600', join(place, 'client.key'), join(place, 'other.key')]);
    assert.equal((await tls('client')).out, '9\n');
    assert.match((await tls('other')).err, /another certificate/);
    assert.match((await tls(null)).err, /none was shown/);
    const clear = await psql(tlsPort, { database: 'warehouse', password: bound, input: 'SELECT 9', env: { PGSSLMODE: 'disable' } });
    assert.match(clear.err, /none was shown/);
    const { token } = await writ.issue('clerk');
    const { public: name } = await writ.json(['token', 'public'], { input: token });
    const plus = await psql(tlsPort, { database: 'warehouse', user: name, password: token, input: 'SELECT 13',
        env: { PGSSLMODE: 'require', PGCHANNELBINDING: 'require', PGSSLCERT: '/nowhere', PGSSLKEY: '/nowhere' } });
    assert.equal(plus.out, '13\n', plus.err);
    // A local port that logs in with the token and a certificate of its key.
    const key = join(writ.place, 'me.key');
    await writ.json(['key', 'new', key]);
    writeFileSync(join(writ.place, 'me.token'), `${(await writ.issue('all', '--bind-jwk', key)).token}\n`, { mode: 0o600 });
    const local = await freePort();
    const connect = new Process(PROGRAM, ['connect', 'warehouse', '--gateway', `postgres://localhost:${tlsPort}`, '--ca', join(place, 'gw.pem'),
        '--key', key, '--token-file', join(writ.place, 'me.token'), '--port', String(local)], { cwd: writ.place });
    await connect.ready(async () => (await psql(local, { database: 'any', input: 'SELECT 19' })).out === '19\n');
    const sleeping = new pg.Client({ host: '127.0.0.1', port: local, user: 'me', database: 'x' });
    await sleeping.connect();
    const slept = sleeping.query('SELECT pg_sleep(30)').catch((error) => error);
    await sleep(300);
    const cancelling = net.connect(local, '127.0.0.1', () => {
        const bytes = Buffer.alloc(16);
        [16, 80877102, sleeping.processID, sleeping.secretKey].forEach((value, i) => bytes.writeInt32BE(value, 4 * i));
        cancelling.end(bytes);
    });
    assert.equal((await slept).code, '57014');
    await sleeping.end();
    assert.doesNotMatch(connect.output, /writ_/);
    await connect.stop();
    // "Direct" TLS: the handshake is the first thing that comes.
    const direct = execFileSync('openssl', ['s_client', '-connect', `127.0.0.1:${tlsPort}`, '-alpn', 'postgresql', '-CAfile', join(place, 'gw.pem')],
        { input: '', stdio: ['pipe', 'pipe', 'pipe'] }).toString();
    assert.match(direct, /ALPN protocol: postgresql/);
    const lines = await writ.audit('--subject', 'clerk', '--limit', '20');
    assert.ok(lines.some((line) => line.action === 'login' && line.proof !== null && line.decision === 'allow'));
    await writ.stop();
    writ.configure({ gateway: { postgres: { listen: `127.0.0.1:${port}` } } });
    await writ.launch();
});

test('advise prints GRANTs that close the gap below the gateway', async () => {
    const { code, out, err } = await writ.cli(['advise', '--upstream', 'warehouse', '--sql']);
    assert.equal(code, 0, err);
    assert.match(out, /^GRANT SELECT \("id", "name"\) ON "public"\."customers" TO "writ";$/m);
    assert.match(out, /^GRANT DELETE ON "public"\."orders" TO "writ";$/m);
    assert.match(out, /^GRANT USAGE ON SCHEMA "public" TO "writ";$/m);
    assert.match(out, /^-- warehouse:\*:\*\*: /m);
    assert.equal((await server.sql(out, 'shop')).code, 0);
    assert.equal((await writ.cli(['advise', '--upstream', 'warehouse'])).code, 2);
    assert.equal((await writ.cli(['advise', '--upstream', 'nowhere', '--sql'])).code, 1);
});

test('slow readers, cancel storms, hundreds of sessions: bounded, and nothing stuck', async () => {
    const memory = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${writ.process.child.pid}/status`, 'utf8'))[1]);
    const slow = await client('all');
    const stream = slow.connection.stream;
    await slow.query('SELECT 1');
    const before = memory();
    const big = slow.query("SELECT repeat('x', 1000000) FROM generate_series(1, 300)").catch((error) => error);
    stream.pause();
    await sleep(1000);
    assert.ok(memory() - before < 120000, `${memory() - before} KiB for one slow reader`);
    assert.equal((await ask('clerk', 'SELECT 14')).out, '14\n');
    stream.resume();
    assert.equal((await big).rows.length, 300);
    await slow.end();
    const busy = await client('all');
    const storm = Array.from({ length: 300 }, () => new Promise((done) => {
        const socket = net.connect(port, '127.0.0.1', () => {
            const bytes = Buffer.alloc(16);
            bytes.writeInt32BE(16, 0);
            bytes.writeInt32BE(80877102, 4);
            bytes.writeInt32BE(busy.processID, 8);
            bytes.writeInt32BE(Math.floor(Math.random() * 2 ** 31), 12);
            socket.end(bytes);
        });
        socket.on('close', done);
        socket.on('error', () => {});
        socket.resume();
    }));
    assert.equal((await busy.query("SELECT pg_sleep(0.3), 15 AS x")).rows[0].x, 15);
    await Promise.all(storm);
    await busy.end();
    const many = await Promise.all(Array.from({ length: 250 }, () => client('clerk')));
    await Promise.all(many.map((made) => made.query('SELECT 16')));
    many.forEach((made) => made.connection.stream.destroy());
    await until('the server to be rid of them', async () => Number(await server.must("SELECT count(*) FROM pg_stat_activity WHERE usename = 'writ'")) === 0);
    assert.equal((await ask('clerk', 'SELECT 17')).out, '17\n');
});

test('a server that goes away', async () => {
    const made = await client('clerk');
    await server.must("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'writ'");
    await until('the end of the session', () => made.broken !== undefined);
    assert.equal((await ask('clerk', 'SELECT 18')).out, '18\n');
});

test('a driver of another language: psycopg2', async (t) => {
    const script = `
import psycopg2, sys
c = psycopg2.connect(host='127.0.0.1', port=sys.argv[1], dbname='warehouse', user='py', password=sys.argv[2])
k = c.cursor()
k.execute('SELECT item FROM orders WHERE id = %s', (8,))
print(k.fetchone()[0])
try:
    k.execute('SELECT * FROM secrets')
except psycopg2.errors.InsufficientPrivilege as e:
    print(e.diag.message_hint)
c.rollback()
with c.cursor(name='cursor') as n:
    n.execute('SELECT id FROM orders ORDER BY id')
    print(len(n.fetchmany(3)))
`;
    const { code, out, err } = await run('/usr/bin/python3', ['-c', script, String(port), tokens.clerk]);
    if (/No module named/.test(err))
        return t.skip('psycopg2 is not installed');
    assert.equal(code, 0, err);
    assert.equal(out, 'item 8\nyou need warehouse:select:public.secrets\n3\n');
});

test('SCRAM: the user is the public part, the token never crosses the wire', async () => {
    const { token, id } = await writ.issue('clerk');
    const { public: name } = await writ.json(['token', 'public'], { input: token });
    assert.match(name, /^writp_/);
    assert.equal((await psql(port, { database: 'warehouse', user: name, password: token, input: 'SELECT 11' })).out, '11\n');
    const seen = [];
    const middle = net.createServer((near) => {
        const far = net.connect(port, '127.0.0.1');
        near.on('data', (bytes) => { seen.push(bytes); far.write(bytes); });
        far.on('data', (bytes) => near.write(bytes));
        for (const [a, b] of [[near, far], [far, near]]) {
            a.on('close', () => b.destroy());
            a.on('error', () => {});
        }
    }).listen(0, '127.0.0.1');
    await new Promise((done) => middle.on('listening', done));
    assert.equal((await psql(middle.address().port, { database: 'warehouse', user: name, password: token, input: 'SELECT 12' })).out, '12\n');
    assert.ok(seen.length > 0 && !Buffer.concat(seen).toString('latin1').includes(token.slice(5, 40)));
    middle.close();
    const made = new pg.Client({ host: '127.0.0.1', port, user: name, password: token, database: 'warehouse' });
    await made.connect();
    await assert.rejects(made.query('SELECT * FROM secrets'), { code: '42501' });
    await made.end();
    const other = (await writ.issue('all')).token;
    const wrong = await psql(port, { database: 'warehouse', user: name, password: other, input: 'SELECT 1' });
    assert.match(wrong.err, /FATAL: .*proof is not of the token/);
    await writ.revoke(id);
    assert.match((await psql(port, { database: 'warehouse', user: name, password: token, input: 'SELECT 1' })).err, /revoked/);
});

test('the audit says what was asked, without the values', async () => {
    await ask('clerk', "SELECT item FROM orders WHERE item = 'a secret value' AND id = 1928374650;");
    const line = await until('the line', async () => (await writ.audit('--subject', 'clerk', '--resource', 'warehouse', '--action', 'select', '--limit', '20'))
        .find((found) => found.statement === 'SELECT item FROM orders WHERE item = ? AND id = ?'));
    assert.equal(line.object, 'public.orders');
    assert.equal(line.status, 200);
    assert.equal(line.right, 'warehouse:select|insert|update|delete:public.orders');
    assert.match(line.agent, /psql, user anybody/);
    const text = JSON.stringify(await writ.audit('--limit', '1000'));
    assert.doesNotMatch(text, /a secret value|1928374650|enigma|hunter2/);
});

test('record: full keeps the text of each statement, but no password', async () => {
    const texts = ["SELECT item FROM orders WHERE item = 'plain one'", "SELECT item FROM orders WHERE item = 'plain two'"];
    const told = { user: 'anybody', password: tokens.all, database: 'told' };
    assert.equal((await psql(port, { ...told, input: `${texts[0]}; ${texts[1]};` })).code, 0);
    const client = new pg.Client({ host: '127.0.0.1', port, ...told });
    await client.connect();
    await client.query(`${texts[0]} AND id < 7`);
    await client.query({ name: 'p', text: `${texts[1]} AND id = $1`, values: [1] });
    await client.query("ALTER ROLE writ PASSWORD 'hunter2'");
    await client.end();
    const wanted = [...texts, `${texts[0]} AND id < 7`, `${texts[1]} AND id = $1`, 'ALTER ROLE writ PASSWORD ?'];
    await until('the lines', async () => {
        const found = (await writ.audit('--subject', 'all', '--resource', 'told', '--limit', '50')).map((line) => line.statement);
        return wanted.every((text) => found.includes(text));
    });
    assert.doesNotMatch(JSON.stringify(await writ.audit('--limit', '1000')), /hunter2/);
});

test('hostile bytes end one session alone', async () => {
    const raw = (bytes) => new Promise((done) => {
        const socket = net.connect(port, '127.0.0.1', () => socket.write(bytes));
        const chunks = [];
        socket.on('data', (chunk) => chunks.push(chunk));
        socket.on('close', () => done(Buffer.concat(chunks).toString('latin1')));
        socket.on('error', () => done('error'));
        setTimeout(() => socket.destroy(), 2000 * SLACK);
    });
    const start = (pairs) => {
        const body = Buffer.from(`${pairs.flat().join('\0')}\0\0`);
        const head = Buffer.alloc(8);
        head.writeInt32BE(body.length + 8, 0);
        head.writeInt32BE(196608, 4);
        return Buffer.concat([head, body]);
    };
    for (const bytes of [Buffer.from('GET / HTTP/1.1\r\n\r\n'), Buffer.alloc(64), Buffer.from([0, 0, 0, 8, 9, 9, 9, 9]),
        start([['user', 'a'], ['user', 'b']]), start([['user', 'a'], ['replication', 'true']]),
        Buffer.concat([start([['user', 'a'], ['database', 'warehouse']]), Buffer.from('p\0\0\0\x05\0')])])
        assert.match(await raw(bytes), /^$|FATAL|error/, bytes.toString('latin1'));
    assert.equal((await ask('clerk', 'SELECT 10')).out, '10\n');
});

test('a thousand rows to a slow reader, a big answer, many sessions', async () => {
    const sessions = await Promise.all(Array.from({ length: 100 }, () => client('clerk')));
    const counts = await Promise.all(sessions.map((made) => made.query('SELECT count(*) AS n FROM orders')));
    assert.ok(counts.every((answer) => Number(answer.rows[0].n) >= 900));
    await Promise.all(sessions.map((made) => made.end()));
    const big = await client('all');
    const { rows } = await big.query("SELECT repeat('x', 1000000) AS x FROM generate_series(1, 50)");
    assert.equal(rows.length, 50);
    assert.ok(rows.every((row) => row.x.length === 1000000));
    assert.equal((await big.query('SELECT length($1) AS n', ['y'.repeat(3000000)])).rows[0].n, 3000000);
    await big.end();
});

test('budgets: statements at once, and bytes', async () => {
    const first = await client('bounded'), second = await client('bounded');
    try {
        /* Either may be first in the place: who is to keep it asks again until it has it. */
        let sleeps, asleep = false;
        await until('the refusal', async () => {
            if (!asleep) {
                asleep = true;
                sleeps = first.query('SELECT pg_sleep(30)').catch((error) => { asleep = false; return error; });
                await sleep(50);
            }
            return asleep && second.query('SELECT pg_sleep(0)').then(() => false, (error) => error);
        }, { every: 5 })
            .then((error) => {
                assert.equal(error.code, '53300');
                assert.match(error.message, /max_concurrent/);
            });
        first.connection.stream.destroy();
        await sleeps;
        await until('the place', async () => second.query('SELECT pg_sleep(0)').then(() => true, () => false));

        assert.ok((await second.query('SELECT item FROM orders')).rows.length > 900);
        await assert.rejects(second.query('SELECT item FROM orders WHERE id = 1'), { code: '53300', message: /max_bytes/ });
        await second.query('SELECT pg_sleep(0)');
    } finally {
        await second.end();
    }
});
