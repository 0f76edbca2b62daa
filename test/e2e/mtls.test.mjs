// test/e2e/mtls.test.mjs - client certificates: tokens bound to them at the door, clients known by
// them at the authority, and those that a terminator forwards.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { clearPlace, freePort, makePlace, run, until } from './lib/process.mjs';
import { Orders } from './lib/upstream.mjs';
import { request, Writ } from './lib/writ.mjs';

let place, orders, writ, door, api;

const openssl = (...args) => execFileSync('openssl', args, { cwd: place, stdio: 'pipe' }).toString();

// A certificate of its own key, or another one over the key of NAME.
function selfSigned(name, key = name, days = '2', subject = `/CN=${name}`) {
    const fresh = key === name
        ? ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', `${key}.key`]
        : ['-key', `${key}.key`];
    openssl('req', '-x509', ...fresh, '-out', `${name}.pem`, '-days', days, '-subj', subject);
}

function signed(name, subject, names) {
    openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout',
        `${name}.key`, '-out', `${name}.csr`, '-subj', subject);
    writeFileSync(join(place, `${name}.ext`), `subjectAltName=${names}`);
    openssl('x509', '-req', '-in', `${name}.csr`, '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial',
        '-days', '2', '-extfile', `${name}.ext`, '-out', `${name}.pem`);
}

// Over the key of NAME, with an end that is past.
function expired(name, key) {
    writeFileSync(join(place, 'index.txt'), '');
    writeFileSync(join(place, 'expired.cnf'), `[ca]\ndefault_ca = one\n[one]\ndatabase = index.txt
rand_serial = yes\nnew_certs_dir = .\ndefault_md = sha256\npolicy = any\n[any]\ncommonName = supplied\n`);
    openssl('req', '-new', '-key', `${key}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
    openssl('ca', '-batch', '-notext', '-config', 'expired.cnf', '-selfsign', '-keyfile', `${key}.key`, '-in', `${name}.csr`,
        '-out', `${name}.pem`, '-startdate', '20200101000000Z', '-enddate', '20200102000000Z');
}

const derOf = (name) => Buffer.from(readFileSync(join(place, `${name}.pem`), 'utf8').replace(/-----[^-]+-----|\s/g, ''), 'base64');
const x5tOf = (name) => createHash('sha256').update(derOf(name)).digest('base64url');

const jwkOf = (name) => JSON.parse(execFileSync(process.execPath, ['--input-type=module', '-e', `
    import { createPublicKey, X509Certificate } from 'node:crypto';
    import { readFileSync } from 'node:fs';
    const key = new X509Certificate(readFileSync('${name}.pem')).publicKey;
    console.log(JSON.stringify(key.export({ format: 'jwk' })));`], { cwd: place }).toString());

before(async () => {
    place = makePlace('mtls-keys');
    selfSigned('ca');
    selfSigned('stranger');
    signed('server', '/CN=server', 'DNS:localhost,IP:127.0.0.1');
    signed('batch', '/C=DE/O=Shop, Inc./CN=batch', 'DNS:batch.internal,URI:spiffe://shop/batch,IP:10.1.2.3,email:batch@shop.example');
    selfSigned('alone');
    selfSigned('twin', 'alone');
    expired('stale', 'alone');
    selfSigned('intruder');
    selfSigned('fake', 'intruder', '2', '/C=DE/O=Shop, Inc./CN=batch');
    const tls = { cert: join(place, 'server.pem'), key: join(place, 'server.key') };
    orders = await Orders.start();
    door = await freePort();
    api = await freePort();
    const client = (auth, more = {}) => ({ type: 'service', roles: ['reader'], client: { auth, ...more } });
    writ = await Writ.start({
        name: 'mtls',
        policy: {
            upstreams: { orders: { type: 'http', url: `http://127.0.0.1:${orders.port}` } },
            roles: { reader: { allow: ['orders:GET:/v1/**', { right: 'orders:DELETE:/v1/**', when: { proof: 'required' } }] } },
            subjects: {
                amara: { type: 'user', roles: ['reader'] },
                bydn: client('tls_client_auth', { subject_dn: 'CN=batch,O=Shop\\, Inc.,C=DE' }),
                bydns: client('tls_client_auth', { san_dns: 'BATCH.internal' }),
                byuri: client('tls_client_auth', { san_uri: 'spiffe://shop/batch' }),
                byip: client('tls_client_auth', { san_ip: '10.1.2.3' }),
                bymail: client('tls_client_auth', { san_email: 'batch@shop.example' }),
                otherdn: client('tls_client_auth', { subject_dn: 'CN=batch' }),
                otherdns: client('tls_client_auth', { san_dns: 'internal' }),
                self: client('self_signed_tls_client_auth', { jwks: { keys: [jwkOf('alone')] } }),
            },
        },
        config: {
            authority: {
                listen: `127.0.0.1:${api}`, issuer: `https://localhost:${api}`,
                tls: { ...tls, client_ca: join(place, 'ca.pem'), client_cert: 'request' },
            },
            gateway: { http: { listen: `127.0.0.1:${door}`, tls: { ...tls, client_cert: 'request' } } },
        },
    });
});

