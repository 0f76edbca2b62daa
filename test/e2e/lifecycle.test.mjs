// test/e2e/lifecycle.test.mjs - a token's life: narrowed, rotated, counted, bound,
// inherited, ended; each with the attack it has to bear.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { sleep, until } from './lib/process.mjs';
import { Orders } from './lib/upstream.mjs';
import { bearer, policy, Writ } from './lib/writ.mjs';

const PATH = '/orders/v1/orders/42';
let orders, writ;

before(async () => {
    orders = await Orders.start();
    writ = await Writ.start({ policy: policy(orders.port), name: 'life' });
});

after(async () => {
    await writ.close();
    await orders.close();
});

const status = async (token, path = PATH, method = 'GET') =>
    (await writ.ask(method, path, token)).status;

async function attenuate(token, ...options) {
    return writ.json(['token', 'attenuate', ...options], { input: `${token}\n` });
}

test('a scope narrows; one beyond the roles is refused', async () => {
    const { token } = await writ.issue('amara', '--scope', 'orders:GET:/v1/orders/42');
    assert.equal(await status(token), 200);
    assert.equal(await status(token, '/orders/v1/orders/43'), 403);

    const beyond = await writ.api('POST', '/v1/tokens', { subject: 'amara', scope: 'orders:DELETE:/v1/orders/*' });
    assert.equal(beyond.status, 400);
    assert.match(beyond.body, /invalid_scope/);
    assert.equal(beyond.headers['content-type'], 'application/problem+json');
    assert.equal((await writ.api('POST', '/v1/tokens', { subject: 'nobody' })).status >= 400, true);
    assert.equal((await writ.api('POST', '/v1/tokens', { subject: 'amara', roles: ['clerk'] })).status >= 400, true);
});

test('the API says what it issued, and lists it', async () => {
    const answer = await writ.api('POST', '/v1/tokens', { subject: 'nightly', ttl: '10m', name: 'cron', max_uses: 5 });
    assert.equal(answer.status, 201);
    const made = answer.json;
    for (const member of ['id', 'token', 'subject', 'roles', 'scope', 'issued_at', 'expires_at', 'cnf'])
        assert.ok(member in made, member);
    assert.equal(made.cnf, null);
    assert.equal(Date.parse(made.expires_at) - Date.parse(made.issued_at), 600000);
    const shown = (await writ.api('GET', `/v1/tokens/${made.id}`)).json;
    assert.equal(shown.subject, 'nightly');
    assert.equal(shown.token, undefined);
    const page = (await writ.api('GET', '/v1/tokens?subject=nightly&limit=1')).json;
    assert.equal(page.items.length, 1);
    assert.equal(page.items[0].id, made.id);
    assert.equal((await writ.api('GET', '/v1/tokens/0000000000000000000000')).status, 404);
});

test('paging walks all tokens once, newest first', async () => {
    const made = [];
    for (let i = 0; i < 7; i++)
        made.unshift((await writ.issue('amara', '--name', `page ${i}`)).id);
    const found = [];
    let cursor = '';
    do {
        const page = (await writ.api('GET', `/v1/tokens?subject=amara&limit=3${cursor}`)).json;
        found.push(...page.items.map((item) => item.id));
        cursor = page.next && `&cursor=${encodeURIComponent(page.next)}`;
    } while (cursor);
    assert.deepEqual(found.slice(0, 7), made);
    assert.equal(new Set(found).size, found.length);
    assert.equal((await writ.api('GET', '/v1/tokens?cursor=nonsense')).status, 400);
});

test('an Idempotency-Key answers the same token again, for the same body only', async () => {
    const ask = (body) => writ.api('POST', '/v1/tokens', body, { headers: { 'idempotency-key': 'k-1' } });
    const first = (await ask({ subject: 'amara', name: 'once' })).json;
    const second = (await ask({ subject: 'amara', name: 'once' })).json;
    assert.equal(second.id, first.id);
    assert.equal(second.token, first.token);
    assert.notEqual((await ask({ subject: 'amara', name: 'other' })).json.id, first.id);
});

