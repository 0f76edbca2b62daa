// test/e2e/oauth.test.mjs - stock OAuth clients against a running Writ: discovery, grants,
// proofs, introspection, revocation, and protected calls through the gateway.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import * as jose from 'jose';
import * as oauth from 'oauth4webapi';
import * as oidc from 'openid-client';

import { until } from './lib/process.mjs';
import { Orders } from './lib/upstream.mjs';
import { request, Writ } from './lib/writ.mjs';

const insecure = { [oauth.allowInsecureRequests]: true };
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS = 'urn:ietf:params:oauth:token-type:access_token';
const JWT = 'urn:ietf:params:oauth:token-type:jwt';

const rules = (port) => ({
    upstreams: {
        orders: { type: 'http', url: `http://127.0.0.1:${port}` },
        tools: { type: 'http', url: `http://127.0.0.1:${port}` },
    },
    roles: {
        reader: { allow: ['orders:GET:/v1/**', 'tools:GET:/v1/**'] },
        writer: { inherits: ['reader'], allow: ['orders:POST:/v1/orders'] },
        proven: { allow: [{ right: 'orders:DELETE:/v1/orders/*', when: { proof: 'required' } }] },
        watcher: { allow: ['writ:oauth.introspect:**'] },
    },
    subjects: {
        nightly: {
            type: 'service', roles: ['writer', 'proven'],
            client: { auth: 'client_secret_basic' },
        },
        poster: { type: 'service', roles: ['reader'], client: { auth: 'client_secret_post' } },
        signer: {
            type: 'service', roles: ['reader'],
            client: { auth: 'private_key_jwt', jwks_file: 'signer.jwks' },
        },
        strict: {
            type: 'service', roles: ['reader'],
            client: { auth: 'client_secret', dpop: 'required' },
        },
        copilot: {
            type: 'agent', roles: ['writer'], client: { auth: 'client_secret', refresh: true },
        },
        jwter: {
            type: 'service', roles: ['reader'],
            client: { auth: 'client_secret', token_format: 'jwt' },
        },
        watcher: { type: 'service', roles: ['watcher'], client: { auth: 'client_secret' } },
        single: {
            type: 'service', roles: ['reader'],
            client: { auth: 'client_secret', grants: ['client_credentials'] },
        },
        amara: { type: 'user', roles: ['reader'] },
    },
});

let orders, writ, issuer, gateway, as;
const secrets = {};
const keys = {};

before(async () => {
    orders = await Orders.start();
    for (const name of ['signer', 'other']) {
        keys[name] = await jose.generateKeyPair('ES256', { extractable: true });
        keys[name].jwk = { ...await jose.exportJWK(keys[name].publicKey), kid: name };
    }
    writ = await Writ.start({
        policy: rules(orders.port), name: 'oauth', config: { lanes: 2 },
        files: { 'signer.jwks': JSON.stringify({ keys: [keys.signer.jwk] }) },
    });
    issuer = new URL(`http://127.0.0.1:${writ.apiPort}`);
    gateway = `http://127.0.0.1:${writ.port}`;
    for (const name of ['nightly', 'poster', 'strict', 'copilot', 'jwter', 'watcher', 'single'])
        secrets[name] = (await writ.json(['client', 'secret', name])).client_secret;
    as = await oauth.processDiscoveryResponse(issuer,
        await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure }));
});

after(async () => {
    await writ?.close();
    await orders?.close();
});

const basic = (name) => oauth.ClientSecretBasic(secrets[name]);

// Client credentials as oauth4webapi asks for them; the nonce round is made when asked.
async function credentials(name, { auth = basic(name), params = {}, DPoP } = {}) {
    const client = { client_id: name };
    const ask = async () => oauth.processClientCredentialsResponse(as, client,
        await oauth.clientCredentialsGrantRequest(as, client, auth, new URLSearchParams(params),
            { DPoP, ...insecure }));
    try {
        return await ask();
    } catch (error) {
        if (DPoP && oauth.isDPoPNonceError(error))
            return ask();
        throw error;
    }
}

