// test/e2e/check_nginx.test.mjs - forward-auth: a real nginx asks /check for each request.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { freePort, Process, run } from './lib/process.mjs';
import { Orders } from './lib/upstream.mjs';
import { bearer, policy, request, Writ } from './lib/writ.mjs';

const found = (await run('sh', ['-c', 'command -v nginx || ls /usr/sbin/nginx'])).out.trim();
let orders, writ, nginx, port;

const configuration = (place) => `
daemon off;
worker_processes 1;
pid ${place}/nginx.pid;
error_log stderr warn;
events {}
http {
    access_log off;
    client_body_temp_path ${place}/t1; proxy_temp_path ${place}/t2; fastcgi_temp_path ${place}/t3;
    uwsgi_temp_path ${place}/t4; scgi_temp_path ${place}/t5;
    server {
        listen 127.0.0.1:${port};
        location / {
            auth_request /_writ;
            auth_request_set $who $upstream_http_x_writ_subject;
            proxy_set_header Authorization "";
            proxy_set_header X-Who $who;
            proxy_pass http://127.0.0.1:${orders.port};
        }
        location = /_writ {
            internal;
            proxy_pass http://127.0.0.1:${writ.port}/check?upstream=orders;
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
            proxy_set_header X-Original-Method $request_method;
            proxy_set_header X-Original-URI $request_uri;
        }
    }
}
`;

before(async () => {
    orders = await Orders.start();
    writ = await Writ.start({
        policy: policy(orders.port), config: { trusted_proxies: ['127.0.0.1'] }, name: 'nginx',
    });
    if (!found)
        return;
    port = await freePort();
    const file = join(writ.place, 'nginx.conf');
    writeFileSync(file, configuration(writ.place));
    nginx = new Process(found, ['-c', file, '-p', writ.place, '-e', 'stderr']);
    await nginx.ready(async () => (await request(port, 'GET', '/')).status > 0);
});

after(async () => {
    await nginx?.stop();
    await writ.close();
    await orders.close();
});

test('nginx lets through what the token carries, and nothing else', { skip: !found }, async () => {
    const { id, token } = await writ.issue('amara');
    const ask = (method, path, headers = bearer(token)) => request(port, method, path, { headers });

    const allowed = await ask('GET', '/v1/orders/42?x=1');
    assert.equal(allowed.status, 200);
    assert.equal(orders.seen.at(-1).headers['x-who'], 'amara');
    assert.equal(orders.seen.at(-1).headers.authorization, undefined);
    const count = orders.seen.length;
    assert.equal((await ask('DELETE', '/v1/orders/42')).status, 403);
    assert.equal((await ask('GET', '/v1/orders/42/payment')).status, 403);
    assert.equal((await ask('GET', '/v1/orders/42/%70ayment')).status, 403);
    assert.equal((await ask('GET', '/v1/orders/42', {})).status, 401);
    assert.equal((await ask('GET', '/v1/orders/42', bearer('nonsense'))).status, 401);
    await writ.revoke(id);
    assert.equal((await ask('GET', '/v1/orders/42')).status, 401);
    assert.equal(orders.seen.length, count);
});

const check = (token, headers, upstream = 'orders') =>
    writ.get(`/check?upstream=${upstream}`, token, { headers });

test('both families of headers, and who it is in the answer', async () => {
    const { id, token } = await writ.issue('amara');
    for (const family of [
        { 'x-original-method': 'GET', 'x-original-uri': '/v1/orders/42' },
        { 'x-forwarded-method': 'GET', 'x-forwarded-uri': '/v1/orders/42' },
    ]) {
        const answer = await check(token, family);
        assert.equal(answer.status, 200);
        assert.equal(answer.headers['x-writ-subject'], 'amara');
        assert.equal(answer.headers['x-writ-token-id'], id);
    }
});

test('what is missing or ambiguous is never 200', async () => {
    const { token } = await writ.issue('tester');
    const fine = { 'x-original-method': 'GET', 'x-original-uri': '/v1/a' };
    assert.equal((await check(token, fine)).status, 200);
    for (const [headers, upstream] of [
        [{}, 'orders'],
        [{ 'x-original-uri': '/v1/a' }, 'orders'],
        [{ 'x-original-method': 'GET' }, 'orders'],
        [fine, 'nowhere'],
        [fine, ''],
        [{ ...fine, 'x-original-uri': '/v1/%2e%2e%2fa' }, 'orders'],
        [{ ...fine, 'x-original-uri': '//v1/a' }, 'orders'],
        [{ ...fine, 'x-original-method': 'G T' }, 'orders'],
        [{ ...fine, 'x-forwarded-method': 'DELETE', 'x-forwarded-uri': '/v1/a' }, 'orders'],
    ])
        assert.notEqual((await check(token, headers, upstream)).status, 200, JSON.stringify([headers, upstream]));
});
