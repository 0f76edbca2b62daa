// test/e2e/approvals.test.mjs - a call that somebody else must approve: it waits, and what is
// approved is that call; what nobody approves does not reach the upstream.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, test } from 'node:test';

import { sleep, until } from './lib/process.mjs';
import { bearer, request, Writ } from './lib/writ.mjs';

let upstream, seen, writ, agent, lead, peer;

before(async () => {
    seen = [];
    upstream = http.createServer((req, res) => {
        let text = '';
        req.on('data', (bytes) => { text += bytes; }).on('end', () => {
            seen.push({ method: req.method, url: req.url, text });
            res.writeHead(200, { 'content-type': 'application/json' });
            if (!text.includes('jsonrpc')) {
                res.end('{}');
                return;
            }
            const { id, method } = JSON.parse(text);
            const result = method === 'tools/list' ? { tools: [{ name: 'pay', inputSchema: {} }, { name: 'look', inputSchema: {} }, { name: 'hide', inputSchema: {} }] } : { content: [] };
            res.end(JSON.stringify({ jsonrpc: '2.0', id, result }));
        });
    });
    await new Promise((done) => upstream.listen(0, '127.0.0.1', done));
    const url = `http://127.0.0.1:${upstream.address().port}`;
    const approval = { by: ['lead'], within: '2s', for: 'once' };
    writ = await Writ.start({
        name: 'approvals',
        policy: {
            upstreams: { orders: { type: 'http', url }, tools: { type: 'mcp', url: `${url}/mcp` } },
            roles: {
                worker: {
                    allow: ['orders:GET:/**', { right: 'orders:DELETE:/v1/**', when: { approval } },
                        { right: 'orders:PUT:/v1/**', when: { approval: { ...approval, for: '1h' } } },
                        { right: 'orders:POST:/v1/both', when: { approval } },
                        'tools:tools.list:-', 'tools:tools.call:look', { right: 'tools:tools.call:pay', when: { approval } }],
                },
                lead: { allow: ['writ:approvals.read|approvals.answer:orders', 'writ:approvals.read|approvals.answer:tools', 'orders:DELETE:/v1/**'] },
                other: { allow: ['writ:approvals.read|approvals.answer:orders'] },
            },
            subjects: {
                bot: { type: 'agent', roles: ['worker'] },
                boss: { type: 'user', roles: ['lead', 'worker'] },
                aide: { type: 'user', roles: ['other'] },
            },
        },
    });
    agent = (await writ.issue('bot')).token;
    lead = (await writ.issue('boss')).token;
    peer = (await writ.issue('aide')).token;
});

after(async () => {
    await writ?.close();
    upstream?.close();
    upstream?.closeAllConnections();
});

const call = (method, path, { token = agent, body, headers = {} } = {}) => request(writ.port, method, path, { headers: { ...bearer(token), ...headers }, body });
const reached = (part) => seen.filter((one) => JSON.stringify(one).includes(part)).length;
const api = (token, method, path, body) => request(writ.apiPort, method, path, { headers: { ...bearer(token), 'content-type': 'application/json' }, body: body && JSON.stringify(body) });
const pending = (object) => until('the pending call', async () => JSON.parse((await api(lead, 'GET', '/v1/approvals?state=pending')).body).items.find((item) => item.object === object));