async function exchange(name, params) {
    const client = { client_id: name };
    return oauth.processGenericTokenEndpointResponse(as, client,
        await oauth.genericTokenEndpointRequest(as, client, basic(name), EXCHANGE,
            new URLSearchParams({ subject_token_type: ACCESS, ...params }), insecure));
}

async function introspect(name, token) {
    const client = { client_id: name };
    return oauth.processIntrospectionResponse(as, client,
        await oauth.introspectionRequest(as, client, basic(name), token, insecure));
}

async function revoke(name, token) {
    return oauth.processRevocationResponse(
        await oauth.revocationRequest(as, { client_id: name }, basic(name), token, insecure));
}

const get = (token, path = '/orders/v1/orders/42') => writ.get(path, token);

async function refused(promise, error, text = /./) {
    const thrown = await promise.then(() => assert.fail(`expected ${error}`), (failure) => failure);
    // A challenge hides the error's body from the caller, but not the answer.
    const said = thrown instanceof oauth.WWWAuthenticateChallengeError ? await thrown.response.json() : thrown;
    assert.equal(said.error, error, `${thrown.message} ${said.error_description}`);
    assert.match(said.error_description, text);
}

// A POST as a client of no library makes it.
const post = (path, params, headers = {}) => request(writ.apiPort, 'POST', path, {
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    body: new URLSearchParams(params).toString(),
});
const basicHeader = (name, secret = secrets[name]) => ({
    authorization: `Basic ${Buffer.from(`${encodeURIComponent(name)}:${encodeURIComponent(secret)}`).toString('base64')}`,
});

test('metadata: what clients insist on, and nothing of a Host of their own', async () => {
    assert.equal(as.issuer, issuer.href.slice(0, -1));
    assert.equal(as.token_endpoint, `${as.issuer}/oauth/token`);
    assert.deepEqual(as.response_types_supported, ['code']);
    assert.deepEqual(as.code_challenge_methods_supported, ['S256']);
    assert.ok(as.dpop_signing_alg_values_supported.includes('ES256'));
    assert.ok(as.tls_client_certificate_bound_access_tokens);
    const evil = await request(writ.apiPort, 'GET', '/.well-known/oauth-authorization-server',
        { headers: { host: 'evil.example', 'mcp-protocol-version': '2025-11-25' } });
    assert.equal(evil.json.issuer, as.issuer);
    assert.doesNotMatch(evil.body, /evil/);
    assert.equal(evil.headers['access-control-allow-origin'], '*');
    assert.equal((await request(writ.apiPort, 'GET', '/.well-known/openid-configuration')).status, 404);
    assert.equal((await request(writ.apiPort, 'POST', '/.well-known/jwks.json')).status, 405);
    const page = await request(writ.apiPort, 'GET', '/oauth/authorize?response_type=code');
    assert.equal(page.status, 200);
    assert.match(page.body, /not enabled/);
});

test('client credentials by each way of showing who the client is', async () => {
    const plain = await credentials('nightly');
    assert.equal(plain.token_type, 'bearer');
    assert.match(plain.access_token, /^writ_/);
    assert.match(plain.scope, /orders:POST:\/v1\/orders/);
    assert.equal(plain.refresh_token, undefined);
    assert.equal((await get(plain.access_token)).status, 200);

    assert.ok(await credentials('poster', { auth: oauth.ClientSecretPost(secrets.poster) }));
    await refused(credentials('poster'), 'invalid_client');
    await refused(credentials('nightly', { auth: oauth.ClientSecretPost(secrets.nightly) }), 'invalid_client');

    const signed = await credentials('signer',
        { auth: oauth.PrivateKeyJwt({ key: keys.signer.privateKey, kid: 'signer' }) });
    assert.equal((await get(signed.access_token)).status, 200);
    await refused(credentials('signer',
        { auth: oauth.PrivateKeyJwt({ key: keys.other.privateKey, kid: 'signer' }) }), 'invalid_client');
    await refused(credentials('nightly',
        { auth: oauth.PrivateKeyJwt({ key: keys.signer.privateKey, kid: 'signer' }) }), 'invalid_client');
});

