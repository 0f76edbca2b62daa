// test/e2e/grants.test.mjs - a role for a time: asked for, given by somebody else, and over by itself.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { sleep, until } from './lib/process.mjs';
import { Orders } from './lib/upstream.mjs';
import { bearer, Writ } from './lib/writ.mjs';

let orders, writ, amara, lead, other;
const rules = () => ({
    upstreams: { orders: { type: 'http', url: `http://127.0.0.1:${orders.port}` } },
    roles: {
        staff: { allow: ['orders:GET:/v1/orders/**', 'writ:grants.request:*'] },
        oncall: { allow: ['orders:DELETE:/v1/orders/*', 'orders:GET:/v1/events'], grantable: { by: ['lead'], for: '2h' } },
        fixed: { allow: ['orders:PUT:/v1/**'] },
        lead: { allow: ['writ:approvals.read|approvals.answer:writ', 'writ:grants.read|grants.end:*', 'writ:grants.request:*'] },
        aide: { allow: ['writ:approvals.read|approvals.answer:writ'] },
    },
    subjects: {
        amara: { type: 'user', roles: ['staff'] },
        boss: { type: 'user', roles: ['lead'] },
        both: { type: 'user', roles: ['lead', 'staff'] },
        helper: { type: 'user', roles: ['aide'] },
    },
});

before(async () => {
    orders = await Orders.start();
    writ = await Writ.start({ name: 'grants', policy: rules() });
    amara = (await writ.issue('amara')).token;
    lead = (await writ.issue('boss')).token;
    other = (await writ.issue('helper')).token;
});

after(async () => {
    await writ?.close();
    await orders?.close();
});

const as = (token) => ['--url', `http://127.0.0.1:${writ.apiPort}`, { env: { ...process.env, WRIT_TOKEN: token } }];
const cli = (token, ...words) => {
    const [option, url, env] = as(token);
    return writ.cli([...words, option, url], env);
};
const ask = (token, body) => writ.api('POST', '/v1/grants', body, { token });
const answer = (token, id, what = 'approve') => writ.api('POST', `/v1/approvals/${id}/${what}`, {}, { token });
const drop = (token, id = 7) => writ.ask('DELETE', `/orders/v1/orders/${id}`, token).then((reply) => reply.status);

test('a role is asked for, given for a time, and in tokens from then on', async () => {
    const asked = await cli(amara, 'grant', 'request', 'oncall', '--for', '1h', '--reason', 'the queue is stuck');
    assert.equal(asked.code, 0, asked.err);
    const id = asked.out.match(/request ([0-9a-f]{16})/)[1];
    assert.match(asked.out, /lead/);
    assert.equal(await drop(amara), 403);
    const shown = await cli(lead, 'approvals', 'show', id);
    assert.match(shown.out, /the role oncall for 1h: the queue is stuck/);
    const given = await cli(lead, 'grant', 'approve', id, '--reason', 'go');
    assert.equal(given.code, 0, given.err);
    assert.equal(await drop(amara), 403); /* a token has the roles that it was issued with */
    const fresh = (await writ.issue('amara')).token;
    assert.notEqual(await drop(fresh), 403);
    const { items } = await writ.json(['grant', 'list']);
    assert.equal(items.length, 1);
    assert.equal(items[0].subject, 'amara');
    assert.equal(items[0].by, 'boss');
    assert.ok(Math.abs(Date.parse(items[0].until) - Date.now() - 3600e3) < 60e3);
    const lines = await writ.audit('--action', 'approvals.answer', '--subject', 'boss');
    assert.equal(lines[0].object, 'writ');
});

