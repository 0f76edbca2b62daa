// test/e2e/confused_deputy.test.mjs - what could be made to act for another: an
// upstream that is Writ itself, files and commands set over HTTP, a writer of
// roles who grants more than it holds.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Orders } from './lib/upstream.mjs';
import { policy, Writ } from './lib/writ.mjs';

let orders, writ, admin, writer;

before(async () => {
    orders = await Orders.start();
    const rules = policy(orders.port);
    rules.roles.remote = { allow: ['writ:*:**', 'orders:*:/**'] };
    rules.roles.writer = {
        allow: ['writ:roles.write:*', 'writ:subjects.write:*', 'writ:tokens.issue:*', 'orders:GET:/v1/orders/**'],
    };
    rules.subjects.remote = { type: 'service', roles: ['remote'] };
    rules.subjects.writer = { type: 'user', roles: ['writer'] };
    writ = await Writ.start({ policy: rules, name: 'deputy', config: { trusted_proxies: [] } });
    admin = (await writ.issue('remote')).token;
    writer = (await writ.issue('writer')).token;
});

after(async () => {
    await writ.close();
    await orders.close();
});

const put = (path, body, token) => writ.api('PUT', path, body, { token });

test('an upstream that is one of Writ\'s own listeners is refused', async () => {
    for (const token of [undefined, admin]) {
        for (const url of [`http://127.0.0.1:${writ.apiPort}`, `http://127.0.0.1:${writ.port}`,
            `http://localhost:${writ.apiPort}/v1`, `http://[::ffff:127.0.0.1]:${writ.apiPort}`,
            `http://127.1:${writ.port}`, `http://0.0.0.0:${writ.apiPort}`, `unix://${writ.socket}`]) {
            const answer = await put('/v1/upstreams/self', { type: 'http', url }, token);
            if (answer.status < 300) {
                /* Known only by resolving it: then the request is refused. */
                await put('/v1/roles/selfish', { allow: ['self:*:/**'] });
                await put('/v1/subjects/selfish', { type: 'user', roles: ['selfish'] });
                const { token: mine } = await writ.issue('selfish');
                const got = await writ.get('/self/healthz', mine);
                assert.ok([403, 502].includes(got.status), `${url}: ${got.status}`);
            } else {
                assert.ok(answer.status >= 400 && answer.status < 500, `${url}: ${answer.status}`);
            }
        }
    }
});

test('files, commands and sockets are not set over HTTP', async () => {
    for (const definition of [
        { type: 'http', url: 'unix:///run/docker.sock' },
        { type: 'docker', url: 'unix:///run/docker.sock' },
        { type: 'http', url: `http://127.0.0.1:${orders.port}`, tls: { ca: '/etc/shadow' } },
        { type: 'postgres', address: '127.0.0.1:5432', database: 'x', login: { user: 'a', password_file: '/etc/shadow' } },
    ])
        assert.equal((await put('/v1/upstreams/files', definition, admin)).status, 403, JSON.stringify(definition));
    assert.equal((await writ.api('POST', '/v1/backup', { path: '/tmp/stolen' }, { token: admin })).status, 403);
});

test('a writer of roles grants only what it holds', async () => {
    const grant = (allow) => put('/v1/roles/made', { allow }, writer);
    assert.ok((await grant(['orders:GET:/v1/orders/42'])).status < 300);
    for (const right of ['orders:DELETE:/v1/orders/42', 'orders:*:/v1/orders/**', 'orders:GET:/**',
        'writ:tokens.revoke:*', 'writ:*:**', 'writ:roles.escalate:*', '*:*:**']) {
        const answer = await grant([right]);
        assert.ok([400, 403].includes(answer.status), `${right}: ${answer.status}`);
    }
    assert.equal((await put('/v1/roles/made', { inherits: ['remote'] }, writer)).status, 403);
    /* Nor through a subject, its own or another's, nor by a token of one that holds more. */
    assert.equal((await put('/v1/subjects/friend', { type: 'user', roles: ['remote'] }, writer)).status, 403);
    assert.ok((await put('/v1/subjects/friend', { type: 'user', roles: ['made'] }, writer)).status < 300);
    /* A deny that is dropped is a grant, too. */
    await put('/v1/roles/made', { allow: ['orders:GET:/v1/orders/42'] });
});

test('with the right to escalate it may', async () => {
    assert.ok((await put('/v1/roles/made', { allow: ['orders:DELETE:/v1/orders/42'] }, admin)).status < 300);
});

test('a token is issued only for subjects that the right names', async () => {
    await put('/v1/roles/issuer', { allow: ['writ:tokens.issue:amara'] });
    await put('/v1/subjects/issuer', { type: 'service', roles: ['issuer'] });
    const { token } = await writ.issue('issuer');
    assert.equal((await writ.api('POST', '/v1/tokens', { subject: 'remote' }, { token })).status, 403);
});

test('the gateway has no way to the API, whatever the path says', async () => {
    for (const path of ['/writ/v1/tokens', '/v1/tokens', '/authority/v1/tokens', '/metrics'])
        assert.ok((await writ.get(path, admin)).status >= 400, path);
});

test('headers that name another are not believed', async () => {
    const { token } = await writ.issue('tester');
    const echo = (await writ.get('/orders/v1/echo', token, {
        headers: {
            'x-forwarded-for': '10.9.9.9', forwarded: 'for=10.9.9.9', 'x-real-ip': '10.9.9.9',
            'x-writ-subject': 'remote', 'client-cert': ':AAAA:',
        },
    })).json;
    assert.equal(echo.headers['x-writ-subject'], 'tester');
    assert.doesNotMatch(`${echo.headers['x-forwarded-for']} ${echo.headers.forwarded}`, /10\.9\.9\.9/);
    assert.equal(echo.headers['client-cert'], undefined);
});