test('who is not known and who shows the wrong secret hear the same', async () => {
    const answers = await Promise.all([
        post('/oauth/token', { grant_type: 'client_credentials' }, basicHeader('nightly', secrets.poster)),
        post('/oauth/token', { grant_type: 'client_credentials' }, basicHeader('nobody', secrets.poster)),
        post('/oauth/token', { grant_type: 'client_credentials' }, basicHeader('amara', secrets.poster)),
        post('/oauth/token', { grant_type: 'client_credentials' }, basicHeader('nightly', 'x')),
    ]);
    for (const answer of answers) {
        assert.equal(answer.status, 401);
        assert.match(answer.headers['www-authenticate'], /^Basic/);
        assert.equal(answer.body, answers[0].body);
    }
});

test('what is no form, or says a thing twice, is invalid_request', async () => {
    const form = { 'content-type': 'application/x-www-form-urlencoded', ...basicHeader('nightly') };
    const ask = (body, headers = form, path = '/oauth/token') =>
        request(writ.apiPort, 'POST', path, { headers, body });
    for (const answer of [
        await ask('grant_type=client_credentials&grant_type=client_credentials'),
        await ask('grant_type=client_credentials&scope=%zz'),
        await ask('{"grant_type":"client_credentials"}', { ...form, 'content-type': 'application/json' }),
        await ask('grant_type=client_credentials', form, '/oauth/token?grant_type=client_credentials'),
        await ask(`grant_type=client_credentials&client_secret=${secrets.nightly}`),
        await ask('scope=x'),
    ]) {
        assert.equal(answer.status, 400, answer.body);
        assert.equal(answer.json.error, 'invalid_request', answer.body);
        assert.equal(answer.headers['cache-control'], 'no-store');
    }
    const chunked = await ask('grant_type=client_credentials', { ...form, 'transfer-encoding': 'chunked' });
    assert.equal(chunked.json.error, 'invalid_request');
    assert.match(chunked.json.error_description, /Content-Length/);
    assert.equal((await ask('grant_type=password')).json.error, 'unsupported_grant_type');
    assert.equal((await ask(`grant_type=client_credentials&x=${'y'.repeat(70000)}`)).json.error, 'invalid_request');
    assert.equal((await request(writ.apiPort, 'GET', '/oauth/token')).status, 405);
});

test('a scope is never more than the roles hold, and what is given is told', async () => {
    const narrow = await credentials('nightly', { params: { scope: 'orders:GET:/v1/orders/42' } });
    assert.equal(narrow.scope, 'orders:GET:/v1/orders/42');
    assert.equal((await get(narrow.access_token)).status, 200);
    const other = await get(narrow.access_token, '/orders/v1/orders/43');
    assert.equal(other.status, 403);
    assert.match(other.headers['www-authenticate'], /insufficient_scope.*orders:GET:\/v1\/orders\/43/);
    await refused(credentials('nightly', { params: { scope: 'orders:PUT:/v1/orders/42' } }),
        'invalid_scope', /orders:PUT/);
    await refused(credentials('nightly', { params: { scope: 'not a right' } }), 'invalid_scope');
});

test('a resource becomes the audience, and the token is dead elsewhere', async () => {
    const bound = await credentials('nightly', { params: { resource: `${gateway}/orders` } });
    assert.equal((await get(bound.access_token)).status, 200);
    const elsewhere = await get(bound.access_token, '/tools/v1/orders/42');
    assert.equal(elsewhere.status, 401);
    assert.match(elsewhere.headers['www-authenticate'], /invalid_token/);
    for (const resource of ['orders', `${gateway}/none`, `${gateway}/orders#x`, 'https://elsewhere.example/orders'])
        await refused(credentials('nightly', { params: { resource } }), 'invalid_target');
});

