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

test('what holds when it is answered counts', async () => {
    const { json } = await ask(amara, { role: 'oncall', for: '2h' });
    const changed = (grantable) => writ.writePolicy({ ...rules(), roles: { ...rules().roles, oncall: { ...rules().roles.oncall, grantable } } });
    for (const grantable of [{ by: ['aide'], for: '2h' }, { by: ['lead'], for: '1h' }, undefined]) {
        changed(grantable);
        assert.equal((await writ.cli(['apply', '-f', 'policy.yaml'])).code, 0);
        assert.notEqual((await answer(lead, json.id)).status, 200, JSON.stringify(grantable));
    }
    writ.writePolicy(rules());
    assert.equal((await writ.cli(['apply', '-f', 'policy.yaml'])).code, 0);
    const { id, token } = await writ.issue('amara');
    const dead = (await ask(token, { role: 'oncall', for: '30m' })).json;
    await writ.revoke(id);
    assert.equal((await answer(lead, dead.id)).status, 409);
    assert.equal((await answer(lead, json.id, 'refuse')).status, 200);
    assert.equal((await answer(lead, dead.id, 'refuse')).status, 200);
});

test('nobody answers through a token or a child of their own', async () => {
    await writ.api('PUT', '/v1/roles/issuer', { allow: ['writ:tokens.issue:*', 'writ:approvals.read|approvals.answer:writ', 'writ:grants.request:*'] });
    await writ.api('PUT', '/v1/subjects/sly', { type: 'user', roles: ['issuer', 'lead'] });
    await writ.api('PUT', '/v1/subjects/alt', { type: 'user', roles: ['lead'] });
    const sly = (await writ.issue('sly')).token;
    const { json } = await ask(sly, { role: 'oncall' });
    const alt = (await writ.api('POST', '/v1/tokens', { subject: 'alt' }, { token: sly })).json;
    assert.equal((await answer(alt.token, json.id)).status, 403);
    assert.equal((await answer(lead, json.id, 'refuse')).status, 200);
    await writ.api('PUT', '/v1/subjects/bot', { type: 'agent', roles: ['staff'] });
    const own = (await ask((await writ.issue('bot')).token, { role: 'oncall' })).json;
    const parent = await writ.issue('both');
    const child = (await writ.issue('bot', '--parent', parent.id)).token;
    const asked = (await ask(child, { role: 'oncall' })).json;
    assert.notEqual(asked.id, own.id); /* on whose behalf it is asked is not forgotten */
    assert.equal((await answer(parent.token, asked.id)).status, 403);
    for (const { id } of [own, asked])
        assert.equal((await answer(lead, id, 'refuse')).status, 200);
});

test('a grant does not make itself permanent, and a definition does not forge one', async () => {
    await writ.api('PUT', '/v1/roles/boost', { allow: ['writ:subjects.write:*', 'orders:PUT:/v1/**'], grantable: { by: ['lead'] } });
    await writ.api('PUT', '/v1/subjects/ida', { type: 'user', roles: ['staff'] });
    const { json } = await ask((await writ.issue('ida')).token, { role: 'boost' });
    assert.equal((await answer(lead, json.id)).status, 200);
    const ida = (await writ.issue('ida')).token;
    const put = (body) => writ.api('PUT', '/v1/subjects/ida', body, { token: ida });
    assert.equal((await put({ type: 'user', roles: ['staff', 'boost'] })).status, 403);
    assert.equal((await put({ type: 'user', roles: [], grants: [{ role: 'boost', until: '2099-01-01T00:00:00Z', by: 'boss' }] })).status, 403);
    const stands = (await writ.api('GET', '/v1/subjects/ida')).json;
    assert.equal(stands.grants.length, 1);
    /* What is not said stays; what a GET gave may come back. */
    await writ.api('PUT', '/v1/subjects/ida', { type: 'user', roles: ['staff'] });
    assert.deepEqual((await writ.api('GET', '/v1/subjects/ida')).json.grants, stands.grants);
    const given = await writ.audit('--action', 'roles.hold');
    assert.equal(given[0].object, 'ida/boost');
    assert.equal(given[0].subject, 'boss');
    assert.match(given[0].statement, /the role boost for 1h/);
    await writ.api('DELETE', '/v1/grants/ida/boost');
    assert.equal((await writ.audit('--action', 'roles.end'))[0].object, 'ida/boost');
});

test('a role that its file takes away takes its grants along', async () => {
    const { json } = await ask(amara, { role: 'oncall', for: '1h' });
    assert.equal((await answer(lead, json.id)).status, 200);
    const { oncall, ...roles } = rules().roles;
    assert.ok(oncall);
    writ.writePolicy({ ...rules(), roles });
    assert.equal((await writ.cli(['apply', '-f', 'policy.yaml'])).code, 0);
    assert.equal((await writ.api('GET', '/v1/subjects/amara')).json.grants, undefined);
    await writ.restart();
    writ.writePolicy(rules());
    assert.equal((await writ.cli(['apply', '-f', 'policy.yaml'])).code, 0);
});

test('what an approver reads can not draw', async () => {
    assert.equal((await ask(amara, { role: 'oncall', reason: 'a\u001b[2Kb' })).status, 400);
    assert.equal((await ask(amara, { role: 'oncall', reason: 'a\nb' })).status, 400);
    const { json } = await ask(amara, { role: 'oncall', reason: 'left\u202eright \u{e0041}' });
    const seen = await cli(lead, 'approvals', 'show', json.id);
    assert.match(seen.out, /left\\u\{202e\}right \\u\{e0041\}/);
    assert.equal((await answer(lead, json.id, 'refuse')).status, 200);
});

test('what can not be asked for', async () => {
    for (const [body, status] of [[{ role: 'fixed' }, 409], [{ role: 'none' }, 409], [{ role: 'admin' }, 409], [{ role: 'oncall', for: '3h' }, 409],
        [{ role: 'oncall', for: '0s' }, 400], [{ role: 'oncall', for: 'long' }, 400], [{ role: 'oncall', subject: 'boss' }, 400],
        [{ role: 'oncall', reason: 'x'.repeat(501) }, 400], [{}, 400], [{ role: 7 }, 400]])
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