test('expiry and not-before', async () => {
    const { token } = await writ.issue('amara', '--ttl', '1s');
    assert.equal(await status(token), 200);
    await sleep(1100);
    assert.equal(await status(token), 401);

    const later = (await writ.api('POST', '/v1/tokens', {
        subject: 'amara', not_before: new Date(Date.now() + 1500).toISOString(),
    })).json.token;
    assert.equal(await status(later), 401);
    await until('its time to come', async () => await status(later) === 200);
    assert.ok((await writ.api('POST', '/v1/tokens', { subject: 'amara', ttl: '365d' })).status >= 400);
});

test('idle expiry: use keeps it alive, rest ends it', async () => {
    const { token } = await writ.issue('amara', '--idle', '3s');
    for (let i = 0; i < 5; i++) {
        assert.equal(await status(token), 200);
        await sleep(1000); /* the last use is kept to the second */
    }
    await sleep(2500);
    assert.equal(await status(token), 401);
});

test('rotation: both live in the grace, then the old one dies; the line keeps its rights', async () => {
    const first = await writ.issue('amara', '--scope', 'orders:GET:/v1/orders/42');
    const second = await writ.json(['token', 'rotate', first.id, '--grace', '1s']);
    assert.equal(second.predecessor.id, first.id);
    assert.notEqual(second.token, first.token);
    assert.equal(await status(first.token), 200);
    assert.equal(await status(second.token), 200);
    assert.equal(await status(second.token, '/orders/v1/orders/43'), 403);
    await sleep(1200);
    assert.equal(await status(first.token), 401);
    assert.equal(await status(second.token), 200);
    /* Any member's revocation ends the line, the later ones too. */
    await writ.revoke(first.id);
    assert.equal(await status(second.token), 401);
    assert.equal((await writ.api('POST', `/v1/tokens/${second.id}/rotate`, {})).status >= 400, true);
});

test('a token rotates itself only with the right to', async () => {
    const plain = await writ.issue('amara');
    assert.equal((await writ.api('POST', `/v1/tokens/${plain.id}/rotate`, {}, { token: plain.token })).status, 403);
});

test('revocation: 200, again 200, unknown 404; with --wait it says that it took effect', async () => {
    const { id, token } = await writ.issue('amara');
    const told = await writ.revoke(id);
    assert.equal(told.revoked !== undefined && told.effective_at !== undefined, true);
    assert.equal(await status(token), 401);
    assert.equal((await writ.api('DELETE', `/v1/tokens/${id}`)).status, 200);
    assert.equal((await writ.api('DELETE', '/v1/tokens/0000000000000000000001')).status, 404);
    const waited = await writ.issue('amara');
    const { nodes } = (await writ.api('DELETE', `/v1/tokens/${waited.id}?wait=fleet`)).json;
    assert.ok(nodes.length >= 1 && nodes.every((node) => ['applied', 'fenced'].includes(node.state)));
});

test('many at once: by subject, by role, by age', async () => {
    const [a, b, c] = [await writ.issue('amara'), await writ.issue('nightly'), await writ.issue('tester')];
    assert.equal((await writ.cli(['token', 'revoke', '--subject', 'amara', '--yes'])).code, 0);
    assert.deepEqual([await status(a.token), await status(b.token), await status(c.token)], [401, 200, 200]);
    assert.equal((await writ.cli(['token', 'revoke', '--role', 'clerk', '--yes'])).code, 0);
    assert.deepEqual([await status(b.token), await status(c.token)], [401, 200]);
    assert.equal((await writ.cli(['token', 'revoke', '--issued-before', '1h', '--yes'])).code, 0);
    assert.equal(await status(c.token), 200);
    await sleep(5);
    assert.equal((await writ.cli(['token', 'revoke', '--issued-before', new Date().toISOString(), '--yes'])).code, 0);
    assert.equal(await status(c.token), 401);
});

test('a child never exceeds its parent, and dies with it', async () => {
    const parent = await writ.issue('amara');
    const child = await writ.issue('nightly', '--parent', parent.id);
    assert.equal(await status(child.token), 200);
    /* nightly may take orders, amara may not: so the child may not. */
    assert.equal(await status(child.token, '/orders/v1/orders', 'POST'), 403);
    assert.equal((await writ.ask('POST', '/orders/v1/orders', (await writ.issue('nightly')).token)).status, 201);
    await writ.revoke(parent.id);
    assert.equal(await status(child.token), 401);
});