test('DPoP from the token endpoint to the upstream, with oauth4webapi', async () => {
    for (const alg of ['ES256', 'EdDSA', 'RS256', 'PS256']) {
        const pair = await oauth.generateKeyPair(alg === 'EdDSA' ? 'Ed25519' : alg);
        const DPoP = oauth.DPoP({ client_id: 'nightly' }, pair);
        const token = await credentials('nightly', { DPoP });
        assert.equal(token.token_type, 'dpop');
        const url = new URL(`${gateway}/orders/v1/orders/42`);
        const call = (method = 'GET') => oauth.protectedResourceRequest(token.access_token, method, url,
            new Headers(), null, { DPoP, ...insecure });
        assert.equal((await call()).status, 200);
        assert.equal((await call('DELETE')).status, 200); // only with a proof
        const stolen = await get(token.access_token);
        assert.equal(stolen.status, 401);
        assert.match(stolen.headers['www-authenticate'], /^DPoP/);
    }
    const bearer = await credentials('nightly');
    const unproven = await writ.ask('DELETE', '/orders/v1/orders/42', bearer.access_token);
    assert.equal(unproven.status, 401);
    await refused(credentials('strict'), 'invalid_dpop_proof');
    // Lines of two lanes stand in no order of time that could be relied on.
    const lineOf = (decision) => until(`a line that says ${decision}`,
        async () => (await writ.audit('--subject', 'nightly', '--decision', decision, '--action', 'DELETE'))[0]);
    assert.equal((await lineOf('deny')).status, 401);
    const proven = await lineOf('allow');
    assert.equal(proven.proof, 'dpop');
    assert.equal(proven.key.length, 43);
});

test('openid-client: discovery, credentials with DPoP, a protected call, introspection, revocation', async () => {
    const config = await oidc.discovery(issuer, 'nightly', undefined, oidc.ClientSecretBasic(secrets.nightly),
        { algorithm: 'oauth2', execute: [oidc.allowInsecureRequests] });
    const DPoP = oidc.getDPoPHandle(config, await oidc.randomDPoPKeyPair('ES256'));
    const token = await oidc.clientCredentialsGrant(config, { scope: 'orders:GET:/v1/**' }, { DPoP });
    const url = new URL(`${gateway}/orders/v1/orders/42`);
    const answer = await oidc.fetchProtectedResource(config, token.access_token, url, 'GET', null, undefined, { DPoP });
    assert.equal(answer.status, 200);
    const about = await oidc.tokenIntrospection(config, token.access_token);
    assert.equal(about.active, true);
    assert.equal(about.client_id, 'nightly');
    assert.ok(about.cnf.jkt);
    await oidc.tokenRevocation(config, token.access_token);
    await assert.rejects(oidc.fetchProtectedResource(config, token.access_token, url, 'GET', null, undefined, { DPoP }));
    assert.deepEqual(await oidc.tokenIntrospection(config, token.access_token), { active: false });
});

test('introspection tells those whom it concerns, and nobody else a thing', async () => {
    const token = (await credentials('nightly')).access_token;
    const about = await introspect('nightly', token);
    assert.equal(about.active, true);
    assert.equal(about.sub, 'nightly');
    assert.equal(about.iss, as.issuer);
    assert.equal((await introspect('watcher', token)).active, true);
    assert.deepEqual(await introspect('poster', token).catch((error) => error), await introspect('poster', 'x').catch((error) => error));
    const secret = await introspect('watcher', secrets.nightly);
    assert.deepEqual(secret, { active: false });
    const nobody = await post('/oauth/introspect', { token });
    assert.equal(nobody.status, 401);
    const holder = await writ.issue('watcher');
    const asked = await post('/oauth/introspect', { token }, { authorization: `Bearer ${holder.token}` });
    assert.equal(asked.json.active, true);
    await writ.revoke(about.jti);
    assert.deepEqual(await introspect('nightly', token), { active: false });
});

