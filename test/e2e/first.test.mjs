// test/e2e/first.test.mjs - the main job: a token, a request let through, one
// refused, the revocation, and the lines of all three; then what a door must carry.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createReadStream, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import http from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { run, until } from './lib/process.mjs';
import { exchange } from './lib/raw.mjs';
import { Orders } from './lib/upstream.mjs';
import { bearer, policy, Writ } from './lib/writ.mjs';

const BIG = (process.env.WRIT_SOAK ? 1024 : 64) << 20;

const secrets = mkdtempSync(join(tmpdir(), 'writ-login-'));
const secret = (name, text) => {
    const path = join(secrets, name);
    writeFileSync(path, text);
    return path;
};

let orders, writ, all;

before(async () => {
    orders = await Orders.start();
    const rules = policy(orders.port);
    rules.upstreams.keyed = { type: 'http', url: `http://127.0.0.1:${orders.port}`, api_key: true };
    rules.upstreams.based = { type: 'http', url: `http://127.0.0.1:${orders.port}/v1` };
    rules.upstreams.hosted = { type: 'http', url: `http://127.0.0.1:${orders.port}`, host: 'orders.test' };
    rules.upstreams.bearer = { type: 'http', url: `http://127.0.0.1:${orders.port}`,
        login: { bearer_file: secret('bearer', 'first-secret\n') } };
    rules.upstreams.basic = { type: 'http', url: `http://127.0.0.1:${orders.port}`,
        login: { user: 'writ', password_file: secret('password', 'pass:word') } };
    rules.upstreams.nologin = { type: 'http', url: `http://127.0.0.1:${orders.port}`,
        login: { bearer_file: join(secrets, 'missing') } };
    rules.upstreams.split = { type: 'http', url: `http://127.0.0.1:${orders.port}`,
        login: { bearer_file: secret('split', 'a\r\nX-Admin: 1') } };
    rules.upstreams.gone = { type: 'http', url: 'http://127.0.0.1:1' };
    rules.roles.everything.allow.push('keyed:*:/**', 'based:*:/**', 'hosted:*:/**', 'gone:*:/**',
        'bearer:*:/**', 'basic:*:/**', 'nologin:*:/**', 'split:*:/**');
    writ = await Writ.start({ policy: rules, name: 'first' });
    all = (await writ.issue('tester')).token;
});

after(async () => {
    await writ.close();
    await orders.close();
});

// curl as a user types it: {status, head, body}.
async function curl(...args) {
    const { code, out, err } = await run('curl', ['-sS', '-i', ...args]);
    assert.equal(code, 0, err);
    const end = out.lastIndexOf('\r\n\r\n', out.search(/\r\n\r\n(?!HTTP)/) + 1);
    const head = out.slice(0, end);
    return { status: Number(/.*HTTP\/1\.1 (\d+)/s.exec(head)[1]), head, body: out.slice(end + 4) };
}

test('one token from issue to revocation, with curl, and its lines in the audit', async () => {
    const issued = await writ.issue('amara', '--ttl', '1h', '--name', 'first');
    const url = `http://127.0.0.1:${writ.port}/orders/v1/orders/42`;
    const show = ['-H', `Authorization: Bearer ${issued.token}`];

    assert.match(issued.token, /^writ_[0-9A-Za-z]{75}$/);
    assert.equal(issued.subject, 'amara');
    assert.deepEqual(issued.roles, ['support']);
    assert.equal(typeof issued.scope, 'string');

    const allowed = await curl(...show, url);
    assert.equal(allowed.status, 200);
    assert.equal(JSON.parse(allowed.body).id, '42');

    const refused = await curl(...show, '-X', 'DELETE', url);
    assert.equal(refused.status, 403);
    assert.match(refused.head, /www-authenticate: *Bearer .*error="insufficient_scope"/i);
    assert.match(refused.head, /content-type: application\/problem\+json/i);
    assert.match(refused.body, /orders:DELETE:\/v1\/orders\/42/);

    await writ.revoke(issued.id);
    const dead = await curl(...show, url);
    assert.equal(dead.status, 401);
    assert.match(dead.head, /www-authenticate: *Bearer .*error="invalid_token"/i);

    const line = (action, decision) => until(`the line of ${action}, ${decision}`, async () =>
        (await writ.audit('--resource', 'orders', '--action', action, '--decision', decision))
            .find((one) => one.token === issued.id));
    const allow = await line('GET', 'allow');
    assert.equal(allow.object, '/v1/orders/42');
    assert.equal(allow.right, 'orders:GET|HEAD:/v1/orders/**');
    assert.equal(allow.subject, 'amara');
    assert.equal(allow.status, 200);
    const deny = await line('DELETE', 'deny');
    assert.equal(deny.subject, 'amara');
    assert.equal(deny.status, 403);
    assert.match((await line('GET', 'deny')).reason, /revoked/);
});