test('it survives a restart and an apply of its file, and ends when somebody ends it', async () => {
    await writ.restart();
    const fresh = (await writ.issue('amara')).token;
    assert.notEqual(await drop(fresh), 403);
    writ.writePolicy({ ...rules(), roles: { ...rules().roles, extra: { allow: [] } } });
    assert.equal((await writ.cli(['apply', '-f', 'policy.yaml'])).code, 0);
    assert.notEqual(await drop(fresh), 403);
    const dry = await writ.cli(['apply', '-f', 'policy.yaml', '--dry-run']);
    assert.doesNotMatch(dry.out, /amara/);
    const ended = await cli(lead, 'grant', 'end', 'amara', 'oncall');
    assert.equal(ended.code, 0, ended.err);
    assert.equal(await drop(fresh), 403);
    assert.equal((await cli(lead, 'grant', 'end', 'amara', 'oncall')).code, 1);
    assert.deepEqual((await writ.json(['grant', 'list'])).items, []);
    assert.equal((await writ.api('GET', '/v1/subjects/amara')).json.grants, undefined);
});

test('it is over by itself, and what is open is cut', async () => {
    const { json } = await ask(amara, { role: 'oncall', for: '3s' });
    assert.equal((await answer(lead, json.id)).status, 200);
    const { token } = await writ.issue('amara');
    const stream = writ.get('/orders/v1/events', token).then((reply) => `${reply.status}`, (error) => error.code ?? 'cut');
    assert.notEqual(await drop(token), 403);
    const began = performance.now();
    await stream;
    assert.ok(performance.now() - began < 6000);
    assert.equal(await drop(token), 403);
    await until('it is gone', async () => (await writ.api('GET', '/v1/subjects/amara')).json.grants === undefined);
});

test('nobody gives a role to oneself, and only who is named gives it', async () => {
    const both = (await writ.issue('both')).token;
    const own = (await ask(both, { role: 'oncall' })).json;
    assert.equal((await answer(both, own.id)).status, 403);
    const { json } = await ask(amara, { role: 'oncall' });
    assert.equal((await answer(other, json.id)).status, 403);
    assert.equal((await answer(amara, json.id)).status, 403);
    assert.equal((await writ.api('POST', `/v1/approvals/${json.id}/approve`, {})).status, 403); /* the local operator */
    assert.equal((await answer(lead, json.id, 'refuse')).status, 200);
    assert.equal((await answer(lead, json.id)).status, 409);
    assert.equal(await drop((await writ.issue('amara')).token), 403);
    assert.equal((await answer(lead, own.id, 'refuse')).status, 200);
});

test('what can not be asked for', async () => {
    for (const [body, status] of [[{ role: 'fixed' }, 409], [{ role: 'none' }, 409], [{ role: 'admin' }, 409], [{ role: 'oncall', for: '3h' }, 409],
        [{ role: 'oncall', for: '0s' }, 400], [{ role: 'oncall', for: 'long' }, 400], [{ role: 'oncall', subject: 'boss' }, 400],
        [{ role: 'oncall', reason: 'x'.repeat(501) }, 400], [{}, 409], [{ role: 7 }, 400]])
        assert.equal((await ask(amara, body)).status, status, JSON.stringify(body));
    assert.equal((await ask(other, { role: 'oncall' })).status, 403); /* no right to ask */
    assert.equal((await writ.api('POST', '/v1/grants', { role: 'oncall' })).status, 409); /* the local operator */
    const one = (await ask(amara, { role: 'oncall' })).json, two = (await ask(amara, { role: 'oncall' })).json;
    assert.equal(one.id, two.id); /* asked twice is asked once */
    assert.equal((await answer(lead, one.id, 'refuse')).status, 200);
});

test('who writes subjects gives by a grant only what it holds', async () => {
    await writ.api('PUT', '/v1/roles/writer', { allow: ['writ:subjects.write:*', 'orders:GET:/v1/orders/**'] });
    await writ.api('PUT', '/v1/subjects/clerk', { type: 'user', roles: ['writer'] });
    const { token } = await writ.issue('clerk');
    const until = new Date(Date.now() + 3600e3).toISOString();
    const put = (role) => writ.api('PUT', '/v1/subjects/new', { type: 'user', grants: [{ role, until }] }, { token });
    assert.equal((await put('oncall')).status, 403);
    await sleep(10);
    assert.equal((await writ.api('GET', '/v1/subjects/new')).status, 404);
});
