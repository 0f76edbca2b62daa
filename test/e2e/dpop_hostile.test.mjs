// test/e2e/dpop_hostile.test.mjs - proofs and assertions that a thief or a broken client would
// send: each is refused for its own reason, beside the one that holds.
import assert from 'node:assert/strict';
import { createHash, createPublicKey, generateKeyPairSync, randomUUID } from 'node:crypto';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import * as jose from 'jose';

import { freePort, makePlace } from './lib/process.mjs';
import { Orders } from './lib/upstream.mjs';
import { request, Writ } from './lib/writ.mjs';

let orders, writ, holder, thief, bound, free, url;

const now = () => Math.floor(Date.now() / 1000);
const ath = (token) => createHash('sha256').update(token).digest('base64url');

async function keyPair(alg) {
    const pair = await jose.generateKeyPair(alg, { extractable: true });
    const jwk = await jose.exportJWK(pair.publicKey);
    return { ...pair, alg, jwk, jkt: await jose.calculateJwkThumbprint(jwk) };
}

before(async () => {
    orders = await Orders.start();
    holder = await keyPair('ES256');
    thief = await keyPair('ES256');
    writ = await Writ.start({
        name: 'dpop',
        config: { lanes: 2 },
        policy: {
            upstreams: { orders: { type: 'http', url: `http://127.0.0.1:${orders.port}` } },
            roles: { reader: { allow: ['orders:GET|POST:/v1/**'] } },
            subjects: {
                amara: { type: 'user', roles: ['reader'] },
                signer: {
                    type: 'service', roles: ['reader'],
                    client: { auth: 'private_key_jwt', jwks: { keys: [{ ...holder.jwk, kid: 'a' }] } },
                },
            },
        },
    });
    bound = await writ.issue('amara', '--bind-jkt', holder.jkt);
    free = await writ.issue('amara');
    url = `http://127.0.0.1:${writ.port}/orders/v1/orders/42`;
});

after(async () => {
    await writ?.close();
    await orders?.close();
});

// A proof with what differs from a good one; undefined takes a member out.
async function proof({ header = {}, claims = {}, by = holder, token = bound.token } = {}) {
    const head = { typ: 'dpop+jwt', alg: by.alg, jwk: by.jwk, ...header };
    const body = { jti: randomUUID(), htm: 'GET', htu: url, iat: now(), ath: ath(token), ...claims };
    for (const object of [head, body])
        for (const [name, value] of Object.entries(object))
            if (value === undefined) delete object[name];
    return new jose.SignJWT(body).setProtectedHeader(head).sign(by.privateKey);
}

// A JWS of any bytes whatever, signed all the same.
async function raw(headerText, payloadText) {
    const head = Buffer.from(headerText).toString('base64url');
    const body = Buffer.from(payloadText).toString('base64url');
    const signed = await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' },
        await jose.importJWK({ ...await jose.exportJWK(holder.privateKey) }, 'ES256').then((key) => key),
        Buffer.from(`${head}.${body}`));
    return `${head}.${body}.${Buffer.from(signed).toString('base64url')}`;
}

// An ECDSA signature as certificates write it, which JOSE does not (RFC 7518 §3.4).
function derOf(signature) {
    const raw = Buffer.from(signature, 'base64url');
    const parts = [raw.subarray(0, 32), raw.subarray(32)].map((number) => {
        const padded = number[0] & 0x80 ? Buffer.concat([Buffer.alloc(1), number]) : number;
        return Buffer.concat([Buffer.from([2, padded.length]), padded]);
    });
    const whole = Buffer.concat(parts);
    return Buffer.concat([Buffer.from([0x30, whole.length]), whole]).toString('base64url');
}

const show = (dpop, { token = bound.token, scheme = 'DPoP', path = '/orders/v1/orders/42', headers = {} } = {}) =>
    request(writ.port, 'GET', path, {
        headers: { authorization: `${scheme} ${token}`, ...(dpop ? { dpop } : {}), ...headers },
    });

const reason = (answer) => `${answer.status} ${answer.headers['www-authenticate']}`;