test('a parent\'s subject that loses its role takes its children along, at once', async () => {
    const put = (roles) => writ.api('PUT', '/v1/subjects/pat', { type: 'user', roles });
    assert.ok((await put(['everything'])).status < 300);
    const parent = await writ.issue('pat');
    const child = await writ.issue('tester', '--parent', parent.id);
    assert.equal(await status(child.token), 200);
    assert.ok((await put([])).status < 300);
    assert.equal(await status(parent.token), 403);
    assert.equal(await status(child.token), 403);
    assert.ok((await writ.api('DELETE', '/v1/subjects/pat')).status < 300);
    assert.equal(await status(child.token), 401);
});

test('max uses: exactly so many, whoever presents it', async () => {
    const { id, token } = await writ.issue('tester', '--max-uses', '5');
    const narrowed = await attenuate(token, '--label', 'shared');
    const got = [];
    for (let i = 0; i < 8; i++)
        got.push(await status(i % 2 ? narrowed.token : token));
    assert.deepEqual(got, [200, 200, 200, 200, 200, 401, 401, 401]);
    /* A successor has what is left: nothing. */
    const next = await writ.api('POST', `/v1/tokens/${id}/rotate`, {});
    if (next.status < 300)
        assert.equal(await status(next.json.token), 401);
});

test('a one-time token lets exactly one of many through', async () => {
    const { token } = await writ.issue('tester', '--max-uses', '1');
    const many = process.env.WRIT_SOAK ? 1000 : 100;
    const got = await Promise.all(Array.from({ length: many }, () => status(token)));
    assert.equal(got.filter((code) => code === 200).length, 1);
    assert.equal(got.filter((code) => code === 401).length, many - 1);
});

test('uses survive a stop and a start', async () => {
    const { token } = await writ.issue('tester', '--max-uses', '3');
    assert.equal(await status(token), 200);
    assert.equal(await status(token), 200);
    await writ.restart();
    assert.equal(await status(token), 200);
    assert.equal(await status(token), 401);
});

test('a network binds', async () => {
    const here = await writ.issue('amara', '--network', '127.0.0.0/8');
    const away = await writ.issue('amara', '--network', '10.0.0.0/8');
    assert.equal(await status(here.token), 200);
    assert.ok([401, 403].includes(await status(away.token)));
    const forged = await writ.get(PATH, away.token, { headers: { 'x-forwarded-for': '10.0.0.1' } });
    assert.ok([401, 403].includes(forged.status));
});

test('a key binds: without its proof the text is worth nothing', async () => {
    const { token, cnf } = await writ.issue('amara', '--bind-jkt', '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I');
    assert.equal(cnf.jkt, '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I');
    assert.equal(await status(token), 401);
    const dpop = await writ.get(PATH, null, { headers: { authorization: `DPoP ${token}`, dpop: 'not.a.proof' } });
    assert.ok([400, 401].includes(dpop.status));
});

test('attenuation narrows offline and can only narrow', async () => {
    const { id, token } = await writ.issue('nightly');
    const narrow = await attenuate(token, '--scope', 'orders:GET:/v1/orders/42', '--label', 'ticket');
    assert.match(narrow.token, /^writa_[0-9A-Za-z]{75,2042}$/);
    assert.equal(narrow.id, id);
    assert.equal(await status(narrow.token), 200);
    assert.equal(await status(narrow.token, '/orders/v1/orders/43'), 403);
    assert.equal(await status(narrow.token, '/orders/v1/orders', 'POST'), 403);

    /* Wider again: both caveats hold. */
    const wider = await attenuate(narrow.token, '--scope', 'orders:*:/**');
    assert.equal(await status(wider.token), 200);
    assert.equal(await status(wider.token, '/orders/v1/orders/43'), 403);

    const short = await attenuate(token, '--ttl', '1s');
    assert.equal(await status(short.token), 200);
    await sleep(1100);
    assert.equal(await status(short.token), 401);
    const away = await attenuate(token, '--network', '10.0.0.0/8');
    assert.ok([401, 403].includes(await status(away.token)));

    /* Every changed character refuses. */
    for (const at of [8, 40, 90, narrow.token.length - 9]) {
        const bent = narrow.token.slice(0, at) + (narrow.token[at] === 'a' ? 'b' : 'a') + narrow.token.slice(at + 1);
        assert.equal(await status(bent), 401);
    }
});