test('a deny beats an allow, and the list is not the tree', async () => {
    const { token } = await writ.issue('amara');
    assert.equal((await writ.get('/orders/v1/orders/42/payment', token)).status, 403);
    assert.equal((await writ.get('/orders/v1/orders/42/items', token)).status, 200);
    assert.equal((await writ.get('/orders/v1/orders', token)).status, 200);
    await writ.get('/orders/v1/orders/', token); /* one slash at the end is no part of the object */
    assert.equal(orders.seen.at(-1).url, '/v1/orders/');
    assert.equal((await writ.get('/orders/v1/events', token)).status, 403);
});

test('without a token, with a wrong one, with a typo: 401 and nothing reaches the upstream', async () => {
    const count = orders.seen.length;
    const wrong = `${all.slice(0, 30)}${all[30] === 'A' ? 'B' : 'A'}${all.slice(31)}`;

    for (const headers of [{}, bearer('garbage'), bearer(wrong), bearer(`${all}x`),
        { authorization: 'Basic YTpi' }, { authorization: 'Bearer' }]) {
        const answer = await writ.get('/orders/v1/orders/42', null, { headers });
        assert.ok([400, 401].includes(answer.status), `${JSON.stringify(headers)}: ${answer.status}`);
        if (answer.status === 401)
            assert.match(answer.headers['www-authenticate'], /^Bearer|, *Bearer/);
    }
    assert.equal(orders.seen.length, count);
});

test('the scheme is read without regard to case', async () => {
    for (const scheme of ['bearer', 'BEARER'])
        assert.equal((await writ.get('/orders/v1/echo', null,
            { headers: { authorization: `${scheme} ${all}` } })).status, 200);
});

test('an unknown upstream is refused without telling which there are', async () => {
    assert.ok([403, 404].includes((await writ.get('/nowhere/v1', all)).status));
    assert.ok([400, 403, 404].includes((await writ.get('/', all)).status));
});

test('the token never reaches the upstream; who it is does', async () => {
    const echo = (await writ.get('/orders/v1/echo', all, {
        headers: { 'x-writ-subject': 'root', 'x-writ-token-id': 'forged', 'x-other': 'kept' },
    })).json;
    assert.equal(echo.headers.authorization, undefined);
    assert.equal(echo.headers['x-writ-subject'], 'tester');
    assert.match(echo.headers['x-writ-token-id'], /^[0-9A-Za-z]{22}$/);
    assert.match(echo.headers.traceparent, /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/);
    assert.equal(echo.headers['x-other'], 'kept');
    assert.ok(!JSON.stringify(echo).includes(all));
});

test('the gateway logs in with a credential of its own, which is rotated under it', async () => {
    const sent = async (name) => (await writ.get(`/${name}/v1/echo`, all)).json.headers.authorization;

    assert.equal(await sent('bearer'), 'Bearer first-secret');
    assert.equal(await sent('basic'), `Basic ${Buffer.from('writ:pass:word').toString('base64')}`);
    secret('bearer', 'second-secret');
    await until('the new secret', async () => await sent('bearer') === 'Bearer second-secret');

    const count = orders.seen.length;
    for (const name of ['nologin', 'split'])
        assert.ok((await writ.get(`/${name}/v1/echo`, all)).status >= 502, name);
    assert.equal(orders.seen.length, count);
});