test('what is approved passes, as it was asked; once is once', async () => {
    const waiting = call('DELETE', '/orders/v1/orders/42?why=closed');
    const item = await pending('/v1/orders/42');
    assert.equal(reached('orders/42'), 0);
    assert.equal(item.subject, 'bot');
    assert.deepEqual(item.by, ['lead']);
    const shown = JSON.parse((await api(lead, 'GET', `/v1/approvals/${item.id}`)).body);
    assert.equal(shown.call, 'DELETE /v1/orders/42?why=closed');
    const said = await api(lead, 'POST', `/v1/approvals/${item.id}/approve`, { reason: 'paid twice' });
    assert.equal(said.status, 200, said.body);
    assert.equal((await waiting).status, 200);
    assert.equal(reached('orders/42'), 1);
    assert.equal((await api(lead, 'POST', `/v1/approvals/${item.id}/approve`)).status, 409);
    const line = await until('the line', async () => (await writ.audit('--subject', 'bot', '--action', 'DELETE', '--limit', '5'))
        .find((found) => found.object === '/v1/orders/42' && found.status === 200));
    assert.match(line.reason, /^approved by boss \([0-9a-f]{16}\): paid twice$/);
    assert.equal((await writ.audit('--subject', 'boss', '--action', 'approvals.answer', '--limit', '5')).some((found) => found.decision === 'allow'), true);
    const again = call('DELETE', '/orders/v1/orders/42?why=closed');
    const second = await pending('/v1/orders/42');
    assert.notEqual(second.id, item.id);
    await api(lead, 'POST', `/v1/approvals/${second.id}/refuse`, { reason: 'not again' });
    const refused = await again;
    assert.equal(refused.status, 403);
    assert.match(refused.body, /"type":"urn:writ:problem:not-approved"/);
    assert.match(refused.body, /not approved by boss \([0-9a-f]{16}\): not again/);
    assert.equal(reached('orders/42'), 1);
});

test('nobody in time is a no', async () => {
    const refused = await call('DELETE', '/orders/v1/late');
    assert.equal(refused.status, 403);
    assert.match(refused.body, /nobody approved it in time/);
    assert.equal(reached('late'), 0);
});

test('nobody approves their own, nor without the role, nor without the right', async () => {
    const own = call('POST', '/orders/v1/both', { token: lead });
    const mine = await pending('/v1/both');
    const self = await api(lead, 'POST', `/v1/approvals/${mine.id}/approve`);
    assert.equal(self.status, 403);
    assert.match(self.body, /nobody approves their own/);
    const without = await api(peer, 'POST', `/v1/approvals/${mine.id}/approve`);
    assert.equal(without.status, 403);
    assert.match(without.body, /one of the roles: lead/);
    assert.equal((await api(agent, 'POST', `/v1/approvals/${mine.id}/approve`)).status, 403);
    const operator = await writ.cli(['approvals', 'approve', mine.id]);
    assert.notEqual(operator.code, 0);
    assert.match(operator.err, /one of the roles: lead/);
    assert.equal((await own).status, 403);
    assert.equal(reached('both'), 0);
});