// An answer that has no end of its own; `end` tells how it ended.
async function openStream(token) {
    const answer = await fetch(`${gateway}/orders/v1/events`, { headers: { authorization: `Bearer ${token}` } });
    assert.equal(answer.status, 200);
    const reader = answer.body.getReader();
    assert.ok((await reader.read()).value.length > 0);
    const drain = async () => {
        for (;;)
            if ((await reader.read()).done)
                return 'ended as if it were whole';
    };
    return { end: drain().catch(() => 'cut') };
}

test('revocation: the family goes along, a stranger ends nothing', async () => {
    const token = (await credentials('nightly')).access_token;
    const child = (await exchange('copilot', { subject_token: token })).access_token;
    await revoke('poster', token).catch(() => {});
    assert.equal((await get(token)).status, 200);
    const streams = await Promise.all([token, child].map(openStream));
    await revoke('nightly', token);
    for (const stream of streams)
        assert.equal(await stream.end, 'cut');
    await until('the upstream to be left', () => orders.streams === 0);
    const answers = await Promise.all(Array.from({ length: 30 }, (_, i) => get(i % 2 ? token : child)));
    assert.ok(answers.every((answer) => answer.status === 401));
    await revoke('nightly', token);
    await revoke('nightly', 'never seen');
});

test('token exchange: a smaller child, with the chain of who acts', async () => {
    const amara = await writ.issue('amara', '--ttl', '1h');
    const given = await exchange('copilot', { subject_token: amara.token, scope: 'orders:GET:/v1/orders/42' });
    assert.equal(given.issued_token_type, ACCESS);
    assert.equal((await get(given.access_token)).status, 200);
    // copilot may write, amara may not: the child may not.
    assert.equal((await writ.ask('POST', '/orders/v1/orders', given.access_token, { body: '{}' })).status, 403);
    const about = await introspect('copilot', given.access_token);
    assert.equal(about.sub, 'amara');
    assert.equal(about.act.sub, 'copilot');
    const again = await exchange('nightly', { subject_token: given.access_token });
    const chain = await introspect('nightly', again.access_token);
    assert.deepEqual(chain.act, { sub: 'nightly', act: { sub: 'copilot' } });
    assert.ok(chain.exp <= Math.ceil(Date.parse(amara.expires_at) / 1000));

    await refused(exchange('copilot', { subject_token: given.access_token, scope: 'orders:GET:/v1/orders/43' }), 'invalid_scope');
    await refused(exchange('copilot', { subject_token: 'writ_x' }), 'invalid_request');
    await refused(exchange('copilot', { subject_token: secrets.nightly }), 'invalid_request');
    await refused(exchange('copilot', { subject_token: amara.token, actor_token: amara.token }), 'invalid_request');
    await refused(exchange('single', { subject_token: amara.token }), 'unauthorized_client');
    await writ.revoke(amara.id);
    for (const token of [given.access_token, again.access_token])
        assert.equal((await get(token)).status, 401);
    await refused(exchange('copilot', { subject_token: amara.token }), 'invalid_request');
});

