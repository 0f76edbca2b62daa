// test/e2e/smuggling.test.mjs - every ambiguous framing is refused at the raw
// socket, and the upstream sees nothing but unambiguous, re-serialised requests.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { SLACK } from './lib/process.mjs';
import { exchange, statuses } from './lib/raw.mjs';
import { Recorder } from './lib/upstream.mjs';
import { policy, Writ } from './lib/writ.mjs';

let upstream, writ, auth;

before(async () => {
    upstream = await Recorder.start();
    writ = await Writ.start({ policy: policy(upstream.port), name: 'smuggle' });
    auth = `Authorization: Bearer ${(await writ.issue('tester')).token}\r\n`;
});

after(async () => {
    await writ.close();
    await upstream.close();
});

// {A} is the Authorization line, {H} a plain Host line.
const fill = (text) => text.replaceAll('{A}', auth).replaceAll('{H}', 'Host: gw\r\n');
const GET = 'GET /orders/v1/a HTTP/1.1\r\n';
const POST = 'POST /orders/v1/a HTTP/1.1\r\n';
const SMUGGLED = 'GET /orders/v1/smuggled HTTP/1.1\r\nHost: gw\r\n\r\n';

const refused = {
    'CL and TE together': `${POST}{H}{A}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
    'TE and CL together': `${POST}{H}{A}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n${SMUGGLED}`,
    'two lengths that differ': `${POST}{H}{A}Content-Length: 5\r\nContent-Length: 0\r\n\r\nabcde`,
    'two lengths that agree': `${POST}{H}{A}Content-Length: 5\r\nContent-Length: 5\r\n\r\nabcde`,
    'a list of lengths': `${POST}{H}{A}Content-Length: 5, 5\r\n\r\nabcde`,
    'a signed length': `${POST}{H}{A}Content-Length: +5\r\n\r\nabcde`,
    'a negative length': `${POST}{H}{A}Content-Length: -1\r\n\r\n`,
    'a hexadecimal length': `${POST}{H}{A}Content-Length: 0x5\r\n\r\nabcde`,
    'a length with a blank inside': `${POST}{H}{A}Content-Length: 1 2\r\n\r\nabcde`,
    'an empty length': `${POST}{H}{A}Content-Length: \r\n\r\n`,
    'a length beyond 64 bits': `${POST}{H}{A}Content-Length: 99999999999999999999999\r\n\r\n`,
    'two transfer codings': `${POST}{H}{A}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    'an unknown coding': `${POST}{H}{A}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`,
    'chunked not last': `${POST}{H}{A}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`,
    'identity': `${POST}{H}{A}Transfer-Encoding: identity\r\n\r\n`,
    'chunked with a vertical tab': `${POST}{H}{A}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n`,
    'chunked in quotes': `${POST}{H}{A}Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n`,
    'TE in HTTP/1.0': `POST /orders/v1/a HTTP/1.0\r\n{H}{A}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    'a blank before the colon': `${POST}{H}{A}Content-Length : 5\r\n\r\nabcde`,
    'a tab before the colon': `${POST}{H}{A}Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n`,
    'obs-fold': `${GET}{H}{A}X-A: b\r\n c\r\n\r\n`,
    'obs-fold on the first line': `${GET} X: y\r\n{H}{A}\r\n`,
    'a bare CR in a value': `${GET}{H}{A}X-A: b\rTransfer-Encoding: chunked\r\n\r\n`,
    'a bare LF as line end': `${GET}{H}{A}X-A: b\nX-B: c\r\n\r\n`,
    'bare LFs everywhere': `GET /orders/v1/a HTTP/1.1\nHost: gw\n${'{A}'}\n`,
    'NUL in a value': `${GET}{H}{A}X-A: b\0c\r\n\r\n`,
    'a control character in a value': `${GET}{H}{A}X-A: b\x01c\r\n\r\n`,
    'a name with a blank': `${GET}{H}{A}X A: b\r\n\r\n`,
    'a name with a non-ASCII byte': `${GET}{H}{A}X\xe9: b\r\n\r\n`,
    'an empty name': `${GET}{H}{A}: b\r\n\r\n`,
    'a line without a colon': `${GET}{H}{A}nonsense\r\n\r\n`,
    'no Host': `${GET}{A}\r\n`,
    'two Hosts': `${GET}{H}Host: other\r\n{A}\r\n`,
    'a Host with a path': `${GET}Host: gw/x\r\n{A}\r\n`,
    'a Host with user information': `${GET}Host: a@gw\r\n{A}\r\n`,
    'absolute form that differs from Host': `GET http://evil/orders/v1/a HTTP/1.1\r\n{H}{A}\r\n`,
    'two blanks in the request line': `GET  /orders/v1/a HTTP/1.1\r\n{H}{A}\r\n`,
    'a blank in the target': `GET /orders/v1/a b HTTP/1.1\r\n{H}{A}\r\n`,
    'a tab in the request line': `GET\t/orders/v1/a HTTP/1.1\r\n{H}{A}\r\n`,
    'a fragment': `GET /orders/v1/a#b HTTP/1.1\r\n{H}{A}\r\n`,
    'HTTP/1.2': `GET /orders/v1/a HTTP/1.2\r\n{H}{A}\r\n`,
    'HTTP/11': `GET /orders/v1/a HTTP/11\r\n{H}{A}\r\n`,
    'HTTP/2 over clear text': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    'HTTP/0.9': 'GET /orders/v1/a\r\n\r\n',
    'authority form': `CONNECT orders:80 HTTP/1.1\r\n{H}{A}\r\n`,
    'a target without a slash': `GET orders/v1/a HTTP/1.1\r\n{H}{A}\r\n`,
    'a method with a control byte': `G\x01T /orders/v1/a HTTP/1.1\r\n{H}{A}\r\n`,
    'a head beyond the limit': `${GET}{H}{A}X-A: ${'a'.repeat(200000)}\r\n\r\n`,
    'too many lines': `${GET}{H}{A}${'X-A: b\r\n'.repeat(2000)}\r\n`,
    'a target beyond the limit': `GET /orders/${'a'.repeat(200000)} HTTP/1.1\r\n{H}{A}\r\n`,
    'Upgrade with a body of its own': `${POST}{H}{A}Connection: Upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked, chunked\r\n\r\n`,
    'blank first lines without end': '\r\n'.repeat(50) + `${GET}{H}{A}\r\n`,
};