test('an own agent\'s call is one\'s own', async () => {
    const parent = await writ.issue('boss');
    const child = await writ.issue('bot', '--parent', parent.id);
    const waiting = call('POST', '/orders/v1/both', { token: child.token });
    const item = await pending('/v1/both');
    assert.match(item.chain, /^boss\//);
    assert.match((await api(lead, 'POST', `/v1/approvals/${item.id}/approve`)).body, /nobody approves their own/);
    assert.equal((await waiting).status, 403);
});

test('for a time: the right stands for that token, not for another', async () => {
    const waiting = call('PUT', '/orders/v1/a', { body: 'x' });
    const item = await pending('/v1/a');
    await api(lead, 'POST', `/v1/approvals/${item.id}/approve`);
    assert.equal((await waiting).status, 200);
    assert.equal((await call('PUT', '/orders/v1/b', { body: 'the body passes' })).status, 200);
    assert.equal(reached('the body passes'), 1);
    const other = (await writ.issue('bot')).token;
    assert.equal((await call('PUT', '/orders/v1/c', { token: other, body: 'x' })).status, 403);
    assert.equal(reached('/v1/c'), 0);
    assert.equal((await api(lead, 'POST', `/v1/approvals/${item.id}/refuse`, { reason: 'enough' })).status, 200);
    assert.equal((await call('PUT', '/orders/v1/d', { body: 'x' })).status, 403);
    assert.equal(reached('/v1/d'), 0);
});

test('a token that is revoked while it waits gets nothing', async () => {
    const short = await writ.issue('bot');
    const waiting = call('DELETE', '/orders/v1/revoked', { token: short.token });
    const item = await pending('/v1/revoked');
    await writ.revoke(short.id);
    await api(lead, 'POST', `/v1/approvals/${item.id}/approve`);
    assert.equal((await waiting).status, 401);
    assert.equal(reached('revoked'), 0);
});

test('a client that leaves takes its one call with it', async () => {
    const options = { host: '127.0.0.1', port: writ.port, method: 'DELETE', path: '/orders/v1/left', headers: bearer(agent) };
    const req = http.request(options).on('error', () => {});
    req.end();
    const item = await pending('/v1/left');
    req.destroy();
    await sleep(200);
    await api(lead, 'POST', `/v1/approvals/${item.id}/approve`);
    await until('the line', async () => (await writ.audit('--subject', 'bot', '--action', 'DELETE', '--limit', '20'))
        .find((found) => found.object === '/v1/left' && /the client left/.test(found.reason)));
    assert.equal(reached('left'), 0);
});

test('asked for a time, the answer may come after the client left', async () => {
    const token = (await writ.issue('bot')).token;
    const options = { host: '127.0.0.1', port: writ.port, method: 'PUT', path: '/orders/v1/slow', headers: bearer(token) };
    const req = http.request(options).on('error', () => {});
    req.end();
    const item = await pending('/v1/slow');
    req.destroy();
    await until('the line', async () => (await writ.audit('--subject', 'bot', '--action', 'PUT', '--limit', '20'))
        .find((found) => found.object === '/v1/slow' && /the client left/.test(found.reason)));
    assert.equal(JSON.parse((await api(lead, 'GET', `/v1/approvals/${item.id}`)).body).state, 'pending');
    await api(lead, 'POST', `/v1/approvals/${item.id}/approve`);
    assert.equal((await call('PUT', '/orders/v1/slow', { token })).status, 200);
    assert.equal(reached('slow'), 1);
});

test('an agent\'s tool call: listed, held, shown with its arguments', async () => {
    const rpc = (id, method, params) => call('POST', '/tools', {
        headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
        body: JSON.stringify({ jsonrpc: '2.0', id, method, params }),
    });
    const tools = JSON.parse((await rpc(1, 'tools/list', {})).body).result.tools.map((tool) => tool.name);
    assert.deepEqual(tools, ['pay', 'look']);
    const waiting = rpc(2, 'tools/call', { name: 'pay', arguments: { amount: 100 } });
    const item = await pending('pay');
    const shown = await writ.json(['approvals', 'show', item.id]);
    assert.match(shown.call, /^POST [^\n]*\n\n\{.*"arguments":\{"amount":100\}/);
    await api(lead, 'POST', `/v1/approvals/${item.id}/approve`);
    assert.equal(JSON.parse((await waiting).body).id, 2);
    assert.equal(reached('amount'), 1);
    const refused = rpc(3, 'tools/call', { name: 'pay', arguments: { sum: 7 } });
    await api(lead, 'POST', `/v1/approvals/${(await pending('pay')).id}/refuse`, { reason: 'too much' });
    assert.match((await refused).body, /too much/);
    assert.equal(reached('sum'), 0);
    // What could not be shown whole is not asked for: its end could say anything.
    const long = await rpc(4, 'tools/call', { name: 'pay', arguments: { note: 'x'.repeat(60000), hidden: 1 } });
    assert.match(long.body, /with an approval by lead/);
    assert.equal(reached('hidden'), 0);
    const list = await writ.cli(['approvals', 'list', '--all']);
    assert.match(list.out, /bot +tools +tools.call +pay +refused/);
});

test('a stop tells those who wait', async () => {
    const waiting = call('DELETE', '/orders/v1/stopping');
    await pending('/v1/stopping');
    await writ.stop();
    const told = await waiting;
    assert.equal(told.status, 503);
    assert.match(told.body, /this node is stopping/);
    assert.equal(reached('stopping'), 0);
});
