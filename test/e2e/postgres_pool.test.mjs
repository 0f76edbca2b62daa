// Transaction pooling: many sessions over few server connections, and nothing of one for another.
import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import pg from 'pg';

import { Postgres, psql, clean } from './lib/postgres.mjs';
import { freePort, run, sleep, until } from './lib/process.mjs';
import { Writ } from './lib/writ.mjs';

const SIZE = 4;
let server, writ, port, tokens = {};

const roles = {
    all: { allow: ['warehouse:*:**', 'small:*:**', 'calls:*:**'] },
    thief: { allow: ['warehouse:*:**'] },
    clerk: { allow: ['warehouse:select|insert|update|delete:public.orders', 'warehouse:call:pg_catalog.pg_sleep', 'small:select:public.orders'] },
};

before(async () => {
    server = await Postgres.start();
    await server.must(`CREATE ROLE writ LOGIN PASSWORD 'hunter2'; CREATE ROLE other; GRANT other TO writ; CREATE DATABASE shop OWNER writ;`);
    await server.must(`
        CREATE TABLE orders(id int PRIMARY KEY, item text);
        CREATE TABLE secrets(id int, v text);
        CREATE TABLE serials(id serial, v text);
        INSERT INTO orders SELECT i, 'item ' || i FROM generate_series(1, 100) i;
        CREATE FUNCTION leak(what text) RETURNS text LANGUAGE plpgsql AS $$
        BEGIN
            CASE what
                WHEN 'setting' THEN PERFORM set_config('my.secret', 'leaked', false);
                WHEN 'path' THEN PERFORM set_config('search_path', 'app', false);
                WHEN 'zone' THEN PERFORM set_config('timezone', 'Asia/Tokyo', false);
                WHEN 'role' THEN EXECUTE 'SET ROLE other';
                WHEN 'table' THEN CREATE TEMP TABLE IF NOT EXISTS mine AS SELECT 'leaked' AS v;
                WHEN 'view' THEN EXECUTE 'CREATE OR REPLACE TEMP VIEW orders AS SELECT 0 AS id, ''leaked'' AS item';
                WHEN 'function' THEN EXECUTE 'CREATE OR REPLACE FUNCTION pg_temp.f() RETURNS text LANGUAGE sql AS ''SELECT ''''leaked''''''';
                WHEN 'lock' THEN PERFORM pg_advisory_lock(77);
                WHEN 'sequence' THEN PERFORM nextval('serials_id_seq');
                WHEN 'listen' THEN EXECUTE 'LISTEN news';
                WHEN 'prepare' THEN EXECUTE 'PREPARE stolen AS SELECT ''leaked''';
                WHEN 'cursor' THEN EXECUTE 'DECLARE held CURSOR WITH HOLD FOR SELECT ''leaked''';
                WHEN 'timeout' THEN PERFORM set_config('statement_timeout', '1', false);
                WHEN 'planner' THEN PERFORM set_config('enable_seqscan', 'off', false);
                WHEN 'readonly' THEN PERFORM set_config('default_transaction_read_only', 'on', false);
            END CASE;
            RETURN what;
        END $$;
        CREATE FUNCTION on_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM set_config('my.trigger', NEW.v, false); CREATE TEMP TABLE IF NOT EXISTS made_by_trigger(v text); RETURN NEW; END $$;
        CREATE TRIGGER t BEFORE INSERT ON serials FOR EACH ROW EXECUTE FUNCTION on_change();
        CREATE SCHEMA app; CREATE TABLE app.orders(id int, item text); INSERT INTO app.orders VALUES (0, 'of app');
        GRANT ALL ON ALL TABLES IN SCHEMA public, app TO writ, other; GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO writ;
        GRANT ALL ON SCHEMA public, app TO writ, other;`, 'shop');
    port = await freePort();
    const warehouse = (pool) => ({
        type: 'postgres', address: `127.0.0.1:${server.port}`, database: 'shop', login: { user: 'writ', password_file: 'secrets/warehouse' }, pool,
    });
    writ = await Writ.start({
        name: 'postgres-pool',
        files: { 'secrets/warehouse': 'hunter2\n' },
        config: { lanes: 1, gateway: { postgres: { listen: `127.0.0.1:${port}` } } },
        policy: {
            upstreams: {
                warehouse: warehouse({ mode: 'transaction', size: SIZE }),
                small: warehouse({ mode: 'transaction', size: 1, queue: 2, wait: '500ms' }),
                calls: warehouse({ mode: 'transaction', size: 1, reset: 'calls' }),
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
});

async function client(role = 'all', more = {}) {
    const made = new pg.Client({ host: '127.0.0.1', port, user: role, password: tokens[role] ?? role, database: 'warehouse', ...more });
    made.on('error', (error) => { made.broken = error; });
    await made.connect();
    return made;
}

const one = async (from, text, values) => Object.values((await from.query(text, values)).rows[0] ?? { none: null })[0];
const ask = (role, input, more = {}) => psql(port, { database: 'warehouse', password: tokens[role], input, ...more });
const backends = async () => Number(await server.must("SELECT count(*) FROM pg_stat_activity WHERE usename = 'writ'"));
// All of the gateway's connections end, and it has seen it.
async function endAll() {
    await server.must("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'writ'");
    await until('their end', async () => await backends() === 0);
    await sleep(100);
}
const closed = (...clients) => Promise.all(clients.map((at) => at.end()));

test('many clients over few servers', async () => {
    const clients = await Promise.all(Array.from({ length: 40 }, () => client('clerk')));
    let most = 0, done = false;
    const watch = (async () => {
        while (!done)
            most = Math.max(most, await backends());
    })();
    for (let round = 0; round < 10; round++) {
        const rows = await Promise.all(clients.map((at, i) => (i % 2 ? one(at, 'SELECT id FROM orders WHERE id = $1', [i + 1])
            : one(at, `SELECT id FROM orders WHERE id = ${i + 1}`))));
        assert.deepEqual(rows, clients.map((_, i) => i + 1));
    }
    done = true;
    await watch;
    assert.ok(most >= 1 && most <= SIZE, `${most} connections`);
    await closed(...clients);
    assert.match((await ask('clerk', 'SELECT * FROM secrets')).err, /you need warehouse:select:public\.secrets/);
});

test('a transaction stays on its server, and what it sets locally is gone behind it', async () => {
    const [a, b] = await Promise.all([client(), client()]);
    await a.query('BEGIN');
    const pid = await one(a, 'SELECT pg_backend_pid()');
    await a.query("SET LOCAL timezone = 'Asia/Tokyo'");
    assert.notEqual(await one(b, 'SELECT pg_backend_pid()'), pid);
    assert.equal(await one(a, 'SELECT pg_backend_pid()'), pid);
    assert.equal(await one(a, 'SHOW timezone'), 'Asia/Tokyo');
    await a.query('COMMIT');
    assert.notEqual(await one(a, 'SHOW timezone'), 'Asia/Tokyo');
    await closed(a, b);
});

test('what the client sets at its log-in holds for all its transactions, and for no others', async () => {
    const zones = ['Asia/Tokyo', 'Europe/Paris', 'UTC'];
    const clients = await Promise.all(zones.map((zone) => client('all', { options: `-c timezone=${zone} -c search_path=app`, application_name: zone })));
    const plain = await client();
    for (let i = 0; i < 5; i++) {
        assert.deepEqual(await Promise.all(clients.map((at) => one(at, 'SHOW timezone'))), zones);
        assert.deepEqual(await Promise.all(clients.map((at) => one(at, 'SHOW application_name'))), zones);
        assert.deepEqual(await Promise.all(clients.map((at) => one(at, 'SELECT item FROM orders WHERE id = 0'))), zones.map(() => 'of app'));
        assert.equal(await one(plain, 'SELECT item FROM orders WHERE id = 1'), 'item 1');
        assert.ok(await backends() <= SIZE);
    }
    await closed(plain, ...clients);
});

const lasting = [
    ['SET work_mem = 64', "SET LOCAL timezone = 'UTC'"],
    ['SET SESSION enable_seqscan = off', 'SET LOCAL enable_seqscan = off'],
    ["SET timezone = 'UTC'; SELECT 1", 'SET LOCAL search_path = app'],
    ['SET ROLE other', 'SET LOCAL ROLE other'],
    ['SET SESSION AUTHORIZATION writ'],
    ['SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY', 'SET TRANSACTION READ ONLY'],
    ["SELECT set_config('timezone', 'UTC', false)", "SELECT set_config('timezone', 'UTC', true)"],
    ['SET seed = 0.5'],
    ['SELECT setseed(0.5)', 'SELECT random()'],
    ['LISTEN news', 'NOTIFY news'],
    ['CREATE TEMP TABLE t (id int)', 'CREATE TEMP TABLE t (id int) ON COMMIT DROP'],
    ['CREATE TEMP TABLE t AS SELECT 1', 'CREATE TEMP TABLE t ON COMMIT DROP AS SELECT 1'],
    ['SELECT 1 AS one INTO TEMP t'],
    ['CREATE TABLE pg_temp.t (id int)'],
    ["CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'"],
    ['DECLARE c CURSOR WITH HOLD FOR SELECT 1', 'DECLARE c CURSOR FOR SELECT 1'],
    ['PREPARE p AS SELECT 1'],
    ['DEALLOCATE p', 'DEALLOCATE ALL'],
    ["LOAD 'plpgsql'"],
    ['SELECT pg_advisory_lock(1)', 'SELECT pg_advisory_xact_lock(1)'],
    ['SELECT pg_try_advisory_lock_shared(1, 2)', 'SELECT pg_try_advisory_xact_lock_shared(1, 2)'],
];

test('what would outlive its transaction is refused, the local form beside it is not', async () => {
    const made = await client();
    for (const [refused, allowed] of lasting) {
        for (const values of [undefined, []]) {
            await assert.rejects(made.query(refused, values), (error) => error.code === '0A000' && /outlive its transaction/.test(error.message), refused);
            await made.query('BEGIN');
            await assert.rejects(made.query(refused, values), { code: '0A000' }, refused);
            await assert.rejects(made.query('SELECT 1'), { code: '25P02' });
            await made.query('ROLLBACK');
            if (allowed !== undefined) {
                await made.query('BEGIN');
                await made.query(allowed, values);
                await made.query('ROLLBACK');
            }
        }
    }
    for (const text of ['DISCARD ALL', 'RESET ALL', 'RESET timezone', 'UNLISTEN *', 'CLOSE ALL', 'SELECT pg_advisory_unlock_all()'])
        await made.query(text);
    assert.equal(await one(made, 'SELECT item FROM orders WHERE id = 1'), 'item 1');
    const { err } = await ask('all', "SET work_mem = 64");
    assert.match(err, /HINT:  use SET LOCAL in a transaction/);
    await made.end();
});

test('a SET of what the log-in could have said holds for the session, and for it alone', async () => {
    const made = await client(), other = await client();
    const zone = await one(other, 'SHOW timezone');
    for (const values of [undefined, []]) {
        await made.query("SET timezone = 'Asia/Tokyo'", values);
        await made.query('SET extra_float_digits = -3', values);
        await made.query('SET search_path = app, public', values);
        for (let i = 0; i < 10; i++) {
            assert.deepEqual(await Promise.all([one(made, 'SHOW timezone'), one(other, 'SHOW timezone')]), ['Asia/Tokyo', zone]);
            assert.deepEqual(await Promise.all([one(made, 'SELECT item FROM orders WHERE id < 2'), one(other, 'SELECT item FROM orders WHERE id < 2')]), ['of app', 'item 1']);
            assert.equal(await one(made, 'SHOW extra_float_digits'), '-3');
        }
        await assert.rejects(made.query("SET timezone = 'Nowhere/Here'", values), { code: '22023' });
        assert.equal(await one(made, 'SHOW timezone'), 'Asia/Tokyo');
        await made.query('RESET timezone', values);
        assert.equal(await one(made, 'SHOW timezone'), zone);
        assert.equal(await one(made, 'SELECT item FROM orders WHERE id < 2'), 'of app');
        await made.query('BEGIN');
        await assert.rejects(made.query("SET timezone = 'Asia/Tokyo'", values), { code: '0A000', hint: /SET LOCAL/ });
        await made.query('ROLLBACK');
        await made.query('DISCARD ALL');
        assert.equal(await one(made, 'SELECT item FROM orders WHERE id < 2'), 'item 1');
        assert.notEqual(await one(made, 'SHOW extra_float_digits'), '-3');
    }
    await closed(made, other);
    // What a driver sets right after its log-in; names are decided by the new path.
    const clerk = await client('clerk');
    await clerk.query('SET search_path = app, public');
    await assert.rejects(clerk.query('SELECT item FROM orders'), (error) => error.code === '42501' && /app\.orders/.test(error.hint));
    await clerk.end();
});

// --- leaks ----------------------------------------------------------------------------------

// One server, so that the thief surely gets what the other has left; each tries to leave something
// by a function, whose body the gateway does not see.
const looks = {
    setting: "SELECT coalesce(current_setting('my.secret', true), '')",
    path: "SELECT item FROM orders WHERE id = 0",
    zone: "SELECT current_setting('timezone')",
    role: 'SELECT current_user',
    table: 'SELECT v FROM mine',
    view: 'SELECT item FROM orders WHERE id = 0',
    function: 'SELECT pg_temp.f()',
    lock: 'SELECT pg_try_advisory_xact_lock(77)',
    sequence: 'SELECT lastval()',
    listen: 'SELECT * FROM pg_listening_channels()',
    prepare: 'SELECT name FROM pg_prepared_statements',
    cursor: 'SELECT name FROM pg_cursors',
    timeout: "SELECT current_setting('statement_timeout')",
    planner: "SELECT current_setting('enable_seqscan')",
    readonly: "SELECT current_setting('default_transaction_read_only')",
};

async function look(from, text) {
    try {
        return await one(from, text);
    } catch (error) {
        return `error ${error.code}`;
    }
}

for (const database of ['small', 'calls']) {
    test(`nothing that a function leaves in ${database} is there for the next`, async () => {
        const thief = await client('all', { database }), victim = await client('all', { database });
        let attempts = 0;
        for (const [what, text] of Object.entries(looks)) {
            for (const wrapped of [false, true]) {
                const before = await look(thief, text);
                if (wrapped)
                    await victim.query('BEGIN');
                assert.equal(await one(victim, 'SELECT leak($1)', [what]), what);
                if (wrapped)
                    await victim.query('COMMIT');
                assert.equal(await look(thief, text), before, what);
                assert.equal(await look(victim, text), before, what);
                assert.ok(!`${before}`.includes('leaked') && before !== 'of app' && before !== 'other', `${what}: ${before}`);
                attempts++;
            }
        }
        assert.ok(attempts >= 25);
        await closed(thief, victim);
    });
}

test('nothing that statements, a trigger or DO leave is there for the next', async () => {
    const thief = await client('all', { database: 'small' }), victim = await client('all', { database: 'small' });
    await victim.query("INSERT INTO serials(v) VALUES ('by trigger')");
    assert.ok(!await look(thief, "SELECT current_setting('my.trigger', true)"));
    assert.equal(await look(thief, 'SELECT currval(\'serials_id_seq\')'), 'error 55000');
    assert.equal(await look(thief, 'SELECT * FROM made_by_trigger'), 'error 42P01');
    const pid = await one(victim, 'SELECT pg_backend_pid()');
    await victim.query("DO $$ BEGIN PERFORM setseed(0.5); PERFORM set_config('my.do', 'x', false); END $$");
    assert.notEqual(await one(thief, 'SELECT pg_backend_pid()'), pid);
    // The other's unnamed statement, portal and cursor are no longer there, or never were.
    await victim.query('SELECT v FROM secrets WHERE id = $1', [1]);
    for (const [query, code] of [['EXECUTE stolen', '0A000'], ['EXECUTE "writ:s1"', '0A000'], ['FETCH ALL FROM held', '34000'], ['CLOSE held', '34000'], ['DEALLOCATE stolen', '0A000']])
        await assert.rejects(thief.query(query), { code }, query);
    // A transaction that is left open ends with its client.
    await victim.query('BEGIN');
    await victim.query("SET LOCAL timezone = 'Asia/Tokyo'; CREATE TEMP TABLE own (id int) ON COMMIT DROP; INSERT INTO orders VALUES (4711, 'x')");
    victim.connection.stream.destroy();
    assert.notEqual(await one(thief, 'SHOW timezone'), 'Asia/Tokyo');
    assert.equal(await look(thief, 'SELECT id FROM orders WHERE id = 4711'), null);
    assert.equal(await look(thief, 'SELECT id FROM own'), 'error 42P01');
    await closed(thief);
});

test('names mean what they mean at the server that one gets', async () => {
    // A schema of the role's own name comes before public, in connections that begin later.
    const made = await client('clerk', { database: 'warehouse' });
    await server.must("CREATE SCHEMA writ AUTHORIZATION writ; CREATE TABLE writ.orders AS SELECT 1 AS id, 'of writ' AS item; ALTER TABLE writ.orders OWNER TO writ", 'shop');
    const holders = await Promise.all(Array.from({ length: SIZE }, () => client()));
    for (let i = 0; i < 20; i++) {
        const texts = await Promise.all([made, ...holders.slice(1)].map((at) => look(at, 'SELECT item FROM orders WHERE id = 1')));
        assert.notEqual(texts[0], 'of writ');
        if (i === 5)
            await endAll();
    }
    await assert.rejects(made.query('SELECT item FROM orders WHERE id = 1'), { code: '42501', hint: 'you need warehouse:select:writ.orders(id,item)' });
    await server.must('DROP SCHEMA writ CASCADE', 'shop');
    await closed(made, ...holders);
});

// --- the life of connections -------------------------------------------------------------------

test('a cancel reaches the server that runs this transaction, and nobody else', async () => {
    const [a, b] = await Promise.all([client(), client()]);
    const asleep = a.query('SELECT pg_sleep(10)').then(() => 'slept', (error) => error.code);
    const other = b.query('SELECT pg_sleep(1)').then(() => 'slept', (error) => error.code);
    await until('both to run', async () => await server.must("SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep%' AND usename = 'writ'") === '2');
    const send = (of) => new Promise((done) => {
        const bytes = Buffer.alloc(16);
        bytes.writeInt32BE(16, 0);
        bytes.writeInt32BE(80877102, 4);
        bytes.writeInt32BE(of.processID, 8);
        bytes.writeInt32BE(of.secretKey, 12);
        const socket = new Socket().connect(port, '127.0.0.1', () => socket.end(bytes));
        socket.once('close', done);
        socket.resume();
    });
    await send(a);
    assert.equal(await asleep, '57014');
    // Late ones: a runs nothing.
    for (let i = 0; i < 10; i++)
        await send(a);
    assert.equal(await other, 'slept');
    // A storm while the servers change hands: no statement of b's ends by it.
    let stop = false;
    const storm = (async () => {
        while (!stop) {
            const query = a.query('SELECT pg_sleep(0.005)').catch(() => {});
            await Promise.all([send(a), send(a)]);
            await query;
        }
    })();
    for (let i = 0; i < 300; i++)
        await one(b, 'SELECT id FROM orders WHERE id = 1 AND pg_sleep(0.001) IS NOT NULL');
    stop = true;
    await storm;
    await closed(a, b);
});

test('a revocation within a transaction rolls it back, and its server is closed', async () => {
    const { id, token } = await writ.issue('all');
    const doomed = await client(undefined, { password: token, database: 'small' }), other = await client('all', { database: 'small' });
    await doomed.query('BEGIN');
    await doomed.query("INSERT INTO orders VALUES (815, 'never')");
    const pid = await one(doomed, 'SELECT pg_backend_pid()');
    const next = one(other, 'SELECT pg_backend_pid()');
    await sleep(50);
    await writ.revoke(id);
    assert.notEqual(await next, pid);
    await until('the end of the session', () => doomed.broken?.code === '28000' || doomed.broken);
    assert.equal(await one(other, 'SELECT id FROM orders WHERE id = 815'), null);
    assert.equal(await server.must(`SELECT count(*) FROM pg_stat_activity WHERE pid = ${pid}`), '0');
    // One that holds no server is cut as well.
    const idle = await writ.issue('all');
    const resting = await client(undefined, { password: idle.token });
    await writ.revoke(idle.id);
    await until('the end of the idle session', () => resting.broken);
    await closed(other);
});

test('who waits is served in turn, or told so', async () => {
    const make = () => client('all', { database: 'small' });
    const holder = await make(), waiting = [await make(), await make()], late = await make();
    await holder.query('BEGIN');
    const first = waiting.map((at, i) => one(at, `SELECT ${i}`));
    await sleep(50);
    await assert.rejects(late.query('SELECT 1'), { code: '53300', message: /too many sessions wait/ });
    await assert.rejects(late.query('SELECT $1::int', [1]), { code: '53300' });
    await holder.query('COMMIT');
    assert.deepEqual(await Promise.all(first), [0, 1]);
    assert.equal(await one(late, 'SELECT 7'), 7);
    await holder.query('BEGIN');
    const began = Date.now();
    await assert.rejects(late.query('SELECT 1'), { code: '53300', message: /free in time/ });
    assert.ok(Date.now() - began >= 450);
    await assert.rejects(late.query('SELECT $1::int', [1]), { code: '53300' });
    await holder.query('COMMIT');
    assert.equal(await one(late, 'SELECT $1::int', [8]), 8);
    // One that leaves the queue leaves it in order.
    await holder.query('BEGIN');
    const leaves = one(waiting[0], 'SELECT 1').catch(() => 'left'), stays = one(waiting[1], 'SELECT 2');
    await sleep(50);
    waiting[0].connection.stream.destroy();
    await holder.query('COMMIT');
    assert.equal(await stays, 2);
    await leaves;
    await closed(holder, waiting[1], late);
});

test('COPY, cursors, batches, a mix of both protocols', async () => {
    const copied = await ask('all', "COPY orders FROM STDIN WITH (FORMAT csv);\n900,a\n901,b\n\\.\nSELECT count(*) FROM orders WHERE id >= 900;\nCOPY (SELECT id FROM orders WHERE id >= 900 ORDER BY id) TO STDOUT;\nCOPY orders FROM STDIN;\nx\n\\.\nSELECT 5;");
    assert.match(copied.out, /COPY 2\n2\n900\n901\n5\n/);
    const made = await client();
    await made.query('BEGIN');
    await made.query('DECLARE c CURSOR FOR SELECT id FROM orders ORDER BY id');
    assert.equal((await made.query('FETCH 3 FROM c')).rows.length, 3);
    await made.query('COMMIT');
    await assert.rejects(made.query('FETCH 3 FROM c'), { code: '34000' });
    const many = await Promise.all(Array.from({ length: 300 }, (_, i) => (i % 3 === 0 ? one(made, `SELECT ${i}`) : one(made, 'SELECT $1::int', [i]))));
    assert.deepEqual(many, Array.from({ length: 300 }, (_, i) => i));
    await assert.rejects(made.query('SELECT 1/0'), { code: '22012' });
    await assert.rejects(made.query('SELECT 1/$1::int', [0]), { code: '22012' });
    assert.equal(await one(made, 'SELECT 6'), 6);
    await server.must('DELETE FROM orders WHERE id >= 900', 'shop');
    await made.end();
});

// --- prepared statements ---------------------------------------------------------------------

// Messages as bytes, for what no driver would send.
class Raw {
    static async connect(database, role) {
        const raw = new Raw();
        raw.socket = new Socket();
        raw.bytes = Buffer.alloc(0);
        raw.messages = [];
        raw.socket.on('data', (bytes) => raw.take(bytes));
        await new Promise((done) => raw.socket.connect(port, '127.0.0.1', done));
        const pairs = Buffer.from(`user\0raw\0database\0${database}\0\0`);
        const head = Buffer.alloc(8);
        head.writeInt32BE(8 + pairs.length, 0);
        head.writeInt32BE(196608, 4);
        raw.socket.write(Buffer.concat([head, pairs]));
        await until('the request for the password', () => raw.messages.length > 0, { every: 2 });
        raw.send('p', `${tokens[role]}\0`);
        await raw.ready(1);
        return raw;
    }

    take(bytes) {
        this.bytes = Buffer.concat([this.bytes, bytes]);
        while (this.bytes.length >= 5 && this.bytes.length >= 1 + this.bytes.readInt32BE(1)) {
            const size = 1 + this.bytes.readInt32BE(1);
            this.messages.push({ type: String.fromCharCode(this.bytes[0]), body: this.bytes.subarray(5, size) });
            this.bytes = this.bytes.subarray(size);
        }
    }

    message(type, body) {
        const head = Buffer.alloc(5);
        head.write(type, 0, 'latin1');
        head.writeInt32BE(4 + Buffer.byteLength(body, 'latin1'), 1);
        return Buffer.concat([head, Buffer.from(body, 'latin1')]);
    }

    send(...pairs) {
        const all = [];
        for (let i = 0; i < pairs.length; i += 2)
            all.push(this.message(pairs[i], pairs[i + 1]));
        this.socket.write(Buffer.concat(all));
    }

    // What came until the server was ready that often: types, and texts of rows and errors.
    async ready(times) {
        await until('ReadyForQuery', () => this.messages.filter(({ type }) => type === 'Z').length >= times, { every: 1 });
        const all = this.messages;
        this.messages = [];
        return {
            types: all.map(({ type }) => type).join(''),
            texts: all.filter(({ type }) => type === 'D').map(({ body }) => body.subarray(6).toString()),
            codes: all.filter(({ type }) => type === 'E').map(({ body }) => /\0C([0-9A-Z]{5})\0/.exec(body.toString())[1]),
        };
    }
}

const parse = (name, text) => `${name}\0${text}\0\0\0`;
const bind = (portal, name) => `${portal}\0${name}\0\0\0\0\0\0\0`;
const execute = (portal) => `${portal}\0\0\0\0\0`;
const steps = (name, text) => ['P', parse(name, text), 'B', bind('', name), 'E', execute('')];

test('prepared statements follow their client from server to server', async () => {
    const clients = await Promise.all(Array.from({ length: 12 }, () => client('clerk')));
    const query = (i) => ({ name: 'by-id', text: 'SELECT item FROM orders WHERE id = $1', values: [i] });
    for (let round = 0; round < 5; round++) {
        const rows = await Promise.all(clients.map((at, i) => one(at, query(i + 1))));
        assert.deepEqual(rows, clients.map((_, i) => `item ${i + 1}`));
        const other = await Promise.all(clients.map((at, i) => one(at, { name: `own-${i}`, text: `SELECT ${i} + $1::int`, values: [round] })));
        assert.deepEqual(other, clients.map((_, i) => i + round));
    }
    // After an error, a change of the table under the plan, and the end of all servers.
    await assert.rejects(clients[0].query({ name: 'bad', text: 'SELECT 1 / $1::int', values: [0] }), { code: '22012' });
    assert.equal(await one(clients[0], { name: 'bad', text: 'SELECT 1 / $1::int', values: [1] }), 1);
    await assert.rejects(clients[0].query({ name: 'refused', text: 'SELECT v FROM secrets WHERE id = $1', values: [1] }), { code: '42501' });
    await server.must('CREATE TABLE grows AS SELECT 1 AS id', 'shop');
    await server.must('GRANT ALL ON grows TO writ', 'shop');
    const all = await client();
    const grown = { name: 'grown', text: 'SELECT * FROM grows' };
    assert.equal((await all.query(grown)).rows.length, 1);
    await server.must('ALTER TABLE grows ADD COLUMN more int', 'shop');
    await all.query(grown).catch(() => {});
    assert.deepEqual(Object.keys((await all.query(grown)).rows[0]), ['id', 'more']);
    await endAll();
    assert.deepEqual(await Promise.all(clients.map((at) => one(at, query(3)))), clients.map(() => 'item 3'));
    await all.query('DEALLOCATE ALL');
    await closed(all, ...clients);
});

test('prepared statements as the protocol has them', async () => {
    const raw = await Raw.connect('small', 'all'), other = await Raw.connect('small', 'all');
    // Parse in one transaction, the rest in later ones; another session in between.
    for (const name of ['', 'a']) {
        raw.send('P', parse(name, "SELECT 'mine'"), 'D', `S${name}\0`, 'S', '');
        assert.equal((await raw.ready(1)).types, '1tTZ');
        other.send(...steps('', "SELECT 'other'"), ...steps('a', "SELECT 'another'"), 'C', 'Sa\0', 'S', '');
        assert.deepEqual((await other.ready(1)).texts, ['other', 'another']);
        raw.send('B', bind('', name), 'D', 'P\0', 'E', execute(''), 'S', '');
        const { types, texts } = await raw.ready(1);
        assert.equal(types, '2TDCZ');
        assert.deepEqual(texts, ['mine']);
    }
    raw.send('P', parse('a', 'SELECT 1'), 'S', '');
    assert.deepEqual((await raw.ready(1)).codes, ['42P05']);
    raw.send('C', 'Sa\0', ...steps('a', "SELECT 'new'"), 'C', 'Sa\0', 'S', '');
    const again = await raw.ready(1);
    assert.equal(again.types, '312DC3Z');
    assert.deepEqual(again.texts, ['new']);
    raw.send('B', bind('', 'a'), 'S', '', 'D', 'Sa\0', 'S', '', 'C', 'Sa\0', 'S', '');
    const gone = await raw.ready(3);
    assert.deepEqual(gone.codes, ['26000', '26000']);
    assert.equal(gone.types, 'EZEZ3Z');
    // A batch that fails takes back what it named, and no more.
    raw.send(...steps('k', "SELECT 'kept'"), 'S', '');
    await raw.ready(1);
    raw.send(...steps('x', 'SELECT 1 / 0'), 'C', 'Sk\0', 'P', parse('y', 'SELECT 1'), 'S', '');
    assert.deepEqual((await raw.ready(1)).codes, ['22012']);
    raw.send('B', bind('', 'k'), 'E', execute(''), 'S', '');
    assert.deepEqual((await raw.ready(1)).texts, ['kept']);
    raw.send('B', bind('', 'y'), 'S', '');
    assert.deepEqual((await raw.ready(1)).codes, ['26000']);
    // In a failed transaction, and after DEALLOCATE ALL.
    raw.send('Q', 'BEGIN\0', 'Q', 'SELECT 1 / 0\0');
    assert.deepEqual((await raw.ready(2)).codes, ['22012']);
    raw.send('P', parse('z', "SELECT 'kept'"), 'S', '', 'Q', 'ROLLBACK\0');
    assert.deepEqual((await raw.ready(2)).codes, ['25P02']);
    raw.send(...steps('z', "SELECT 'kept'"), 'S', '', 'Q', 'DEALLOCATE ALL\0', ...steps('z2', "SELECT 'kept'"), 'S', '');
    assert.deepEqual((await raw.ready(3)).texts, ['kept', 'kept']);
    raw.socket.destroy();
    other.socket.destroy();
});

test('nobody runs or sees what another has prepared', async () => {
    const victim = await Raw.connect('small', 'all'), thief = await Raw.connect('small', 'clerk');
    await server.must("INSERT INTO secrets VALUES (1, 'top')", 'shop');
    const secret = 'SELECT v FROM secrets';
    let attempts = 0;
    const attempt = async (times, ...messages) => {
        for (const name of ['', 'p']) {
            victim.send(...steps(name, secret), 'C', `S${name === '' ? 'none' : name}\0`, 'S', '');
            assert.deepEqual((await victim.ready(1)).texts, ['top']);
        }
        victim.send(...steps('', secret), 'S', '');
        await victim.ready(1);
        thief.send(...messages);
        const got = await thief.ready(times);
        attempts++;
        assert.ok(!JSON.stringify(got).includes('top'), JSON.stringify(got));
        return got;
    };
    // An error at the server, before a Parse that it therefore skips, and a Bind behind it.
    const use = ['B', bind('', ''), 'E', execute(''), 'S', ''];
    const fails = ['D', 'Pnone\0'];
    for (const name of ['', 'p', 'q']) {
        const again = ['B', bind('', name), 'E', execute(''), 'S', ''];
        const own = parse(name, 'SELECT 1');
        await attempt(2, ...fails, 'P', own, 'S', '', ...again);
        thief.send('C', `S${name}\0`, 'S', '');
        await thief.ready(1);
        await attempt(3, 'P', own, 'S', '', ...fails, 'P', own, 'S', '', ...again);
        thief.send('C', `S${name}\0`, 'S', '');
        await thief.ready(1);
        await attempt(3, ...fails, 'C', `S${name}\0`, 'P', own, 'S', '', ...fails, 'P', own, 'S', '', ...again);
        thief.send('C', `S${name}\0`, 'S', '');
        await thief.ready(1);
    }
    assert.equal((await attempt(1, ...use)).codes[0], '26000');
    assert.equal((await attempt(1, 'D', 'S\0', 'S', '')).codes[0], '26000');
    for (const name of ['p', 'writ:s1', 'writ:s2', 'writ:s3', 'writ:limit', 'writ:refused']) {
        assert.equal((await attempt(1, 'B', bind('', name), 'E', execute(''), 'S', '')).codes[0], '26000');
        assert.equal((await attempt(1, 'D', `S${name}\0`, 'S', '')).codes[0], '26000');
        assert.equal((await attempt(1, 'Q', `EXECUTE "${name}"\0`)).codes[0], '0A000');
        // Under the very name that the server may have another's statement by.
        const got = await attempt(2, ...steps(name, 'SELECT 1'), 'S', '', 'Q', `EXPLAIN ANALYZE EXECUTE "${name}"\0`);
        assert.deepEqual([got.texts, got.codes], [['1'], ['0A000']]);
        thief.send('C', `S${name}\0`, 'S', '');
        await thief.ready(1);
    }
    assert.equal((await attempt(1, 'E', execute(''), 'S', '')).codes[0], '34000');
    await attempt(1, 'D', 'P\0', 'S', '');
    await attempt(2, 'Q', 'SELECT 1\0', ...use);
    assert.ok(attempts >= 25, `${attempts}`);
    victim.socket.destroy();
    thief.socket.destroy();
});

test('pgbench and psycopg2 through the pool', async (t) => {
    const script = join(writ.place, 'bench.sql');
    writeFileSync(script, '\\set id random(1, 100)\nBEGIN;\nSELECT item FROM orders WHERE id = :id;\nUPDATE orders SET item = item WHERE id = :id;\nEND;\n');
    const bench = (mode) => run('pgbench', ['-n', '-M', mode, '-c', '16', '-j', mode === 'prepared' ? '16' : '1', '-t', '40', '-f', script, '-h', '127.0.0.1', '-p', String(port), '-U', 'x', 'warehouse'],
        { env: { ...clean, PGPASSWORD: tokens.clerk } });
    for (const mode of ['simple', 'extended', 'prepared']) {
        const { code, out, err } = await bench(mode);
        assert.equal(code, 0, err);
        assert.match(out, /number of transactions actually processed: 640\/640/);
    }
    assert.ok(await backends() <= SIZE + 2);
    const python = `
import psycopg2, sys
made = psycopg2.connect(host='127.0.0.1', port=${port}, user='x', password=sys.argv[1], dbname='warehouse')
with made, made.cursor() as at:
    at.execute('SELECT item FROM orders WHERE id = %s', (3,))
    print(at.fetchone()[0])
try:
    with made, made.cursor() as at:
        at.execute('SELECT * FROM secrets')
except psycopg2.errors.InsufficientPrivilege as error:
    print(error.diag.message_hint)
with made, made.cursor() as at:
    at.execute('SELECT 9')
    print(at.fetchone()[0])
made.close()`;
    const { out, err } = await run('python3', ['-c', python, tokens.clerk], { env: clean });
    if (/ModuleNotFoundError/.test(err))
        return t.skip('psycopg2 is not installed');
    assert.equal(out, 'item 3\nyou need warehouse:select:public.secrets\n9\n', err);
});

test('the server restarts: sessions live on', async () => {
    const made = await Promise.all(Array.from({ length: 8 }, () => client()));
    await Promise.all(made.map((at) => one(at, 'SELECT 1')));
    await server.process.stop('SIGINT');
    await until('the connections to be seen as gone', async () => (await look(made[0], 'SELECT 1')) === 'error 08006');
    await server.launch();
    await until('all to be served', async () => (await Promise.all(made.map((at) => look(at, 'SELECT 3')))).every((at) => at === 3));
    const { items } = await writ.json(['audit', 'search', '--subject', 'all', '--decision', 'deny', '--limit', '200']);
    assert.ok(items.some((line) => line.status === 502));
    await closed(...made);
});

test('a new definition takes over, and the old connections are closed', async () => {
    const made = await client();
    await one(made, 'SELECT 1');
    const definition = (size) => ({ type: 'postgres', address: `127.0.0.1:${server.port}`, database: 'shop',
        login: { user: 'writ', password_file: 'secrets/warehouse' }, pool: { mode: 'transaction', size } });
    assert.equal((await writ.api('PUT', '/v1/upstreams/other', definition(2))).status, 201);
    const other = await client('all', { database: 'other' }).catch((error) => error);
    assert.equal(other.code, '42501'); // no right for it
    for (const pool of [{ mode: 'none' }, { mode: 'transaction', size: 0 }, { mode: 'transaction', wait: 'x' }, { mode: 'transaction', more: 1 }, 7])
        assert.equal((await writ.api('PUT', '/v1/upstreams/bad', { ...definition(1), pool })).status, 400);
    await until('the connections to be closed', async () => await backends() <= SIZE + 2);
    await closed(made);
});

// --- many -----------------------------------------------------------------------------------

const resident = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${writ.process.child.pid}/status`, 'ascii'))[1]);

test('thousands of sessions over few servers, in bounded memory', { timeout: 300000 }, async () => {
    const count = process.env.WRIT_SOAK ? 2000 : 200, rounds = process.env.WRIT_SOAK ? 10 : 3;
    const first = await client();
    await one(first, 'SELECT 1');
    const before = resident(), clients = [];
    while (clients.length < count)
        clients.push(...await Promise.all(Array.from({ length: 50 }, () => client())));
    const idle = (resident() - before) / count;
    for (let round = 0; round < rounds; round++) {
        const rows = await Promise.all(clients.map((at, i) => one(at, { name: 'own', text: 'SELECT $1::int + 1', values: [i] }).catch((error) => error.code)));
        // Who finds the queue full is told so; nobody gets another's answer.
        rows.forEach((row, i) => assert.ok(row === i + 1 || row === '53300', `${row} of ${i}`));
        assert.ok(rows.filter((row) => row !== '53300').length >= Math.min(count, 1000));
        assert.ok(await backends() <= SIZE + 2);
    }
    const after = resident();
    console.log(`# ${count} sessions: ${idle.toFixed(1)} KiB each at rest, ${((after - before) / count).toFixed(1)} KiB each after work`);
    assert.ok((after - before) / count < 64, `${after - before} KiB for ${count}`);
    await closed(...clients);
    assert.equal(await one(first, 'SELECT 7'), 7);
    await first.end();
});