after(async () => {
    await writ?.close();
    await orders?.close();
    clearPlace(place);
});

const certificate = (name) => (name ? ['--cert', join(place, `${name}.pem`), '--key', join(place, `${name}.key`)] : []);
const twin = ['--cert', () => join(place, 'twin.pem'), '--key', () => join(place, 'alone.key')];

async function curl(url, ...args) {
    const { code, out, err } = await run('curl', ['-sS', '-i', '--max-time', '10', '--cacert', join(place, 'ca.pem'),
        ...args.map((arg) => (typeof arg === 'function' ? arg() : arg)), url]);
    assert.equal(code, 0, err);
    const head = out.slice(0, out.indexOf('\r\n\r\n'));
    return { status: Number(head.split(' ')[1]), head, body: out.slice(head.length + 4) };
}

const order = (...args) => curl(`https://localhost:${door}/orders/v1/orders/42`, ...args);
const bearer = (token) => ['-H', `Authorization: Bearer ${token}`];

test('a token bound to a certificate is good with that very certificate alone', async () => {
    const { token } = await writ.issue('amara', '--bind-cert', join(place, 'alone.pem'));
    assert.equal((await order(...bearer(token), ...certificate('alone'))).status, 200);
    for (const args of [[], certificate('intruder'), twin]) {
        const answer = await order(...bearer(token), ...args);
        assert.equal(answer.status, 401);
        assert.match(answer.head, /error="invalid_token"/);
        assert.match(answer.body, /certificate/);
    }
    assert.equal((await order('-H', `Authorization: DPoP ${token}`, ...certificate('alone'))).status, 401);
    const line = await until('the line to be found',
        async () => (await writ.audit('--subject', 'amara', '--decision', 'allow', '--limit', '1'))[0]);
    assert.equal(line.proof, 'certificate');
    assert.equal(line.key.length, 43);
});

test('a token bound to a key is good with any certificate of that key', async () => {
    const { token } = await writ.issue('amara', '--bind-jwk', join(place, 'alone.key'));
    for (const args of [certificate('alone'), twin])
        assert.equal((await order(...bearer(token), ...args)).status, 200);
    assert.equal((await order('-X', 'DELETE', ...bearer(token), ...certificate('alone'))).status, 200);
    for (const args of [[], certificate('intruder')])
        assert.equal((await order(...bearer(token), ...args)).status, 401);
});

test('a certificate that has run out proves nothing, of whatever key it is', async () => {
    const { token } = await writ.issue('amara', '--bind-jwk', join(place, 'alone.key'));
    const byCertificate = await writ.issue('amara', '--bind-cert', join(place, 'stale.pem'));
    for (const [port, path, of] of [[door, '/orders/v1/orders/42', token], [door, '/orders/v1/orders/42', byCertificate.token], [api, '/healthz', token]]) {
        const { code } = await run('curl', ['-sS', '--max-time', '10', '--cacert', join(place, 'ca.pem'), ...bearer(of),
            '--cert', join(place, 'stale.pem'), '--key', join(place, 'alone.key'), `https://localhost:${port}${path}`]);
        assert.notEqual(code, 0); // the handshake ends there
    }
    assert.equal((await order(...bearer(token), ...certificate('alone'))).status, 200);
});