test('a token anywhere else in the head is 400', async () => {
    for (const [path, headers] of [
        [`/orders/v1/echo?key=${all}`, {}],
        [`/orders/v1/echo?access_token=${all}`, bearer(all)],
        ['/orders/v1/echo', { ...bearer(all), 'x-copy': all }],
        ['/orders/v1/echo', { ...bearer(all), cookie: `t=${all}` }],
        ['/keyed/v1/echo', { ...bearer(all), 'x-api-key': all }],
        ['/orders/v1/echo', { 'x-api-key': all }],
    ]) {
        const answer = await writ.get(path, null, { headers });
        assert.equal(answer.status, 400, `${path} ${Object.keys(headers)}`);
        assert.ok(!answer.body.includes(all));
    }
});

test('X-Api-Key where the upstream says so, taken off before forwarding', async () => {
    const answer = await writ.get('/keyed/v1/echo', null, { headers: { 'x-api-key': all } });
    assert.equal(answer.status, 200);
    assert.equal(answer.json.headers['x-api-key'], undefined);
});

test('the url\'s own path, the host mode, Location and cookies', async () => {
    assert.equal((await writ.get('/based/orders/42', all)).json.id, '42');
    assert.equal((await writ.get('/v1/orders/42', all, { headers: { host: 'orders.test' } })).json.id, '42');
    const moved = await writ.get('/orders/v1/moved', all);
    assert.equal(moved.status, 302);
    assert.equal(moved.headers.location, '/orders/v1/orders/7');
    assert.match(moved.headers['set-cookie'][0], /Path=\/orders\/v1/);
});

test('an upstream that is down is 502', async () => {
    assert.equal((await writ.get('/gone/x', all)).status, 502);
});

test('ambiguous paths are 400, what is forwarded is canonical', async () => {
    for (const path of ['/orders/v1/orders/%2e%2e%2fx', '/orders/v1%2forders', '/orders/v1/%5c',
        '/orders/v1/%00', '/orders/v1//orders', '/orders/../../etc', '/orders/v1/a;b', '/orders/v1/%3b',
        '/orders/v1/%ff', '/orders/v1/%zz', '/orders/v1/%0a'])
        assert.equal((await writ.get(path, all)).status, 400, path);
    assert.equal((await writ.get('/orders/v1/./x/../%65cho?a=%2F%2f&b', all)).json.url,
        '/v1/echo?a=%2F%2f&b');
    /* What was decided is what is forwarded: no way around a deny. */
    const { token } = await writ.issue('amara');
    for (const path of ['/orders/v1/orders/42/x/../payment', '/orders/v1/orders/42/%70ayment',
        '/orders/v1/orders/42/payment/'])
        assert.equal((await writ.get(path, token)).status, 403, path);
});

test('HEAD has no body, and the connection goes on', async () => {
    const { text } = await exchange(writ.port, [
        `HEAD /orders/v1/orders/42 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${all}\r\n\r\n`, 200,
        `GET /orders/v1/orders/43 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${all}\r\n\r\n`]);
    const [head, body] = text.split(/(?=HTTP\/1\.1)/);
    assert.match(head, /^HTTP\/1\.1 200 [^]*\r\n\r\n$/);
    assert.match(body, /^HTTP\/1\.1 200 [^]*"id":"43"/);
});

test('pipelined requests are answered in order', async () => {
    const one = (n) => `GET /orders/v1/orders/${n} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${all}\r\n\r\n`;
    const { text } = await exchange(writ.port, [one(1) + one(2) + one(3)]);
    assert.deepEqual([...text.matchAll(/"id":"(\d)"/g)].map((m) => m[1]), ['1', '2', '3']);
});

