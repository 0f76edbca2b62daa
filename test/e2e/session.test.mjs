// test/e2e/session.test.mjs - what is open at the doors: listed, shown, and ended by who may.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { freePort, SLACK, until } from './lib/process.mjs';
import { Raw, RedisServer } from './lib/redis.mjs';
import { Orders } from './lib/upstream.mjs';
import { connectWebSocket } from './lib/websocket.mjs';
import { bearer, policy, Writ } from './lib/writ.mjs';

let orders, server, writ, port;

before(async () => {
    orders = await Orders.start();
    server = await RedisServer.start();
    port = await freePort();
    const http = await freePort();
    const rules = policy(orders.port);
    rules.upstreams.cache = { type: 'redis', address: `127.0.0.1:${server.port}`, login: { password_file: 'password' } };
    rules.roles.cacher = { allow: ['cache:*:*'] };
    rules.roles.watcher = { allow: ['writ:sessions.read:*'] };
    rules.roles.guard = { allow: ['writ:sessions.read|sessions.kill:*'] };
    rules.subjects.worker = { type: 'service', roles: ['cacher'] };
    rules.subjects.looker = { type: 'user', roles: ['watcher'] };
    rules.subjects.warden = { type: 'user', roles: ['guard'] };
    writ = await Writ.start({
        name: 'session', policy: rules, files: { password: 'hunter2\n' },
        config: { gateway: { http: { listen: `127.0.0.1:${http}` }, redis: { listen: `127.0.0.1:${port}` } } },
    });
    writ.port = http;
});

after(async () => {
    await writ?.close();
    await server?.close();
    await orders?.close();
});

async function socketOf(token) {
    const { status, peer } = await connectWebSocket(writ.port, '/orders/v1/ws', bearer(token));
    assert.equal(status, 101);
    return peer;
}

async function redisOf(token) {
    const raw = await Raw.open(port);
    raw.send(['AUTH', 'cache', token], ['PING']);
    await raw.expect('+OK\r\n+PONG\r\n');
    return raw;
}

const list = async (...args) => (await writ.json(['session', 'list', ...args])).items;

test('all doors\' sessions are listed, with who and where', async () => {
    const tester = await writ.issue('tester'), worker = await writ.issue('worker');
    const socket = await socketOf(tester.token), raw = await redisOf(worker.token);
    const items = await list();
    assert.deepEqual(items.map((item) => [item.subject, item.upstream, item.door]).sort(),
        [['tester', 'orders', 'http-upgrade'], ['worker', 'cache', 'redis']]);
    assert.deepEqual((await list('--subject', 'worker')).map((item) => item.token), [worker.id]);
    assert.deepEqual((await list('--upstream', 'orders')).map((item) => item.token), [tester.id]);
    assert.deepEqual(await list('--subject', 'amara'), []);
    const [one] = await list('--subject', 'tester');
    assert.equal(one.peer, '127.0.0.1');
    assert.ok(Date.now() - Date.parse(one.opened_at) < 30000);
    assert.equal((await writ.json(['session', 'show', one.id])).token, tester.id);
    assert.match((await writ.cli(['session', 'list'])).out, /tester +orders +GET +\/v1\/ws +127\.0\.0\.1/);
    socket.socket.destroy();
    raw.close();
    await until('nothing is open', async () => (await list()).length === 0);
});

test('a kill cuts that session within 100 ms of the answer, no other, and the token lives on', async () => {
    const tester = await writ.issue('tester');
    const cut = await socketOf(tester.token);
    const [{ id }] = await list('--subject', 'tester');
    const kept = await socketOf(tester.token);
    let closed = 0, stays = true;
    cut.closed.then(() => { closed = performance.now(); });
    kept.closed.then(() => { stays = false; });
    const killer = await writ.issue('warden');
    const answer = await writ.api('DELETE', `/v1/sessions/${id}`, undefined, { token: killer.token });
    const answered = performance.now();
    assert.equal(answer.status, 200, answer.body);
    assert.equal(answer.json.token, tester.id);
    assert.equal(answer.json.cut, true);
    await until('the cut', () => closed > 0);
    assert.ok(closed - answered < 100 * SLACK, `${closed - answered} ms`);
    assert.ok(stays);
    const left = await list('--subject', 'tester');
    assert.equal(left.length, 1);
    assert.notEqual(left[0].id, id);
    assert.equal((await writ.api('DELETE', `/v1/sessions/${id}`, undefined, { token: killer.token })).status, 404);
    await until('the line', async () => {
        const { items } = await writ.json(['audit', 'search', '--subject', 'warden', '--action', 'sessions.kill']);
        return items.some((line) => line.object === id && line.status === 200 && line.decision === 'allow');
    });
    kept.socket.destroy();
});

test('a redis session is killed by the command', async () => {
    const worker = await writ.issue('worker'), raw = await redisOf(worker.token);
    const [{ id }] = await list('--subject', 'worker');
    const { code, out } = await writ.cli(['session', 'kill', id]);
    assert.equal(code, 0);
    assert.match(out, new RegExp(`^cut: the session ${id} of worker at cache`));
    await until('its end', async () => (await list('--subject', 'worker')).length === 0);
    const gone = await writ.cli(['session', 'kill', id]);
    assert.equal(gone.code, 1);
    assert.match(gone.err, /no session of this number is open here/);
    raw.close();
});

test('who may look may not kill; who may neither learns which right it takes', async () => {
    const tester = await writ.issue('tester'), socket = await socketOf(tester.token);
    const looker = await writ.issue('looker');
    const seen = await writ.api('GET', '/v1/sessions?subject=tester', undefined, { token: looker.token });
    assert.equal(seen.status, 200);
    const { id } = seen.json.items[0];
    const kill = await writ.api('DELETE', `/v1/sessions/${id}`, undefined, { token: looker.token });
    assert.equal(kill.status, 403);
    assert.match(kill.body, new RegExp(`writ:sessions\\.kill:${id}`));
    const other = await writ.api('GET', '/v1/sessions', undefined, { token: tester.token });
    assert.equal(other.status, 403);
    assert.match(other.body, /writ:sessions\.read/);
    for (const bad of ['0', 'x', '-1', '99999999999999999999999', '1%00'])
        assert.ok([400, 404].includes((await writ.api('GET', `/v1/sessions/${bad}`, undefined, { token: looker.token })).status), bad);
    assert.equal((await list('--subject', 'tester')).length, 1);
    socket.socket.destroy();
});
