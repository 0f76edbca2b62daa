// test/e2e/fleet.test.mjs - three nodes on one PostgreSQL: what one changes holds on all, a
// revocation is answered when no node can act without it, and who loses contact lets nothing
// through.
import assert from 'node:assert/strict';
import http from 'node:http';
import { spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { Postgres } from './lib/postgres.mjs';
import { sleep, until } from './lib/process.mjs';
import { Orders } from './lib/upstream.mjs';
import { bearer, policy, Writ } from './lib/writ.mjs';

const STALENESS = 2000;
const PATH = '/orders/v1/orders/42';
let server, orders, a, b, c;

const start = (name, files = {}) => Writ.start({
    name,
    policy: policy(orders.port),
    files,
    config: {
        node: name,
        store: { type: 'postgres', url: `postgresql://postgres@127.0.0.1:${server.port}/postgres` },
        fleet: { staleness: `${STALENESS}ms` },
    },
});

before(async () => {
    server = await Postgres.start();
    orders = await Orders.start();
    a = await start('node-a');
    const key = { 'data/key': readFileSync(join(a.data, 'key')) };
    [b, c] = await Promise.all([start('node-b', key), start('node-c', key)]);
});

after(async () => {
    for (const node of [c, b, a])
        await node?.close();
    await orders?.close();
    await server?.close();
});

const status = async (node, token) => (await node.get(PATH, token, { agent: false })).status;
const everywhere = (token) => Promise.all([a, b, c].map((node) => status(node, token)));

// An event stream that is open: {closed: time or 0}.
function openStream(node, token) {
    return new Promise((done, fail) => {
        const stream = { closed: 0 };
        stream.call = http.get({ host: '127.0.0.1', port: node.port, path: '/orders/v1/events',
            headers: bearer(token), agent: false }, (answer) => {
            answer.on('error', () => {});
            answer.on('close', () => { stream.closed = performance.now(); });
            answer.once('data', () => done(stream));
        });
        stream.call.on('error', fail);
    });
}

test('a token of one node holds on all, and so does its end', async () => {
    const { id, token } = await a.issue('tester');
    await until('it holds everywhere', async () => (await everywhere(token)).every((one) => one === 200));
    const stream = await openStream(c, token);

    const answer = await b.json(['token', 'revoke', id, '--wait']);
    const answered = performance.now();
    assert.deepEqual(answer.nodes.map(({ node, state }) => [node, state]).sort(),
        [['node-a', 'applied'], ['node-b', 'applied'], ['node-c', 'applied']]);
    assert.deepEqual(await everywhere(token), [401, 401, 401]);
    await until('the cut', () => stream.closed > 0, { within: 1000, every: 1 });
    assert.ok(stream.closed - answered < 100, `cut ${stream.closed - answered} ms after the answer`);
    /* Asked again, it is confirmed again. */
    assert.equal((await b.json(['token', 'revoke', id, '--wait'])).nodes.length, 3);
});

test('a token can be revoked at any node as soon as it is issued', async () => {
    for (let i = 0; i < 10; i++) {
        const { body } = await a.api('POST', '/v1/tokens', { subject: 'tester' });
        assert.equal((await b.api('DELETE', `/v1/tokens/${JSON.parse(body).id}`)).status, 200);
    }
    assert.equal((await b.api('DELETE', `/v1/tokens/${'A'.repeat(22)}`)).status, 404);
});

test('how long revocations take to hold is measured, on the node and in the fleet', async () => {
    const count = async (node, scope) => Number((await node.api('GET', '/metrics')).body.match(
        new RegExp(`^writ_revocation_enforced_seconds_count{scope="${scope}"} (\\d+)$`, 'm'))[1]);
    const before = [await count(a, 'node'), await count(a, 'fleet'), await count(c, 'fleet')];
    const { id } = await a.issue('tester');
    await a.json(['token', 'revoke', id]); // nobody waits for the fleet
    await a.json(['token', 'revoke', id]); // it is revoked already
    await until('the fleet', async () => await count(a, 'fleet') > before[1]);
    assert.deepEqual([await count(a, 'node'), await count(a, 'fleet'), await count(c, 'fleet')],
        [before[0] + 1, before[1] + 1, before[2]]);
});

test('writ bench fleet measures, and counts what is let through after the answer', async () => {
    await a.api('PUT', '/v1/roles/bench', { allow: ['writ:tokens.issue:tester', 'writ:tokens.revoke:*', 'orders:*:/**'] });
    await a.api('PUT', '/v1/subjects/bench?wait=fleet', { type: 'service', roles: ['bench'] });
    const WRIT_TOKEN = (await a.issue('bench')).token;
    const nodes = [a, b, c].flatMap((node) => ['--node', `http://127.0.0.1:${node.apiPort}`]);
    const doors = [a, b, c].flatMap((node) => ['--gateway', `http://127.0.0.1:${node.port}`]);
    const bench = (more, env = { ...process.env, WRIT_TOKEN }) => a.cli(['bench', 'fleet', '--subject', 'tester', '--count', '7',
        '-o', 'json', ...nodes, ...more], { env });

    const found = await bench([...doors, '--path', PATH]);
    assert.equal(found.code, 0, found.err);
    const { p50_ms: p50, max_ms: max, ...rest } = JSON.parse(found.out);
    assert.ok(p50 > 0 && p50 <= max);
    assert.deepEqual([rest.nodes, rest.revocations, rest.let_through], [3, 7, 0]);
    /* Something that asks for no token lets everything through: that is no success. */
    const open = await bench(['--gateway', `http://127.0.0.1:${orders.port}`, '--path', '/v1/orders/42']);
    assert.equal(open.code, 1);
    assert.equal(JSON.parse(open.out).let_through, 7, open.out + open.err);
    const refused = await bench([], { ...process.env, WRIT_TOKEN: (await a.issue('tester')).token });
    assert.equal(refused.code, 1);
    assert.match(refused.err, /writ:tokens\.issue:tester/);
    assert.equal((await bench(doors)).code, 2, 'gateways without a path');
    assert.equal((await bench([], { ...process.env, WRIT_TOKEN: '' })).code, 2);
});

test('a revocation waits for a lane that is held up, over any number of beats', async (t) => {
    // strace lets a thread's waits for events end late, as a lane that computes would.
    if (spawnSync('strace', ['--version']).error !== undefined)
        return t.skip('needs strace');
    const HELD = 1500; // three beats, less than a lease
    const { id } = await a.issue('tester');
    const pid = b.process.child.pid;
    const lane = readdirSync(`/proc/${pid}/task`).find((task) =>
        readFileSync(`/proc/${pid}/task/${task}/comm`, 'utf8') === 'writ-lane-0\n');
    const holder = spawn('strace', ['-qq', '-p', lane, '-o', '/dev/null', '-e',
        `inject=io_uring_enter,epoll_wait,epoll_pwait:delay_exit=${HELD * 1000}`], { stdio: 'ignore' });
    try {
        await until('the lane is held', () =>
            !/^TracerPid:\t0$/m.test(readFileSync(`/proc/${pid}/task/${lane}/status`, 'utf8')));
        const began = performance.now();
        const answer = await a.json(['token', 'revoke', id, '--wait']);
        const took = performance.now() - began;
        assert.equal(answer.nodes.find((one) => one.node === 'node-b').state, 'applied');
        assert.ok(took >= HELD - 600, `confirmed after ${took} ms, before the lane enforced it`);
    } finally {
        holder.kill('SIGINT');
        await new Promise((done) => { holder.on('exit', done); });
    }
});

test('a node that stops is waited for as long as it finishes what is open', async () => {
    const { id, token } = await a.issue('tester');
    await until('it holds everywhere', async () => (await everywhere(token)).every((one) => one === 200));
    const stream = await openStream(c, token);
    c.process.child.kill('SIGTERM');
    await until('it opens nothing more', async () => await status(c, token).catch(() => 0) === 0);
    assert.equal(stream.closed, 0, 'what is open may end');
    await a.json(['token', 'revoke', id, '--wait']);
    const answered = performance.now();
    await sleep(200);
    assert.ok(stream.closed > 0 && stream.closed - answered < 100,
        `the stream was ${stream.closed === 0 ? 'open' : 'cut too late'} when the revocation was confirmed`);
    await until('its end', () => c.process.child.exitCode !== null, { within: 12000 });
    assert.equal(c.process.child.exitCode, 0, c.process.output);
    await c.launch();
});

test('what all nodes write at once is all there', async () => {
    const issued = (await Promise.all([a, b, c].map((node) =>
        Promise.all(Array.from({ length: 20 }, () => node.issue('tester')))))).flat();
    assert.equal(new Set(issued.map((one) => one.id)).size, 60);
    for (const { token } of issued.filter((_, i) => i % 7 === 0))
        await until('it holds everywhere', async () => (await everywhere(token)).every((one) => one === 200));
});

test('a role that is narrowed on one node is narrow on all', async () => {
    await a.api('PUT', '/v1/subjects/guest?wait=fleet', { type: 'user', roles: ['everything'] });
    const { token } = await b.issue('guest');
    await until('it holds everywhere', async () => (await everywhere(token)).every((one) => one === 200));
    await c.api('PUT', '/v1/subjects/guest?wait=fleet', { type: 'user', roles: [] });
    assert.deepEqual(await everywhere(token), [403, 403, 403]);
});

test('a one-time token is taken once, on whichever node', async () => {
    for (let round = 0; round < 10; round++) {
        const { token } = await [a, b, c][round % 3].issue('tester', '--max-uses', '1');
        await until('all know it', async () => (await Promise.all([a, b, c].map((node) =>
            node.cli(['can', token, 'orders:GET:/v1/orders/42'])))).every((one) => one.code === 0));
        /* Others are issued meanwhile: what waits to be written with them overtakes nothing. */
        const beside = Promise.all([a, b, c].flatMap((node) => Array.from({ length: 20 }, () =>
            node.api('POST', '/v1/tokens', { subject: 'tester' }))));
        const statuses = (await Promise.all([0, 1].map(() => everywhere(token)))).flat();
        assert.equal(statuses.filter((one) => one === 200).length, 1, `${statuses}`);
        assert.ok((await beside).every((one) => one.status === 201));
    }
});

test('a key of the ring that one node rotates makes tokens that hold on all', async () => {
    const old = await b.issue('tester');
    assert.equal((await a.cli(['keys', 'rotate'])).code, 0);
    const { token } = await a.issue('tester');
    for (const one of [token, old.token])
        await until('it holds everywhere', async () => (await everywhere(one)).every((each) => each === 200));
    assert.ok((await c.issue('tester')).token);
});

test('a tool of an MCP server that is approved on one node is approved on all', async () => {
    const tools = http.createServer((req, res) => {
        let text = '';
        req.on('data', (bytes) => { text += bytes; }).on('end', () => {
            const { id, method } = JSON.parse(text);
            res.writeHead(200, { 'content-type': 'application/json' });
            res.end(JSON.stringify({ jsonrpc: '2.0', id, result: method === 'tools/list' ? { tools: [{ name: 'add' }] } : { content: [] } }));
        });
    });
    await new Promise((done) => tools.listen(0, '127.0.0.1', done));
    const ask = async (node, token, method, params = {}) => (await node.ask('POST', '/srv', token, {
        headers: { 'content-type': 'application/json' }, body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }) })).json;
    try {
        writeFileSync(join(a.place, 'tools.yaml'), JSON.stringify({
            upstreams: { srv: { type: 'mcp', url: `http://127.0.0.1:${tools.address().port}/`, tools: 'pinned' } },
            roles: { agent: { allow: ['srv:*:**'] } }, subjects: { agent: { type: 'agent', roles: ['agent'] } },
        }));
        await a.json(['apply', '-f', 'tools.yaml']);
        const { token } = await a.issue('agent');
        await until('it is known', async () => (await ask(c, token, 'tools/list')).result?.tools.length === 0);
        assert.match((await ask(c, token, 'tools/call', { name: 'add' })).error.message, /never approved/);
        await until('it was seen', async () => {
            await ask(b, token, 'tools/list'); /* this node may not know of the server yet */
            return (await b.api('GET', '/v1/mcp/srv/tools')).json.items?.length === 1;
        });
        assert.deepEqual(await b.json(['mcp', 'approve', 'srv', 'add']), { approved: ['add'] });
        for (const node of [a, b, c])
            await until('it is approved', async () => (await ask(node, token, 'tools/call', { name: 'add' })).result);
        assert.deepEqual((await a.json(['mcp', 'tools', 'srv'])).items.map((one) => [one.name, one.state]), [['add', 'approved']]);
        await c.json(['mcp', 'withdraw', 'srv', 'add']);
        for (const node of [a, b, c])
            await until('it is withdrawn', async () => (await ask(node, token, 'tools/call', { name: 'add' })).error);
    } finally {
        tools.close();
        tools.closeAllConnections();
    }
});