test('Expect: 100-continue is answered, and refused before the body', async () => {
    const file = join(writ.place, 'body');
    writeFileSync(file, Buffer.alloc(200000, 'b'));
    const url = `http://127.0.0.1:${writ.port}/orders/v1/upload`;
    const allowed = await curl('-H', `Authorization: Bearer ${all}`, '-H', 'Expect: 100-continue',
        '--data-binary', `@${file}`, url);
    assert.equal(allowed.status, 200);
    assert.equal(JSON.parse(allowed.body).size, 200000);

    const { token } = await writ.issue('amara');
    const { text } = await exchange(writ.port, [`POST /orders/v1/upload HTTP/1.1\r\nHost: x\r\n` +
        `Authorization: Bearer ${token}\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n`]);
    assert.match(text, /^HTTP\/1\.1 403 /);
});

test('chunked both ways, with trailers', async () => {
    const { text } = await exchange(writ.port, [`POST /orders/v1/upload HTTP/1.1\r\nHost: x\r\n` +
        `Authorization: Bearer ${all}\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n` +
        '3\r\nabc\r\n', 20, 'A\r\n0123456789\r\n0\r\nX-Sum: 9\r\n\r\n']);
    assert.match(text, /^HTTP\/1\.1 200 /);
    assert.match(text, /"size":13/);
});

test('big bodies stream through, both ways, and arrive whole', { timeout: 600000 }, async () => {
    const hash = createHash('sha256');
    let size = 0;
    await new Promise((done, fail) => {
        http.get({ port: writ.port, host: '127.0.0.1', path: `/orders/v1/big?size=${BIG}`, headers: bearer(all) },
            (answer) => {
                assert.equal(answer.statusCode, 200);
                answer.on('data', (chunk) => { size += chunk.length; });
                answer.on('end', done);
                answer.on('error', fail);
            }).on('error', fail);
    });
    assert.equal(size, BIG);

    const answer = await new Promise((done, fail) => {
        const call = http.request({
            port: writ.port, host: '127.0.0.1', method: 'POST', path: '/orders/v1/upload', headers: bearer(all),
        }, (got) => {
            let text = '';
            got.on('data', (chunk) => { text += chunk; });
            got.on('end', () => done(JSON.parse(text)));
        });
        call.on('error', fail);
        const stream = createReadStream('/dev/zero', { end: BIG - 1 });
        stream.on('data', (chunk) => hash.update(chunk));
        stream.pipe(call);
    });
    assert.equal(answer.size, BIG);
    assert.equal(answer.sha256, hash.digest('hex'));
});

test('a reader that stops does not fill the gateway\'s memory', async () => {
    const rss = async () => Number(/VmRSS:\s+(\d+)/.exec(
        (await run('cat', [`/proc/${writ.process.child.pid}/status`])).out)[1]);
    const earlier = await rss();
    const held = [];
    for (let i = 0; i < 8; i++) {
        await new Promise((done, fail) => {
            const call = http.get({ port: writ.port, host: '127.0.0.1', agent: false,
                path: `/orders/v1/big?size=${64 << 20}`, headers: bearer(all) }, (answer) => {
                answer.pause();
                held.push(call);
                done();
            });
            call.on('error', fail);
        });
    }
    await new Promise((done) => setTimeout(done, 500));
    const grown = await rss() - earlier;
    held.forEach((call) => call.on('error', () => {}).destroy());
    // Of 512 MiB; sanitizers keep freed memory for a while.
    assert.ok(grown < 48 << 10, `${grown} KiB for 8 stalled downloads`);
});

test('events arrive one by one, not at the end', async () => {
    await new Promise((done, fail) => {
        const call = http.get({ port: writ.port, host: '127.0.0.1', path: '/orders/v1/events',
            headers: bearer(all), agent: false }, (answer) => {
            let text = '';
            answer.on('error', () => {});
            answer.on('data', (chunk) => {
                text += chunk;
                if (text.includes('data: 3')) {
                    call.destroy();
                    done();
                }
            });
        });
        call.on('error', fail);
    });
    await until('the upstream to be let go', () => orders.streams === 0);
});