test('an unbound token proves nothing by a certificate that happens to be there', async () => {
    const { token } = await writ.issue('amara');
    assert.equal((await order(...bearer(token), ...certificate('alone'))).status, 200);
    assert.equal((await order('-X', 'DELETE', ...bearer(token), ...certificate('alone'))).status, 401);
});

const tokenFor = (name, ...args) => curl(`https://localhost:${api}/oauth/token`,
    '-d', 'grant_type=client_credentials', '-d', `client_id=${name}`, ...args);

test('clients are known by a name in their certificate, and their tokens bound to it', async () => {
    for (const name of ['bydn', 'bydns', 'byuri', 'byip', 'bymail']) {
        const answer = await tokenFor(name, ...certificate('batch'));
        assert.equal(answer.status, 200, `${name}: ${answer.body}`);
        const { access_token: token, token_type: type } = JSON.parse(answer.body);
        assert.equal(type, 'Bearer');
        assert.equal((await order(...bearer(token), ...certificate('batch'))).status, 200);
        assert.equal((await order(...bearer(token), ...certificate('alone'))).status, 401);
        assert.equal((await order(...bearer(token))).status, 401);
        const about = await curl(`https://localhost:${api}/oauth/introspect`, '-d', `token=${token}`, '-d', `client_id=${name}`,
            ...certificate('batch'));
        assert.equal(JSON.parse(about.body).cnf['x5t#S256'], x5tOf('batch'));
    }
    for (const name of ['otherdn', 'otherdns', 'self', 'amara', 'nobody']) {
        const answer = await tokenFor(name, ...certificate('batch'));
        assert.equal(answer.status, 401, name);
        assert.match(answer.body, /invalid_client/);
    }
    // The right name, which nobody vouches for.
    assert.equal((await tokenFor('bydn', '--cert', join(place, 'fake.pem'), '--key', join(place, 'intruder.key'))).status, 401);
    assert.equal((await tokenFor('bydn')).status, 401);
});

test('a self-signed certificate of a registered key, and no other', async () => {
    for (const args of [certificate('alone'), twin]) {
        // The authority verifies chains where it has a CA; what is not trusted is still a key.
        const { code, out } = await run('curl', ['-sS', '--cacert', join(place, 'ca.pem'), '-w', '%{http_code}', '-o', '/dev/null',
            ...args.map((arg) => (typeof arg === 'function' ? arg() : arg)),
            '-d', 'grant_type=client_credentials', '-d', 'client_id=self', `https://localhost:${api}/oauth/token`]);
        assert.equal(`${code} ${out}`, '0 200');
    }
    const { out } = await run('curl', ['-sS', '--cacert', join(place, 'ca.pem'), '-w', '%{http_code}', '-o', '/dev/null',
        ...certificate('intruder'), '-d', 'grant_type=client_credentials', '-d', 'client_id=self',
        `https://localhost:${api}/oauth/token`]);
    assert.notEqual(out, '200');
});

test('a certificate that a terminator forwards, and one that anybody forges', async () => {
    const { token } = await writ.issue('amara', '--bind-cert', join(place, 'alone.pem'));
    const der = derOf('alone');
    const field = `:${der.toString('base64')}:`;
    const forged = await order(...bearer(token), '-H', `Client-Cert: ${field}`);
    assert.equal(forged.status, 401);

    await writ.stop();
    const plain = await freePort(), plainApi = await freePort();
    writ.configure({
        authority: { listen: `127.0.0.1:${plainApi}` },
        gateway: { http: { listen: `127.0.0.1:${plain}`, url: 'https://gw.example' } },
        trusted_proxies: ['127.0.0.1'],
    });
    await writ.launch();
    const ask = (headers) => request(plain, 'GET', '/orders/v1/orders/42',
        { headers: { authorization: `Bearer ${token}`, ...headers } });
    assert.equal((await ask({ 'client-cert': field })).status, 200);
    assert.equal((await ask({})).status, 401);
    assert.equal((await ask({ 'client-cert': `:${derOf('twin').toString('base64')}:` })).status, 401);
    for (const bad of [der.toString('base64'), ':AAAA:', ':=:', `${field}, ${field}`, ':', '""'])
        assert.equal((await ask({ 'client-cert': bad })).status, 400, bad);
    const seen = orders.seen.at(-1);
    assert.equal(seen.headers['client-cert'], undefined);
});