function refused(answer, error, text) {
    assert.equal(answer.status, 401, answer.body);
    assert.match(answer.headers['www-authenticate'], new RegExp(`error="${error}"`), reason(answer));
    assert.match(answer.json.detail, text, answer.body);
}

test('a good proof, once', async () => {
    const good = await proof();
    assert.equal((await show(good)).status, 200);
    refused(await show(good), 'invalid_dpop_proof', /used before/);
    // The same jti of another key is another proof, of another token.
    const other = await writ.issue('amara', '--bind-jkt', thief.jkt);
    const jti = randomUUID();
    assert.equal((await show(await proof({ claims: { jti } }))).status, 200);
    assert.equal((await show(await proof({ by: thief, token: other.token, claims: { jti } }),
        { token: other.token })).status, 200);
});

test('twenty at once, over both lanes: one passes', async () => {
    for (let round = 0; round < 5; round++) {
        const one = await proof();
        const answers = await Promise.all(Array.from({ length: 20 }, () => show(one)));
        assert.equal(answers.filter((answer) => answer.status === 200).length, 1);
        for (const answer of answers.filter((each) => each.status !== 200))
            refused(answer, 'invalid_dpop_proof', /used before/);
    }
});

test('no downgrade, no other scheme, no other key', async () => {
    refused(await show(undefined, { scheme: 'Bearer' }), 'invalid_token', /show it as DPoP/);
    refused(await show(await proof(), { scheme: 'Bearer' }), 'invalid_token', /show it as DPoP/);
    refused(await show(await proof({ token: free.token }), { token: free.token }), 'invalid_token', /bound to no key/);
    assert.equal((await show(undefined, { token: free.token, scheme: 'Bearer' })).status, 200);
    assert.equal((await show(await proof(), { scheme: 'dpop' })).status, 200);
    refused(await show(undefined), 'invalid_dpop_proof', /missing/);
    refused(await show(await proof({ by: thief })), 'invalid_token', /another key/);
    refused(await show(await proof({ header: { jwk: thief.jwk } })), 'invalid_dpop_proof', /signature/);
});

test('two proofs, two Authorization headers', async () => {
    refused(await show([await proof(), await proof()]), 'invalid_dpop_proof', /more than one/);
    const two = await request(writ.port, 'GET', '/orders/v1/orders/42',
        { headers: [['authorization', `DPoP ${bound.token}`], ['authorization', `DPoP ${bound.token}`], ['dpop', await proof()], ['host', `127.0.0.1:${writ.port}`]].flat() });
    assert.equal(two.status, 400);
});

test('claims: each that is missing, of another type, or of another request', async () => {
    const cases = [
        [{ htm: 'POST' }, /method/], [{ htm: 'get' }, /method/], [{ htm: undefined }, /malformed/],
        [{ htu: undefined }, /malformed/], [{ htu: 42 }, /malformed/],
        [{ htu: url.replace('/42', '/43') }, /URL/], [{ htu: url.replace('http:', 'https:') }, /URL/],
        [{ htu: url.replace(/:\d+/, ':1') }, /URL/], [{ htu: url.replace('127.0.0.1', 'evil.example') }, /URL/],
        [{ htu: url.replace('//', '//user@') }, /URL/], [{ htu: '/orders/v1/orders/42' }, /URL/],
        [{ ath: undefined }, /another token/], [{ ath: ath(free.token) }, /another token/], [{ ath: 7 }, /malformed/],
        [{ iat: now() - 3600 }, /too old/], [{ iat: now() + 3600 }, /future/],
        [{ iat: `${now()}` }, /malformed/], [{ iat: undefined }, /malformed/], [{ iat: now() + 0.5 }, /malformed/],
        [{ iat: -1 }, /malformed/], [{ jti: undefined }, /malformed/], [{ jti: '' }, /malformed/],
        [{ jti: 'x'.repeat(300) }, /malformed/], [{ jti: 7 }, /malformed/],
    ];
    for (const [claims, text] of cases)
        refused(await show(await proof({ claims })), 'invalid_dpop_proof', text);
    refused(await show(await proof({ claims: { nonce: 'of nobody' } })), 'use_dpop_nonce', /nonce/);
});