for (const [name, bytes] of Object.entries(refused)) {
    test(`refused: ${name}`, async () => {
        const before = upstream.bytes.length;
        const { text, closed } = await exchange(writ.port, [fill(bytes)], { quiet: 1500 });
        const codes = statuses(text);
        assert.ok(codes.length <= 1, `one answer at most, not ${codes}`);
        if (codes.length === 1)
            assert.ok([400, 403, 404, 405, 413, 414, 417, 431, 501, 505].includes(codes[0]), `${codes[0]}`);
        assert.ok(closed, 'the connection is closed: nothing behind it is read as a request');
        assert.equal(upstream.bytes.slice(before), '', 'the upstream saw nothing');
    });
}

// Well framed and wrong all the same: one answer, nothing forwarded.
for (const [name, bytes] of Object.entries({
    'TRACE': `TRACE /orders/v1/a HTTP/1.1\r\n{H}{A}\r\n`,
    'two Authorizations': `${GET}{H}{A}{A}\r\n`,
    'OPTIONS *': `OPTIONS * HTTP/1.1\r\n{H}{A}\r\n`,
})) {
    test(`refused: ${name}`, async () => {
        const before = upstream.bytes.length;
        const { text } = await exchange(writ.port, [fill(bytes)]);
        assert.equal(statuses(text).length, 1);
        assert.ok(statuses(text)[0] >= 400);
        assert.equal(upstream.bytes.slice(before), '');
    });
}

// A body that turns out malformed after the head was fine: what follows is never a request.
const bodies = {
    'a chunk size that is no number': 'xyz\r\nabc\r\n0\r\n\r\n',
    'a chunk size with a sign': '+3\r\nabc\r\n0\r\n\r\n',
    'a chunk size with 0x': '0x3\r\nabc\r\n0\r\n\r\n',
    'a chunk size beyond 64 bits': 'fffffffffffffffff\r\nabc\r\n0\r\n\r\n',
    'a chunk size with a blank': '3 \r\nabc\r\n0\r\n\r\n',
    'a chunk with a bare LF': '3\nabc\n0\n\n',
    'a chunk longer than said': '3\r\nabcd\r\n0\r\n\r\n',
    'an extension without end': `3;${'a'.repeat(100000)}\r\nabc\r\n0\r\n\r\n`,
    'an extension with a bare CR': '3;a\rb\r\nabc\r\n0\r\n\r\n',
    'an extension with a bare LF': '3;a\nabc\r\n0\r\n\r\n',
    'a trailer that is framing': '0\r\nContent-Length: 5\r\n\r\n',
    'a trailer with obs-fold': '0\r\nX-A: b\r\n c\r\n\r\n',
    'trailers beyond the limit': `0\r\nX-A: ${'a'.repeat(200000)}\r\n\r\n`,
};

for (const [name, body] of Object.entries(bodies)) {
    test(`refused: ${name}`, async () => {
        const before = upstream.bytes.length;
        const { text, closed } = await exchange(writ.port,
            [fill(`${POST}{H}{A}Transfer-Encoding: chunked\r\n\r\n`) + body + SMUGGLED], { quiet: 1500 });
        const codes = statuses(text).filter((code) => code >= 300);
        assert.ok(codes.length <= 1 && codes.every((code) => code >= 400 && code < 600), `${codes}`);
        assert.ok(closed);
        assert.ok(!upstream.bytes.slice(before).includes('smuggled'));
        assert.ok(!/^Content-Length:/im.test(upstream.bytes.slice(before)));
    });
}