test('a node that stands still is fenced, and lets nothing through when it goes on', async () => {
    const { id, token } = await a.issue('tester');
    await until('it holds everywhere', async () => (await everywhere(token)).every((one) => one === 200));
    const stream = await openStream(c, token);
    c.process.child.kill('SIGSTOP');
    const began = performance.now();
    const answer = await a.json(['token', 'revoke', id, '--wait']);
    const took = performance.now() - began;
    assert.equal(answer.nodes.find((one) => one.node === 'node-c').state, 'fenced');
    assert.ok(took >= STALENESS, `fenced after ${took} ms, before its lease was over`);
    c.process.child.kill('SIGCONT');
    assert.notEqual(await status(c, token), 200);
    await until('the cut', () => stream.closed > 0, { within: 3000 });

    const other = await b.issue('tester');
    await until('it takes part again', async () => await status(c, other.token) === 200);
    const next = await b.json(['token', 'revoke', other.id, '--wait']);
    assert.equal(next.nodes.find((one) => one.node === 'node-c').state, 'applied');
});

// The database's processes that serve this node: they stand in the list of processes with the
// port of the node's own side.
function backendsOf(node) {
    const pid = node.process.child.pid;
    const inodes = new Set(readdirSync(`/proc/${pid}/fd`).map((fd) => {
        try { return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1]; } catch { return undefined; }
    }));
    const ports = readFileSync('/proc/net/tcp', 'utf8').split('\n').map((line) => line.trim().split(/\s+/))
        .filter((row) => row.length > 9 && /^\d+$/.test(row[9]) && row[9] !== '0' && inodes.has(row[9])).map((row) => parseInt(row[1].split(':')[1], 16));
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).filter((name) => {
        try { return ports.some((port) => readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(`127.0.0.1(${port})`)); } catch { return false; }
    }).map(Number);
}