test('refresh: rotated at each use, and reuse ends the family', async () => {
    const amara = await writ.issue('amara', '--ttl', '1h');
    const first = await exchange('copilot', { subject_token: amara.token });
    assert.match(first.refresh_token, /^writ_/);
    assert.equal((await get(first.refresh_token)).status, 401);
    const client = { client_id: 'copilot' };
    const refresh = async (name, token, params = {}) => oauth.processRefreshTokenResponse(as, client,
        await oauth.refreshTokenGrantRequest(as, { client_id: name }, basic(name), token,
            { additionalParameters: params, ...insecure }));
    const second = await refresh('copilot', first.refresh_token, { scope: 'orders:GET:/v1/orders/42' });
    assert.notEqual(second.refresh_token, first.refresh_token);
    assert.equal((await get(second.access_token)).status, 200);
    // The answer was lost: the same successor, within seconds.
    assert.equal((await refresh('copilot', first.refresh_token)).refresh_token, second.refresh_token);
    await refused(refresh('nightly', second.refresh_token), 'invalid_grant');
    await refused(refresh('copilot', second.refresh_token, { scope: 'orders:POST:/v1/orders' }), 'invalid_scope');
    const third = await refresh('copilot', second.refresh_token);
    assert.equal((await get(third.access_token)).status, 200);
    // An older one than the last is nobody's answer that was lost.
    await refused(refresh('copilot', first.refresh_token), 'invalid_grant');
    assert.equal((await get(third.access_token)).status, 401);
    await refused(refresh('copilot', third.refresh_token), 'invalid_grant');
});

test('JWT access tokens: by the key set, and dead at the gate when revoked', async () => {
    const token = (await credentials('jwter', { params: { resource: `${gateway}/orders` } })).access_token;
    const set = jose.createRemoteJWKSet(new URL(as.jwks_uri));
    const { payload, protectedHeader } = await jose.jwtVerify(token, set,
        { issuer: as.issuer, typ: 'at+jwt', audience: `${gateway}/orders`, algorithms: ['ES256'] });
    assert.equal(payload.client_id, 'jwter');
    assert.equal(payload.sub, 'jwter');
    assert.equal((await get(token)).status, 200);
    assert.equal((await get(token, '/tools/v1/orders/42')).status, 401);

    // Another key, another id, another payload: nothing of it passes.
    const [head, , signature] = token.split('.');
    const forged = Buffer.from(JSON.stringify({ ...payload, sub: 'amara' })).toString('base64url');
    assert.equal((await get(`${head}.${forged}.${signature}`)).status, 401);
    const foreign = await new jose.SignJWT(payload)
        .setProtectedHeader(protectedHeader).sign(keys.other.privateKey);
    assert.equal((await get(foreign)).status, 401);

    await writ.json(['keys', 'rotate']);
    assert.equal((await get(token)).status, 200);
    const known = (await request(writ.apiPort, 'GET', '/.well-known/jwks.json')).json.keys;
    assert.ok(known.length >= 2 && known.some((key) => key.kid === protectedHeader.kid));
    const fresh = (await credentials('jwter')).access_token;
    assert.notEqual(jose.decodeProtectedHeader(fresh).kid, protectedHeader.kid);
    assert.equal((await get(fresh)).status, 200);
    await writ.restart();
    assert.equal((await get(token)).status, 200);
    await writ.revoke(payload.jti);
    assert.equal((await get(token)).status, 401);

    const amara = await writ.issue('amara');
    const given = await exchange('nightly', { subject_token: amara.token, requested_token_type: JWT });
    assert.equal(given.issued_token_type, JWT);
    const claims = jose.decodeJwt(given.access_token);
    assert.equal(claims.sub, 'amara');
    assert.equal(claims.act.sub, 'nightly');
    assert.equal((await get(given.access_token)).status, 200);
});

test('protected-resource metadata, as stock clients find it', async () => {
    const unauthorized = await get(undefined);
    assert.equal(unauthorized.status, 401);
    assert.doesNotMatch(unauthorized.headers['www-authenticate'], /error/);
    const pointer = /resource_metadata="([^"]+)"/.exec(unauthorized.headers['www-authenticate'])[1];
    assert.equal(pointer, `${gateway}/.well-known/oauth-protected-resource/orders`);
    const resource = new URL(`${gateway}/orders`);
    const found = await oauth.processResourceDiscoveryResponse(resource,
        await oauth.resourceDiscoveryRequest(resource, insecure));
    assert.deepEqual(found.authorization_servers, [as.issuer]);
    assert.deepEqual(found.bearer_methods_supported, ['header']);
    assert.equal((await writ.get('/.well-known/oauth-protected-resource/none')).status, 404);
});