test('a URL spelled in another way is the same URL', async () => {
    for (const htu of [
        `${url}?page=1`, `${url}#top`, url.replace('http', 'HTTP'), url.replace('/42', '/./42'),
        url.replace('/orders/42', '/x/../orders/42'), url.replace('/42', '/%34%32'),
    ])
        assert.equal((await show(await proof({ claims: { htu } }))).status, 200, htu);
    const asked = url.replace('/42', '/a%2Db');
    assert.notEqual((await show(await proof({ claims: { htu: asked } }), { path: '/orders/v1/orders/a-b' })).status, 401);
    assert.equal((await show(await proof({ claims: { htu: url } }), { path: '/orders/v1/orders/42?x=1' })).status, 200);
});

test('a proof for another server is not good here, whatever Host says', async () => {
    const claims = { htu: url.replace(/127\.0\.0\.1:\d+/, 'evil.example') };
    refused(await show(await proof({ claims }), { headers: { host: 'evil.example' } }),
        'invalid_dpop_proof', /gateway\.http\.url/);
    const forwarded = { 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'http', forwarded: 'host=evil.example' };
    refused(await show(await proof({ claims }), { headers: forwarded }), 'invalid_dpop_proof', /URL/);
    const local = url.replace('127.0.0.1', 'localhost');
    assert.equal((await show(await proof({ claims: { htu: local } }),
        { headers: { host: `localhost:${writ.port}` } })).status, 200);
});

