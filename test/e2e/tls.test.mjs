// test/e2e/tls.test.mjs - TLS at the door and towards upstreams: versions, names,
// chains, certificates that change while it serves.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, readFileSync } from 'node:fs';
import https from 'node:https';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import tls from 'node:tls';

import { clearPlace, freePort, makePlace, run, until } from './lib/process.mjs';
import { policy, Writ } from './lib/writ.mjs';

let place, writ, upstream, upstreamPort, token;

const openssl = (...args) => execFileSync('openssl', args, { cwd: place, stdio: 'pipe' });

// NAME.key and NAME.pem, signed by CA, for the host localhost or another.
function certify(name, host, ca = 'ca') {
    openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout',
        `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
    execFileSync('sh', ['-c', `printf 'subjectAltName=${host}' > ${name}.ext`], { cwd: place });
    openssl('x509', '-req', '-in', `${name}.csr`, '-CA', `${ca}.pem`, '-CAkey', `${ca}.key`,
        '-CAcreateserial', '-days', '2', '-extfile', `${name}.ext`, '-out', `${name}.pem`);
}

function authority(name) {
    openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
        '-keyout', `${name}.key`, '-out', `${name}.pem`, '-days', '2', '-subj', `/CN=${name}`);
}

before(async () => {
    place = makePlace('tls-keys');
    authority('ca');
    authority('stranger');
    certify('door', 'DNS:localhost,IP:127.0.0.1');
    certify('next', 'DNS:localhost,IP:127.0.0.1');
    certify('inner', 'DNS:inner.test');
    copyFileSync(join(place, 'door.pem'), join(place, 'live.pem'));
    copyFileSync(join(place, 'door.key'), join(place, 'live.key'));
    upstream = https.createServer({
        key: readFileSync(join(place, 'inner.key')),
        cert: readFileSync(join(place, 'inner.pem')),
    }, (req, res) => res.end(`inner saw ${req.url} of ${req.headers['x-writ-subject']}\n`));
    upstreamPort = await freePort();
    await new Promise((done) => upstream.listen(upstreamPort, '127.0.0.1', done));

    const rules = policy(1), url = `https://127.0.0.1:${upstreamPort}`;
    rules.upstreams = {
        orders: { type: 'http', url, tls: { ca: join(place, 'ca.pem'), server_name: 'inner.test' } },
        misnamed: { type: 'http', url, tls: { ca: join(place, 'ca.pem'), server_name: 'other.test' } },
        unknown: { type: 'http', url, tls: { ca: join(place, 'stranger.pem'), server_name: 'inner.test' } },
    };
    rules.roles.everything = { allow: ['*:*:/**'] };
    const port = await freePort();
    writ = await Writ.start({
        name: 'tls',
        policy: rules,
        config: {
            gateway: {
                http: {
                    listen: `127.0.0.1:${port}`,
                    tls: { cert: join(place, 'live.pem'), key: join(place, 'live.key') },
                },
            },
        },
    });
    writ.port = port;
    ({ token } = await writ.issue('tester'));
});

after(async () => {
    await writ.close();
    upstream.close();
    upstream.closeAllConnections?.();
    clearPlace(place);
});

const curl = (path, ...more) => run('curl', ['-sS', '--max-time', '10', '--cacert', join(place, 'ca.pem'),
    '-H', `Authorization: Bearer ${token}`, '-w', '%{http_code}', ...more,
    `https://localhost:${writ.port}${path}`]);

test('curl passes, from TLS to TLS, in both versions', async () => {
    for (const version of ['1.2', '1.3']) {
        const { out, err } = await curl('/orders/v1/x?q=1', `--tlsv${version}`, '--tls-max', version);
        assert.equal(out, 'inner saw /v1/x?q=1 of tester\n200', err);
    }
});

test('older versions and clear text are refused, and the door lives on', async () => {
    const old = await curl('/orders/', '--tls-max', '1.1', '--ciphers', 'DEFAULT@SECLEVEL=0');
    assert.notEqual(old.code, 0);
    const clear = await run('curl', ['-s', '--max-time', '5', `http://127.0.0.1:${writ.port}/orders/`]);
    assert.notEqual(clear.code, 0);
    assert.match((await curl('/orders/')).out, /200$/);
});

test('a client that does not know the authority does not connect', async () => {
    const { code } = await run('curl', ['-s', '--max-time', '5', '--cacert', join(place, 'stranger.pem'),
        `https://localhost:${writ.port}/orders/`]);
    assert.equal(code, 60);
});

test('ALPN: http/1.1 is spoken, others alone are refused', async () => {
    const speak = (protocols) => new Promise((done) => {
        const socket = tls.connect({ port: writ.port, host: '127.0.0.1', servername: 'localhost',
            ca: readFileSync(join(place, 'ca.pem')), ALPNProtocols: protocols });
        socket.on('secureConnect', () => { done(socket.alpnProtocol); socket.destroy(); });
        socket.on('error', () => done('refused'));
    });
    assert.equal(await speak(['h2', 'http/1.1']), 'http/1.1');
    assert.equal(await speak(['http/1.1']), 'http/1.1');
    assert.equal(await speak(['imap']), 'refused');
});

test('a session is resumed', async () => {
    let session, reused;
    const connect = () => new Promise((done, fail) => {
        const socket = tls.connect({ port: writ.port, host: '127.0.0.1', servername: 'localhost',
            ca: readFileSync(join(place, 'ca.pem')), session });
        socket.on('error', fail);
        socket.on('session', (ticket) => { session = ticket; });
        socket.on('secureConnect', () => {
            reused = socket.isSessionReused();
            socket.write(`GET /orders/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n` +
                'Connection: close\r\n\r\n');
        });
        socket.on('data', () => {});
        socket.on('close', () => done(reused));
    });
    assert.equal(await connect(), false);
    assert.equal(await connect(), true);
});

test('an upstream with another name or of another authority is not spoken to', async () => {
    for (const name of ['misnamed', 'unknown']) {
        const { out } = await curl(`/${name}/v1/x`);
        assert.match(out, /502$/, name);
        assert.doesNotMatch(out, /inner saw/);
    }
    const lines = await writ.audit('--resource', 'unknown');
    assert.equal(lines[0].status, 502);
});

test('a new certificate is taken over by SIGHUP; a wrong one leaves the old', async () => {
    const serial = () => new Promise((done, fail) => {
        const socket = tls.connect({ port: writ.port, host: '127.0.0.1', servername: 'localhost',
            ca: readFileSync(join(place, 'ca.pem')) });
        socket.on('error', fail);
        socket.on('secureConnect', () => { done(socket.getPeerCertificate().subject.CN); socket.destroy(); });
    });
    assert.equal(await serial(), 'door');
    copyFileSync(join(place, 'inner.key'), join(place, 'live.key')); // does not fit the certificate
    writ.process.child.kill('SIGHUP');
    await until('the refusal in the log', () => /certificate|key/i.test(writ.process.output));
    assert.equal(await serial(), 'door');
    copyFileSync(join(place, 'next.pem'), join(place, 'live.pem'));
    copyFileSync(join(place, 'next.key'), join(place, 'live.key'));
    writ.process.child.kill('SIGHUP');
    await until('the new certificate', async () => await serial() === 'next');
    assert.match((await curl('/orders/')).out, /200$/);
});
