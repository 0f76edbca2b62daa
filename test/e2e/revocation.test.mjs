// test/e2e/revocation.test.mjs - a revocation is seen by every later request and
// cuts what is open.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, test } from 'node:test';

import { sleep, SLACK, until } from './lib/process.mjs';
import { Orders } from './lib/upstream.mjs';
import { bearer, policy, Writ } from './lib/writ.mjs';

let orders, writ;

before(async () => {
    orders = await Orders.start();
    writ = await Writ.start({ policy: policy(orders.port), config: { lanes: 2 }, name: 'revoke' });
});

after(async () => {
    await writ.close();
    await orders.close();
});

// An event stream that is open: {closed: time or 0, chunks}.
function openStream(token) {
    return new Promise((done, fail) => {
        const stream = { closed: 0, chunks: 0 };
        stream.call = http.get({ host: '127.0.0.1', port: writ.port, path: '/orders/v1/events',
            headers: bearer(token), agent: false }, (answer) => {
            stream.status = answer.statusCode;
            answer.on('error', () => {});
            answer.on('close', () => { stream.closed = performance.now(); });
            answer.on('data', () => {
                if (stream.chunks++ === 0)
                    done(stream);
            });
        });
        stream.call.on('error', (error) => (stream.chunks ? undefined : fail(error)));
    });
}

async function cutWithin(ms, stream, answered) {
    await until('the cut', () => stream.closed > 0, { within: 3000, every: 1 });
    assert.ok(stream.closed - answered < ms * SLACK, `cut after ${stream.closed - answered} ms`);
}

test('a stream is cut within 100 ms of the answer, on every lane; others go on', async () => {
    const { id, token } = await writ.issue('tester'), other = await writ.issue('tester');
    const streams = await Promise.all(Array.from({ length: 8 }, () => openStream(token)));
    const kept = await openStream(other.token);
    await writ.revoke(id);
    const answered = performance.now();
    for (const stream of streams)
        await cutWithin(100, stream, answered);
    const chunks = kept.chunks;
    await sleep(200);
    assert.ok(kept.chunks > chunks && kept.closed === 0);
    kept.call.destroy();
    await until('the upstream to be let go', () => orders.streams === 0);
});

test('a keep-alive connection\'s next request is refused', async () => {
    const { id, token } = await writ.issue('tester');
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const before = await writ.get('/orders/v1/orders/1', token, { agent });
    await writ.revoke(id);
    const afterwards = await writ.get('/orders/v1/orders/1', token, { agent });
    assert.deepEqual([before.status, afterwards.status], [200, 401]);
    agent.destroy();
});

test('no request that starts after the answer is let through, under load', async () => {
    for (let round = 0; round < 10; round++) {
        const { id, token } = await writ.issue('tester');
        let answered = Infinity, late = 0, through = 0, running = true;
        const clients = Array.from({ length: 16 }, async () => {
            const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
            while (running) {
                const start = performance.now();
                /* What is in flight when the token dies may be cut: no answer at all. */
                const { status } = await writ.get('/orders/v1/orders/1', token, { agent })
                    .catch(() => ({ status: 0 }));
                through += status === 200;
                late += status === 200 && start > answered;
            }
            agent.destroy();
        });
        await sleep(50);
        await writ.revoke(id);
        answered = performance.now();
        await sleep(50);
        running = false;
        await Promise.all(clients);
        assert.ok(through > 0);
        assert.equal(late, 0);
    }
});

test('a parent\'s, a line\'s, an attenuation\'s and a subject\'s end cut streams too', async () => {
    const parent = await writ.issue('tester');
    const child = await writ.issue('tester', '--parent', parent.id);
    const rotated = await writ.json(['token', 'rotate', parent.id, '--grace', '10m']);
    const narrow = await writ.json(['token', 'attenuate', '--label', 'x'], { input: `${child.token}\n` });
    const streams = await Promise.all([parent.token, child.token, rotated.token, narrow.token].map(openStream));
    await writ.revoke(rotated.id);
    const answered = performance.now();
    for (const stream of streams)
        await cutWithin(100, stream, answered);

    await writ.api('PUT', '/v1/subjects/guest', { type: 'user', roles: ['everything'] });
    const guest = await openStream((await writ.issue('guest')).token);
    await writ.api('PUT', '/v1/subjects/guest', { type: 'user', roles: [] });
    await cutWithin(100, guest, performance.now());

    const root = await writ.issue('tester');
    const hop = await writ.json(['token', 'attenuate', '--label', 'y'], { input: `${root.token}\n` });
    const [cut, kept] = [await openStream(hop.token), await openStream(root.token)];
    const name = hop.hop.includes('/') ? hop.hop : `${root.id}/${hop.hop}`;
    assert.equal((await writ.cli(['token', 'revoke', name, '--yes'])).code, 0);
    await until('the cut', () => cut.closed > 0, { within: 2000 });
    assert.equal(kept.closed, 0);
    kept.call.destroy();
});

test('whoever works for another ends with it, two delegations below, and the audit names all', async () => {
    const person = await writ.issue('tester', '--name', 'person');
    await writ.api('PUT', '/v1/subjects/copilot', { type: 'agent', roles: ['everything'] });
    const agent = await writ.issue('copilot', '--parent', person.id, '--name', 'agent');
    const helper = await writ.issue('tester', '--parent', agent.id);
    const stream = await openStream(helper.token);
    assert.equal((await writ.get('/orders/v1/orders/1', person.token)).status, 200);

    const tree = await writ.json(['token', 'tree', agent.id]);
    assert.equal(tree.id, person.id);
    assert.equal(tree.children.length, 1);
    assert.equal(tree.children[0].id, agent.id);
    assert.equal(tree.children[0].children[0].id, helper.id);
    const shown = (await writ.cli(['token', 'tree', helper.id])).out;
    assert.match(shown, new RegExp(`tester ${person.id} .*live.*person\n.*copilot ${agent.id}.*\n.*tester ${helper.id}.*<`));

    await writ.revoke(person.id);
    await cutWithin(100, stream, performance.now());
    const line = await until('the line', async () => (await writ.audit('--token', helper.id, '--decision', 'allow'))[0]);
    assert.deepEqual(line.chain, [{ subject: 'copilot', token: agent.id }, { subject: 'tester', token: person.id }]);
    assert.equal((await writ.json(['token', 'tree', person.id])).children[0].children[0].state, 'revoked');
    assert.equal((await writ.audit('--token', person.id, '--action', 'GET'))[0].chain, undefined);
});

test('an expiry and a rotation\'s grace cut streams', async () => {
    const { token } = await writ.issue('tester', '--ttl', '1s');
    const expiring = await openStream(token);
    const first = await writ.issue('tester');
    await writ.json(['token', 'rotate', first.id, '--grace', '1s']);
    const graced = await openStream(first.token);
    await until('the ends', () => expiring.closed > 0 && graced.closed > 0, { within: 5000 });
});