test('what the upstream sees is one clean request', async () => {
    const before = upstream.bytes.length;
    const { text } = await exchange(writ.port, [fill(
        'POST /orders/v1/./b/../a?q=1 HTTP/1.1\r\nhOST: gw\r\n{A}' +
        'Connection: keep-alive, X-Hop, close\r\nX-Hop: secret\r\nKeep-Alive: timeout=5\r\nTE: gzip\r\n' +
        'Proxy-Authorization: Basic eA==\r\nProxy-Connection: x\r\nX-Writ-Subject: root\r\nX-Kept:   v  \r\n' +
        'Transfer-Encoding: Chunked\r\n\r\n3;ext=1\r\nabc\r\n0\r\n\r\n')]);
    assert.deepEqual(statuses(text), [200]);
    const seen = upstream.bytes.slice(before);
    assert.match(seen, /^POST \/v1\/a\?q=1 HTTP\/1\.1\r\n/);
    assert.equal(seen.match(/^host:/gim).length, 1);
    assert.match(seen, /^X-Kept: v\r$/im);
    assert.match(seen, /^X-Writ-Subject: tester\r$/im);
    assert.doesNotMatch(seen, /x-hop|keep-alive: timeout|proxy-|basic|ext=1|writ_/i);
    assert.match(seen, /^transfer-encoding: chunked\r$/im);
    assert.ok(seen.endsWith('3\r\nabc\r\n0\r\n\r\n'));
    assert.doesNotMatch(seen, /[^\r]\n/);
});

test('absolute form that agrees with Host is served', async () => {
    const { text } = await exchange(writ.port, [fill('GET http://gw/orders/v1/a HTTP/1.1\r\n{H}{A}\r\n')]);
    assert.deepEqual(statuses(text), [200]);
});

test('a body that ends early does not become another request at the upstream', async () => {
    const before = upstream.bytes.length;
    await exchange(writ.port, [fill(`${POST}{H}{A}Content-Length: 100\r\n\r\n`) + SMUGGLED], { quiet: 300 });
    const { text } = await exchange(writ.port, [fill(`${GET}{H}{A}\r\n`)]);
    assert.deepEqual(statuses(text), [200]);
    assert.equal(upstream.bytes.slice(before).match(/^GET \/v1\/a HTTP/gm).length, 1);
});

const answers = {
    'CL and TE': 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'two lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde',
    'obs-fold': 'HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\nContent-Length: 0\r\n\r\n',
    'a bare CR': 'HTTP/1.1 200 OK\r\nX-A: b\rSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n',
    'no status': 'HTTP/1.1 OK\r\nContent-Length: 0\r\n\r\n',
    'junk': 'SSH-2.0-OpenSSH_9.2\r\n\r\n',
    'a head without end': `HTTP/1.1 200 OK\r\nX-A: ${'a'.repeat(300000)}\r\n\r\n`,
    'an upgrade nobody asked for': 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n',
};

for (const [name, answer] of Object.entries(answers)) {
    test(`an upstream's ambiguous answer is 502: ${name}`, async () => {
        const bad = await Recorder.start(answer);
        const put = await writ.api('PUT', '/v1/upstreams/orders2', { type: 'http', url: `http://127.0.0.1:${bad.port}` });
        assert.ok(put.status < 300, put.body);
        await writ.api('PUT', '/v1/roles/two', { allow: ['orders2:*:/**'] });
        await writ.api('PUT', '/v1/subjects/two', { type: 'service', roles: ['two'] });
        const { token } = await writ.issue('two');
        const got = await writ.get('/orders2/a', token);
        assert.equal(got.status, 502);
        assert.ok(!('set-cookie' in got.headers));
        await bad.close();
    });
}

test('slow heads and bodies cost a bounded time', { skip: !process.env.WRIT_SOAK, timeout: 300000 }, async () => {
    const start = Date.now();
    const drip = [];
    for (const byte of fill(`${GET}{H}`).slice(0, 200))
        drip.push(byte, 1000);
    const { closed } = await exchange(writ.port, drip, { quiet: 60000 });
    assert.ok(closed);
    assert.ok(Date.now() - start < 120000 * SLACK);
});

test('five hundred slow clients do not keep others out', async () => {
    const slow = Array.from({ length: 500 }, () => exchange(writ.port, ['GET /orders/v1/a HT'], { quiet: 1500 }));
    const { text } = await exchange(writ.port, [300, fill(`${GET}{H}{A}\r\n`)]);
    assert.deepEqual(statuses(text), [200]);
    await Promise.all(slow);
});