test('one attenuation is revoked, its siblings and its root live on', async () => {
    const { id, token } = await writ.issue('amara');
    const one = await attenuate(token, '--label', 'one'), other = await attenuate(token, '--label', 'other');
    const below = await attenuate(one.token, '--ttl', '10m');
    const name = one.hop.includes('/') ? one.hop : `${id}/${one.hop}`;
    assert.equal((await writ.cli(['token', 'revoke', name, '--yes'])).code, 0);
    assert.equal(await status(one.token), 401);
    assert.equal(await status(below.token), 401);
    assert.equal(await status(other.token), 200);
    assert.equal(await status(token), 200);
    await writ.revoke(id);
    assert.equal(await status(other.token), 401);
});

test('a role that is narrowed through the API holds at once, and over a restart', async () => {
    const temp = { allow: ['orders:GET:/v1/orders/**'] };
    assert.ok((await writ.api('PUT', '/v1/roles/temp', temp)).status < 300);
    assert.ok((await writ.api('PUT', '/v1/subjects/kim', { type: 'user', roles: ['temp'] })).status < 300);
    const { token } = await writ.issue('kim');
    assert.equal(await status(token), 200);
    temp.deny = ['orders:GET:/v1/orders/42'];
    assert.ok((await writ.api('PUT', '/v1/roles/temp', temp)).status < 300);
    assert.equal(await status(token), 403);
    assert.equal(await status(token, '/orders/v1/orders/43'), 200);
    await writ.restart();
    assert.equal(await status(token), 403);
    assert.equal(await status(token, '/orders/v1/orders/43'), 200);
});

test('tokens and revocations survive a restart', async () => {
    const kept = await writ.issue('amara'), gone = await writ.issue('amara');
    await writ.revoke(gone.id);
    await writ.restart();
    assert.equal(await status(kept.token), 200);
    assert.equal(await status(gone.token), 401);
});

test('can, who-can and check say which right, and exit as the contract says', async () => {
    const { id, token } = await writ.issue('amara');
    const yes = await writ.cli(['can', id, 'orders:GET:/v1/orders/42']);
    const no = await writ.cli(['can', token, 'orders:DELETE:/v1/orders/42']);
    assert.equal(yes.code, 0);
    assert.match(yes.out, /orders:GET\|HEAD:\/v1\/orders\/\*\*/);
    assert.equal(no.code, 1);
    assert.ok(!`${no.out}${no.err}`.includes(token));
    const stdin = await writ.cli(['can', '-', 'orders:GET:/v1/orders/42'], { input: `${token}\n` });
    assert.equal(stdin.code, 0);
    assert.equal((await writ.cli(['can', id, 'orders:GET:/x', '--socket', '/nowhere.sock'])).code, 3);
    assert.equal((await writ.cli(['can'])).code, 2);
    const checked = await writ.api('POST', '/v1/check', { token_id: id, right: 'orders:GET:/v1/orders/42/payment' });
    assert.equal(checked.status, 200);
    assert.equal(checked.json.decision, 'deny');
    assert.match((await writ.cli(['who-can', 'orders:DELETE:/v1/orders/42'])).out, /nightly/);
});

test('the API over HTTP wants a token with the right', async () => {
    const { token } = await writ.issue('amara');
    assert.equal((await writ.api('GET', '/v1/tokens', undefined, { token: 'nonsense' })).status, 401);
    const refused = await writ.api('POST', '/v1/tokens', { subject: 'amara' }, { token });
    assert.equal(refused.status, 403);
    assert.match(refused.body, /writ:tokens\.issue:amara/);
    assert.equal((await writ.ask('GET', '/check?upstream=orders', null, {
        headers: { ...bearer(token), 'x-original-method': 'GET', 'x-original-uri': PATH },
    })).status !== 200, true, 'a stranger\'s X-Original-* is not believed');
});