test('a secret rotates with overlap, and is good for nothing else', async () => {
    const next = await writ.json(['client', 'secret', 'single', '--grace', '1h']);
    assert.ok(next.predecessor.id);
    assert.ok(await credentials('single'));
    assert.ok(await credentials('single', { auth: oauth.ClientSecretBasic(next.client_secret) }));
    for (const secret of [secrets.single, next.client_secret]) {
        assert.equal((await get(secret)).status, 401);
        assert.equal((await writ.api('GET', '/v1/tokens', undefined, { token: secret })).status, 401);
    }
    await writ.revoke(next.id);
    await refused(credentials('single', { auth: oauth.ClientSecretBasic(next.client_secret) }), 'invalid_client');
    const { code, err } = await writ.cli(['client', 'secret', 'amara']);
    assert.equal(code, 1);
    assert.match(err, /no client/);
});

test('each call has its line: who, for what, and why not', async () => {
    await credentials('nightly');
    await refused(credentials('nightly', { params: { scope: 'tools:DELETE:/x' } }), 'invalid_scope');
    const lines = await until('the lines to be found', async () => {
        const found = await writ.audit('--resource', 'writ', '--action', 'oauth.token', '--subject', 'nightly', '--limit', '2');
        return found[0]?.decision === 'deny' && found;
    });
    assert.equal(lines[0].decision, 'deny');
    assert.match(lines[0].reason, /tools:DELETE/);
    assert.equal(lines[0].status, 400);
    assert.equal(lines[1].decision, 'allow');
    assert.equal(lines[1].status, 200);
    assert.equal((await writ.cli(['audit', 'verify'])).code, 0);
});

test('a page in a browser may ask for a token, and read what it is told', async () => {
    const asked = await request(writ.apiPort, 'OPTIONS', '/oauth/token', {
        headers: { origin: 'https://app.example', 'access-control-request-method': 'POST', 'access-control-request-headers': 'dpop' },
    });
    assert.equal(asked.status, 204);
    assert.equal(asked.headers['access-control-allow-origin'], '*');
    assert.match(asked.headers['access-control-allow-headers'], /DPoP/);
    const answer = await post('/oauth/token', { grant_type: 'client_credentials' }, basicHeader('nightly'));
    assert.match(answer.headers['access-control-expose-headers'], /DPoP-Nonce/);
});

test('introspection by the holder of a bound token: the nonce round is told as RFC 9449 tells it', async () => {
    const pair = await oauth.generateKeyPair('ES256', { extractable: true });
    const jkt = await jose.calculateJwkThumbprint(await jose.exportJWK(pair.publicKey));
    const holder = await writ.issue('watcher', '--bind-jkt', jkt);
    const token = (await credentials('nightly')).access_token;
    const DPoP = oauth.DPoP({ client_id: 'watcher' }, pair);
    const ask = () => oauth.protectedResourceRequest(holder.token, 'POST', new URL(as.introspection_endpoint),
        new Headers({ 'content-type': 'application/x-www-form-urlencoded' }), new URLSearchParams({ token }).toString(), { DPoP, ...insecure });
    const asked = async () => (await ask().catch((failure) => {
        assert.ok(oauth.isDPoPNonceError(failure), failure.message);
        return ask();
    })).json();
    assert.equal((await asked()).active, true);
    const stolen = await post('/oauth/introspect', { token }, { authorization: `Bearer ${holder.token}` });
    assert.equal(stolen.status, 401);
    await writ.stop();
    writ.configure({ lanes: 2, dpop: { nonce: 'required' } });
    await writ.launch();
    const proof = await new jose.SignJWT({ jti: 'one', htm: 'POST', htu: as.introspection_endpoint, iat: Math.floor(Date.now() / 1000) })
        .setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk: await jose.exportJWK(pair.publicKey) }).sign(pair.privateKey);
    const told = await post('/oauth/introspect', { token }, { authorization: `DPoP ${holder.token}`, dpop: proof });
    assert.equal(told.status, 401);
    assert.doesNotMatch(told.headers['www-authenticate'] ?? '', /use_dpop_nonce/); // ath is missing: that comes first
    assert.match(told.headers['www-authenticate'], /^DPoP .*invalid_dpop_proof/);
    const challenged = await ask().then(() => assert.fail('no nonce was asked for'), (failure) => failure);
    assert.ok(oauth.isDPoPNonceError(challenged), challenged.message);
    assert.equal((await (await ask()).json()).active, true);
});