test('headers: type, algorithm, key, crit', async () => {
    const small = generateKeyPairSync('rsa', { modulusLength: 1024 });
    const smallKey = { alg: 'RS256', privateKey: small.privateKey, jwk: small.publicKey.export({ format: 'jwk' }) };
    refused(await show(await proof({ header: { typ: 'JWT' } })), 'invalid_dpop_proof', /typ/);
    refused(await show(await proof({ header: { typ: undefined } })), 'invalid_dpop_proof', /typ/);
    refused(await show(await proof({ header: { jwk: undefined } })), 'invalid_dpop_proof', /jwk/);
    refused(await show(await proof({ header: { jwk: await jose.exportJWK(holder.privateKey) } })),
        'invalid_dpop_proof', /jwk/);
    refused(await show(await proof({ header: { jwk: { kty: 'oct', k: 'AAAA' } } })), 'invalid_dpop_proof', /jwk/);
    const head = JSON.stringify({ typ: 'dpop+jwt', alg: 'ES256', jwk: holder.jwk, crit: ['exp'] });
    refused(await show(await raw(head, JSON.stringify({
        jti: randomUUID(), htm: 'GET', htu: url, iat: now(), ath: ath(bound.token),
    }))), 'invalid_dpop_proof', /malformed/);

    // HS256 with the public key as its secret, and none.
    const secret = createPublicKey({ key: holder.jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' });
    const hmac = await new jose.SignJWT({ jti: randomUUID(), htm: 'GET', htu: url, iat: now(), ath: ath(bound.token) })
        .setProtectedHeader({ typ: 'dpop+jwt', alg: 'HS256', jwk: holder.jwk })
        .sign(new TextEncoder().encode(secret));
    refused(await show(hmac), 'invalid_dpop_proof', /alg/);
    const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const none = `${part({ typ: 'dpop+jwt', alg: 'none', jwk: holder.jwk })}.${part({ jti: 'x', htm: 'GET', htu: url, iat: now() })}.`;
    refused(await show(none), 'invalid_dpop_proof', /malformed/);
    refused(await show(`${none}AA`), 'invalid_dpop_proof', /alg/);

    // A key that is too small to be believed; jose would not even sign with it.
    const body = `${part({ typ: 'dpop+jwt', alg: 'RS256', jwk: smallKey.jwk })}.${part({ jti: randomUUID(), htm: 'GET', htu: url, iat: now(), ath: ath(bound.token) })}`;
    const { sign } = await import('node:crypto');
    refused(await show(`${body}.${sign('sha256', Buffer.from(body), small.privateKey).toString('base64url')}`),
        'invalid_dpop_proof', /jwk/);
    refused(await show(await proof({ header: { alg: 'ES256', jwk: (await keyPair('RS256')).jwk } })),
        'invalid_dpop_proof', /alg/);
});

test('bytes that are no proof', async () => {
    const good = await proof();
    const [head, body, signature] = good.split('.');
    for (const text of [
        'x', '..', 'a.b.c', `${head}.${body}`, `${good}.`, `${head}.${body}.${signature}=`,
        `${head}.${body}.`, `${head}.${body}.${'A'.repeat(86)}`, `${head}.${body}.AA`, good.replace('.', '. '),
        `${good}${'A'.repeat(20000)}`, good.slice(0, -1),
        `${head}.${body}.${derOf(signature)}`, `${head}.${body}.${Buffer.alloc(64).toString('base64url')}`,
    ]) {
        const answer = await show(text);
        assert.ok([400, 401, 431].includes(answer.status), `${answer.status} ${text.slice(0, 40)}`);
        assert.notEqual(answer.status, 200);
    }
    const claims = `{"jti":"${randomUUID()}","htm":"POST","htm":"GET","htu":"${url}","iat":${now()},"ath":"${ath(bound.token)}"}`;
    refused(await show(await raw(JSON.stringify({ typ: 'dpop+jwt', alg: 'ES256', jwk: holder.jwk }), claims)),
        'invalid_dpop_proof', /malformed/);
    const headers = `{"typ":"JWT","typ":"dpop+jwt","alg":"ES256","jwk":${JSON.stringify(holder.jwk)}}`;
    refused(await show(await raw(headers, JSON.stringify({
        jti: randomUUID(), htm: 'GET', htu: url, iat: now(), ath: ath(bound.token),
    }))), 'invalid_dpop_proof', /malformed/);
    assert.equal((await show(good)).status, 200); // nothing of it was used up
});

test('after a restart a proof from before needs a nonce, and one with a nonce of before too', async () => {
    const before = await proof();
    assert.equal((await show(before)).status, 200);
    const unused = await proof();
    await writ.restart();
    for (const old of [before, unused])
        refused(await show(old), 'use_dpop_nonce', /nonce/);
    const challenge = await show(await proof({ claims: { iat: now() - 30 } }));
    const nonce = challenge.headers['dpop-nonce'];
    assert.match(nonce, /^[\x21\x23-\x5b\x5d-\x7e]+$/);
    assert.equal((await show(await proof({ claims: { nonce } }))).status, 200);
    await writ.restart();
    const stale = await show(await proof({ claims: { nonce } }));
    refused(stale, 'use_dpop_nonce', /nonce/);
    assert.notEqual(stale.headers['dpop-nonce'], nonce);
});

test('with dpop.nonce required each end wants its own', async () => {
    await writ.stop();
    writ.configure({ lanes: 2, dpop: { nonce: 'required' } });
    await writ.launch();
    const first = await show(await proof());
    refused(first, 'use_dpop_nonce', /nonce/);
    const nonce = first.headers['dpop-nonce'];
    assert.equal((await show(await proof({ claims: { nonce } }))).status, 200);
    // The authority's is another one.
    const asked = await request(writ.apiPort, 'GET', '/v1/tokens', {
        headers: {
            authorization: `DPoP ${bound.token}`,
            dpop: await proof({ claims: { nonce, htu: `http://127.0.0.1:${writ.apiPort}/v1/tokens` } }),
        },
    });
    assert.equal(asked.status, 401);
    assert.match(asked.headers['www-authenticate'], /use_dpop_nonce/);
    const again = await request(writ.apiPort, 'GET', '/v1/tokens', {
        headers: {
            authorization: `DPoP ${bound.token}`,
            dpop: await proof({
                claims: { nonce: asked.headers['dpop-nonce'], htu: `http://127.0.0.1:${writ.apiPort}/v1/tokens` },
            }),
        },
    });
    assert.equal(again.status, 403, again.body); // proven, and without a right for it
});

test('behind a terminator: the public URL, a prefix, and forwarding headers of trusted peers alone', async () => {
    const ask = async (htu, headers = {}) =>
        (await show(await proof({ claims: { htu } }), { headers })).status;
    const forwarded = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'gw.example' };

    await writ.stop();
    writ.configure({ lanes: 2, gateway: { http: { listen: `127.0.0.1:${writ.port}`, url: 'https://gw.example/api/' } } });
    await writ.launch();
    await new Promise((done) => setTimeout(done, 2500));
    assert.equal(await ask('https://gw.example/api/orders/v1/orders/42'), 200);
    assert.equal(await ask('https://gw.example/orders/v1/orders/42'), 401);
    assert.equal(await ask(url), 401);
    assert.equal(await ask('https://evil.example/orders/v1/orders/42', { 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https' }), 401);

    await writ.stop();
    writ.configure({ lanes: 2, trusted_proxies: ['127.0.0.1'] });
    await writ.launch();
    await new Promise((done) => setTimeout(done, 2500));
    assert.equal(await ask('https://gw.example/orders/v1/orders/42', forwarded), 200);
    assert.equal(await ask('https://gw.example/api/orders/v1/orders/42', { ...forwarded, 'x-forwarded-prefix': '/api' }), 200);
    assert.equal(await ask('https://gw.example/orders/v1/orders/42', { forwarded: 'for=1.2.3.4;proto=https;host=gw.example' }), 200);
    assert.equal(await ask('https://gw.example/orders/v1/orders/42', { ...forwarded, forwarded: 'for=1.2.3.4;proto=https;host=other.example' }), 401);
    assert.equal(await ask('http://gw.example/orders/v1/orders/42', forwarded), 401);
    assert.equal(await ask(url), 200);

    // Forward-auth: the URL that the client called at the proxy.
    const check = async (htu) => (await request(writ.port, 'GET', '/check?upstream=orders', {
        headers: {
            authorization: `DPoP ${bound.token}`, dpop: await proof({ claims: { htu } }),
            'x-original-method': 'GET', 'x-original-uri': '/v1/orders/42?page=2', ...forwarded,
        },
    })).status;
    assert.equal(await check('https://gw.example/v1/orders/42'), 200);
    assert.equal(await check('https://gw.example/v1/orders/43'), 401);
    assert.equal(await check(`http://127.0.0.1:${writ.port}/check`), 401);
});

test('two nodes of one name: a proof is good at the one that gave its nonce', async () => {
    // The other one has the same keys, tokens and public URL; what it remembers is its own.
    await writ.stop();
    const other = new Writ();
    other.place = makePlace('dpop-node');
    other.apiPort = await freePort();
    other.port = await freePort();
    other.configPath = join(other.place, 'writ.yaml');
    cpSync(writ.data, other.data, { recursive: true, filter: (file) => !file.endsWith('.sock') });
    cpSync(writ.policyPath, join(other.place, 'policy.yaml'));
    for (const node of [writ, other]) {
        node.configure({
            lanes: 2, dpop: { nonce: 'required' },
            gateway: { http: { listen: `127.0.0.1:${node.port}`, url: 'https://gw.example' } },
        });
        await node.launch();
    }
    try {
        const htu = 'https://gw.example/orders/v1/orders/42';
        const at = (node, text) => request(node.port, 'GET', '/orders/v1/orders/42',
            { headers: { authorization: `DPoP ${bound.token}`, dpop: text } });
        const nonce = (await at(writ, await proof({ claims: { htu } }))).headers['dpop-nonce'];
        const one = await proof({ claims: { htu, nonce } });
        const there = await at(other, one);
        refused(there, 'use_dpop_nonce', /nonce/);
        assert.equal((await at(writ, one)).status, 200);
        for (const node of [writ, other])
            assert.equal((await at(node, one)).status, 401);
        const theirs = there.headers['dpop-nonce'];
        assert.equal((await at(other, await proof({ claims: { htu, nonce: theirs } }))).status, 200);
        refused(await at(writ, await proof({ claims: { htu, nonce: theirs } })), 'use_dpop_nonce', /nonce/);
    } finally {
        await other.close();
    }
});

// --- assertions -------------------------------------------------------------------

async function assertion({ header = {}, claims = {}, by = holder } = {}) {
    const head = { alg: by.alg, kid: 'a', ...header };
    const body = {
        iss: 'signer', sub: 'signer', aud: `http://127.0.0.1:${writ.apiPort}`, jti: randomUUID(),
        iat: now(), exp: now() + 60, ...claims,
    };
    for (const [name, value] of Object.entries(body))
        if (value === undefined) delete body[name];
    return new jose.SignJWT(body).setProtectedHeader(head).sign(by.privateKey);
}

const ask = (text) => request(writ.apiPort, 'POST', '/oauth/token', {
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({
        grant_type: 'client_credentials', client_assertion: text,
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    }).toString(),
});

test('client assertions: the good one once, the others never', async () => {
    await new Promise((done) => setTimeout(done, 2500)); // older ones than the node are not taken
    const good = await assertion();
    assert.equal((await ask(good)).status, 200, (await ask(await assertion())).body);
    const issuer = `http://127.0.0.1:${writ.apiPort}`;
    assert.equal((await ask(await assertion({ claims: { aud: `${issuer}/oauth/token` } }))).status, 200);
    const claims = (more) => JSON.stringify({
        iss: 'signer', sub: 'signer', aud: issuer, jti: randomUUID(), iat: now(), exp: now() + 60, ...more,
    });
    assert.equal((await ask(await raw('{"alg":"ES256","kid":"a"}', claims()))).status, 200);
    const other = await assertion();
    const bad = [
        good,
        await assertion({ by: thief }), await assertion({ header: { kid: 'b' } }),
        await assertion({ claims: { iss: 'amara' } }), await assertion({ claims: { sub: 'amara' } }),
        await assertion({ claims: { iss: 'amara', sub: 'amara' } }),
        await assertion({ claims: { aud: 'https://elsewhere.example' } }),
        await assertion({ claims: { aud: [issuer, 'https://elsewhere.example'] } }),
        await assertion({ claims: { aud: [issuer] } }), await assertion({ claims: { aud: undefined } }),
        await assertion({ claims: { exp: now() - 60 } }), await assertion({ claims: { exp: undefined } }),
        await assertion({ claims: { exp: now() + 7200 } }), await assertion({ claims: { nbf: now() + 600 } }),
        await assertion({ claims: { iat: now() + 600 } }), await assertion({ claims: { jti: undefined } }),
        await assertion({ claims: { jti: 'x'.repeat(1000) } }),
        await assertion({ header: { jwk: thief.jwk, kid: undefined }, by: thief }),
        await assertion({ header: { jku: 'https://elsewhere.example/keys', kid: '../../a' } }),
        await new jose.SignJWT({ iss: 'signer', sub: 'signer', aud: issuer, jti: 'h', exp: now() + 60, iat: now() })
            .setProtectedHeader({ alg: 'HS256', kid: 'a' }).sign(new TextEncoder().encode(JSON.stringify(holder.jwk))),
        `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from(JSON.stringify({ iss: 'signer', sub: 'signer', aud: issuer, jti: 'n', exp: now() + 60 })).toString('base64url')}.`,
        await raw('{"alg":"ES256","kid":"a","crit":["exp"]}', claims()),
        await raw('{"alg":"ES256","alg":"ES256","kid":"a"}', claims()),
        await raw('{"alg":"ES256","kid":"a"}', claims().replace('"iss"', '"iss":"amara","iss"')),
        await raw('{"alg":"ES256","kid":"a"}', claims({ more: 'x'.repeat(20000) })),
        other.split('.').with(2, derOf(other.split('.')[2])).join('.'),
        other.split('.').with(2, Buffer.alloc(64).toString('base64url')).join('.'),
        'x.y.z',
    ];
    for (const text of bad) {
        const answer = await ask(text);
        assert.equal(answer.status, 401, text);
        assert.equal(answer.json.error, 'invalid_client', text);
    }
    assert.equal((await ask(other)).status, 200); // nothing of it was used up
});