test('a node whose database hangs relays nothing once it is fenced, not what is open either', async () => {
    for (let round = 0; round < 3; round++) {
        const { id, token } = await a.issue('tester');
        await until('it holds everywhere', async () => (await everywhere(token)).every((one) => one === 200));
        const before = orders.seen.length;
        const upload = http.request({ host: '127.0.0.1', port: c.port, path: '/orders/v1/orders', method: 'POST', agent: false, headers: bearer(token) });
        const cut = { at: 0 };
        upload.on('error', () => { cut.at = cut.at || performance.now(); }).on('response', (answer) => answer.resume()).on('close', () => { cut.at = cut.at || performance.now(); });
        const pump = setInterval(() => upload.write('x'.repeat(64)), 2);
        await until('the upload', () => orders.seen.length > before);
        const stopped = backendsOf(c);
        assert.ok(stopped.length > 0, 'the node has no connection to the database');
        stopped.forEach((pid) => process.kill(pid, 'SIGSTOP'));
        try {
            const answer = await a.json(['token', 'revoke', id, '--wait']);
            const confirmed = performance.now();
            assert.equal(answer.nodes.find((one) => one.node === 'node-c').state, 'fenced');
            assert.ok(cut.at > 0 && cut.at < confirmed, `cut ${cut.at - confirmed} ms after the confirmation`);
        } finally {
            stopped.forEach((pid) => process.kill(pid, 'SIGCONT'));
            clearInterval(pump);
            upload.destroy();
        }
        await until('it takes part again', async () => {
            const other = await a.issue('tester');
            return await status(c, other.token) === 200;
        }, { within: 20000 });
    }
});