test('too many calls of one client, or from one address, are told to wait', async () => {
    for (const limits of [{ client_calls: 3 }, { address_calls: 3 }]) {
        await writ.stop();
        writ.configure({ limits });
        await writ.launch();
        const ask = (options) => request(writ.apiPort, 'POST', '/oauth/token', {
            headers: { 'content-type': 'application/x-www-form-urlencoded', ...basicHeader('nightly'), ...options },
            body: 'grant_type=client_credentials',
        });
        for (let i = 0; i < 3; i++)
            assert.equal((await ask({})).status, 200);
        // Of a form in chunks the address alone is known.
        for (const options of limits.address_calls ? [{}, { 'transfer-encoding': 'chunked' }] : [{}]) {
            const late = await ask(options);
            assert.equal(late.status, 429, late.body);
            assert.equal(late.json.error, 'slow_down');
            assert.ok(Number(late.headers['retry-after']) > 0);
        }
    }
});

test('behind a trusted proxy each client is an address of its own, and what names none is refused', async () => {
    await writ.stop();
    writ.configure({ limits: { address_calls: 2 }, trusted_proxies: ['127.0.0.1'] });
    await writ.launch();
    const ask = (headers) => request(writ.apiPort, 'POST', '/oauth/token', {
        headers: { 'content-type': 'application/x-www-form-urlencoded', ...basicHeader('nightly'), ...headers },
        body: 'grant_type=client_credentials',
    });
    // What stands further left is the client's own claim: it makes no other address of it.
    for (const chain of ['203.0.113.7', '198.51.100.1, 203.0.113.7'])
        assert.equal((await ask({ 'x-forwarded-for': chain })).status, 200, chain);
    assert.equal((await ask({ 'x-forwarded-for': '192.0.2.9, 203.0.113.7' })).status, 429);
    assert.equal((await ask({ 'x-forwarded-for': '203.0.113.8' })).status, 200);
    assert.equal((await ask({ 'x-forwarded-for': 'nobody' })).status, 400);
    assert.equal((await ask({ 'x-forwarded-for': '203.0.113.9', forwarded: 'for=203.0.113.10' })).status, 400);
    await until('the line of a client behind the proxy',
        async () => (await writ.audit('--subject', 'nightly')).some((line) => line.peer.startsWith('203.0.113.8')));
});

test('an issuer with a path has its metadata where RFC 8414 puts it, and nowhere else', async () => {
    await writ.stop();
    const base = `http://127.0.0.1:${writ.apiPort}`;
    writ.configure({ authority: { listen: `127.0.0.1:${writ.apiPort}`, issuer: `${base}/t1` } });
    await writ.launch();
    const found = await oauth.processDiscoveryResponse(new URL(`${base}/t1`),
        await oauth.discoveryRequest(new URL(`${base}/t1`), { algorithm: 'oauth2', ...insecure }));
    assert.equal(found.issuer, `${base}/t1`);
    for (const path of ['/.well-known/oauth-authorization-server', '/t1/.well-known/oauth-authorization-server',
        '/.well-known/oauth-authorization-server/t2'])
        assert.equal((await request(writ.apiPort, 'GET', path)).status, 404, path);
});
