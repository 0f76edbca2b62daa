// test/e2e/websocket.test.mjs - an upgrade after the decision, bytes both ways,
// and the cut.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';

import { SLACK, until } from './lib/process.mjs';
import { Orders } from './lib/upstream.mjs';
import { connectWebSocket } from './lib/websocket.mjs';
import { bearer, policy, Writ } from './lib/writ.mjs';

let orders, writ;

before(async () => {
    orders = await Orders.start();
    writ = await Writ.start({ policy: policy(orders.port), name: 'socket' });
});

after(async () => {
    await writ.close();
    await orders.close();
});

const connect = (token) => connectWebSocket(writ.port, '/orders/v1/ws', token ? bearer(token) : {});

test('messages of all sizes come back', async () => {
    const { token } = await writ.issue('tester');
    const { status, peer } = await connect(token);
    assert.equal(status, 101);
    for (const size of [0, 1, 125, 126, 65535, 65536, 1 << 20]) {
        const sent = randomBytes(size), back = peer.next();
        peer.send(sent);
        assert.deepEqual(await back, sent);
    }
    peer.socket.destroy();
    await until('the upstream\'s end', () => orders.sockets === 0);
});

test('no token, no right, no upgrade: the upstream is not asked', async () => {
    const count = orders.seen.length;
    assert.equal((await connect()).status, 401);
    assert.equal((await connect((await writ.issue('amara')).token)).status, 403);
    assert.equal(orders.seen.length, count);
});

test('the token is not in what the upstream sees', async () => {
    const { token } = await writ.issue('tester');
    const { peer } = await connect(token);
    const seen = orders.seen.at(-1);
    assert.equal(seen.headers.authorization, undefined);
    assert.equal(seen.headers['x-writ-subject'], 'tester');
    assert.equal(seen.headers.upgrade.toLowerCase(), 'websocket');
    peer.socket.destroy();
});

test('a revoked token\'s socket is cut within 100 ms of the answer, another\'s is not', async () => {
    const { id, token } = await writ.issue('tester'), other = await writ.issue('tester');
    const cut = (await connect(token)).peer, kept = (await connect(other.token)).peer;
    let closed = 0;
    cut.closed.then(() => { closed = performance.now(); });
    await writ.revoke(id);
    const answered = performance.now();
    await until('the cut', () => closed > 0, { within: 2000, every: 1 });
    assert.ok(closed - answered < 100 * SLACK, `${closed - answered} ms`);
    const back = kept.next();
    kept.send('still here');
    assert.equal(String(await back), 'still here');
    kept.socket.destroy();
    await until('the upstream\'s ends', () => orders.sockets === 0);
});

test('a token that expires takes its socket along', async () => {
    const { token } = await writ.issue('tester', '--ttl', '1s');
    const { peer } = await connect(token);
    await until('the cut', async () => {
        await Promise.race([peer.closed, new Promise((done) => setTimeout(done, 50))]);
        return peer.socket.destroyed;
    }, { within: 4000 });
});

test('the audit has one completed line of the session', async () => {
    const { id, token } = await writ.issue('tester');
    const { peer } = await connect(token);
    const back = peer.next();
    peer.send('twelve bytes');
    await back;
    peer.socket.destroy();
    const line = await until('the line', async () => {
        const found = await writ.audit('--token', id, '--resource', 'orders');
        return found.length === 1 && found[0].status !== null && found[0];
    });
    assert.equal(line.status, 101);
    assert.equal(line.object, '/v1/ws');
    assert.ok(line.bytes_in >= 12 && line.bytes_out >= 12);
});