test('a node that is killed is fenced once, and not waited for again', async () => {
    const [first, second] = [await a.issue('tester'), await a.issue('tester')];
    await c.stop('SIGKILL');
    const answer = await a.json(['token', 'revoke', first.id, '--wait']);
    assert.equal(answer.nodes.find((one) => one.node === 'node-c').state, 'fenced');
    const began = performance.now();
    await a.json(['token', 'revoke', second.id, '--wait']);
    assert.ok(performance.now() - began < 1000);
    await c.launch();
    const third = await c.issue('tester');
    await until('it holds everywhere', async () => (await everywhere(third.token)).every((one) => one === 200));
});

test('without the database nothing is let through any more, and what is open is cut', async () => {
    const { token } = await a.issue('tester');
    await until('it holds everywhere', async () => (await everywhere(token)).every((one) => one === 200));
    const stream = await openStream(b, token);
    await server.process.stop('SIGINT');
    const stopped = performance.now();
    await until('the refusals', async () => (await everywhere(token)).every((one) => one === 503),
        { within: STALENESS + 5000 });
    await until('the cut', () => stream.closed > 0, { within: 3000 });
    assert.ok(performance.now() - stopped < STALENESS + 4000);
    assert.equal((await a.api('GET', '/readyz')).status, 503);
    await server.launch();
    await until('it holds again', async () => (await everywhere(token)).every((one) => one === 200), { within: 20000 });
    await sleep(100);
    const { id } = await a.issue('tester');
    assert.equal((await a.json(['token', 'revoke', id, '--wait'])).nodes.length >= 3, true);
});

test('what is wrong with a store is told', async () => {
    const place = await Writ.start({ name: 'lonely', policy: policy(orders.port) });
    place.configure({ store: { type: 'postgres' } });
    await place.stop();
    const { code, err } = await place.cli(['serve', '--config', place.configPath]);
    assert.notEqual(code, 0);
    assert.match(err, /store\.url/);
    place.configure({ store: { type: 'postgres', url: `postgresql://postgres@127.0.0.1:${server.port}/postgres` } });
    const wrong = await place.cli(['serve', '--config', place.configPath]);
    assert.notEqual(wrong.code, 0);
    assert.match(wrong.err, /data\/key|does not open/);
    await place.close();
});
