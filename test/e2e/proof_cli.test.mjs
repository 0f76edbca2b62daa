// test/e2e/proof_cli.test.mjs - proof of possession as people use it: keys, curl with a proof, a
// local port, tokens that renew themselves, and a token handed on to another key.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { freePort, Process, run, sleep, until } from './lib/process.mjs';
import { Orders } from './lib/upstream.mjs';
import { connectWebSocket } from './lib/websocket.mjs';
import { PROGRAM, request, Writ } from './lib/writ.mjs';

let orders, writ, key, jkt, url;

before(async () => {
    orders = await Orders.start();
    writ = await Writ.start({
        name: 'proof', config: { lanes: 2 },
        policy: {
            upstreams: { orders: { type: 'http', url: `http://127.0.0.1:${orders.port}` } },
            roles: {
                reader: { allow: ['orders:GET|POST:/**'] },
                renewer: { allow: ['writ:tokens.rotate:self'] },
            },
            subjects: { nightly: { type: 'service', roles: ['reader', 'renewer'] } },
        },
    });
    key = join(writ.place, 'nightly.key');
    ({ jkt } = await writ.json(['key', 'new', key]));
    url = `http://127.0.0.1:${writ.port}/orders/v1/orders/42`;
});

after(async () => {
    await writ?.close();
    await orders?.close();
});

const issue = (...more) => writ.issue('nightly', '--bind-jwk', key, ...more);
const withToken = (token, more = {}) => ({ env: { ...process.env, WRIT_TOKEN: token, ...more } });
const statusOf = (port, path = '/v1/orders/42', options = {}) => request(port, 'GET', path, options).then((answer) => answer.status);

async function tokenFile(name, ...more) {
    const issued = await issue(...more);
    const file = join(writ.place, name);
    writeFileSync(file, `${issued.token}\n`, { mode: 0o600 });
    return { ...issued, file };
}

test('a key is made once, for its owner alone', async () => {
    assert.equal(statSync(key).mode & 0o777, 0o600);
    const again = await writ.cli(['key', 'new', key]);
    assert.equal(again.code, 1);
    assert.match(again.err, /is there already/);
    assert.equal((await writ.json(['key', 'show', key])).jkt, jkt);
    for (const alg of ['EdDSA', 'RS256'])
        assert.equal((await writ.json(['key', 'new', join(writ.place, alg), '--alg', alg])).alg, alg);
    assert.equal((await writ.cli(['key', 'new', join(writ.place, 'x'), '--alg', 'HS256'])).code, 2);
    await run('chmod', ['644', join(writ.place, 'EdDSA')]);
    const open = await writ.cli(['key', 'show', join(writ.place, 'EdDSA')]);
    assert.equal(open.code, 1);
    assert.match(open.err, /chmod 600/);
});

test('writ proof prints the header for one request', async () => {
    const { token, cnf } = await issue();
    assert.equal(cnf.jkt, jkt);
    const made = await writ.cli(['proof', '--key', key, '--url', url], withToken(token));
    assert.match(made.out, /^DPoP: ey/);
    const show = (text) => run('curl', ['-sS', '-o', '/dev/null', '-w', '%{http_code}', '-H', `Authorization: DPoP ${token}`,
        '-H', text.trim(), url]);
    assert.equal((await show(made.out)).out, '200');
    assert.equal((await show(made.out)).out, '401');
    assert.doesNotMatch(made.out, /writ_/);
});

test('writ curl adds token and proof, and keeps both from the list of processes', async () => {
    const { token } = await issue();
    const curl = (...args) => writ.cli(['curl', '--key', key, '-sS', ...args], withToken(token));
    assert.equal(JSON.parse((await curl(url)).out).id, '42');
    const head = await curl('-i', url);
    assert.match(head.out, /^HTTP\/1\.1 200/);
    const posted = await curl('-d', '{"item":"pen"}', '-w', '%{http_code}', '-o', '/dev/null', url.replace('/42', ''));
    assert.match(posted.out, /^20\d$/);
    const denied = await curl('-X', 'DELETE', '-w', '%{http_code}', '-o', '/dev/null', url);
    assert.equal(denied.out, '403');
    assert.equal((await writ.cli(['curl', '--key', key, '-s'], withToken(token))).code, 2);

    const slow = new Process(PROGRAM, ['curl', '--key', key, '-sS', url.replace('/orders/42', '/events')],
        { cwd: writ.place, ...withToken(token) });
    await sleep(300);
    const processes = await run('ps', ['-ewwo', 'args']);
    assert.doesNotMatch(processes.out, new RegExp(token.slice(0, 40)));
    await slow.stop('SIGKILL');
});

test('writ curl makes the nonce round by itself', async () => {
    const { token } = await issue();
    await writ.stop();
    writ.configure({ lanes: 2, dpop: { nonce: 'required' } });
    await writ.launch();
    const before = orders.seen.length;
    const got = await writ.cli(['curl', '--key', key, '-sS', url], withToken(token));
    assert.equal(JSON.parse(got.out).id, '42');
    assert.equal(orders.seen.length, before + 1);
});

test('commands over HTTP prove the key, too', async () => {
    const { token, id } = await issue();
    const rotate = (more) => writ.cli(['token', 'rotate', id, '--url', `http://127.0.0.1:${writ.apiPort}`, ...more, '-o', 'json'], withToken(token));
    const bare = await rotate([]);
    assert.equal(bare.code, 1);
    assert.match(bare.err, /show it as DPoP/);
    const proven = await rotate(['--key', key]);
    assert.equal(proven.code, 0, proven.err);
    assert.equal(JSON.parse(proven.out).predecessor.id, id);
});

test('writ connect: any client has proof, the token renews itself, and a revoke is told plainly', async () => {
    const { file, id } = await tokenFile('connect.token', '--ttl', '1h');
    const port = await freePort();
    const connect = new Process(PROGRAM, ['connect', 'orders', '--port', `${port}`, '--key', key, '--token-file', file,
        '--gateway', `http://127.0.0.1:${writ.port}`, '--url', `http://127.0.0.1:${writ.apiPort}`], { cwd: writ.place });
    await connect.ready(async () => (await statusOf(port)) === 200);

    // A body is sent once, with the nonce round before it; and is not sent in vain.
    const body = 'x'.repeat(200000);
    const posted = await request(port, 'POST', '/v1/orders', { body, headers: { 'content-type': 'application/json' } });
    assert.notEqual(posted.status, 401);
    const evil = await request(port, 'GET', '/v1/orders/42', { headers: { host: 'evil.example' } });
    assert.equal(evil.status, 403);
    const own = await request(port, 'GET', '/v1/orders/42', { headers: { authorization: 'Bearer x', dpop: 'y' } });
    assert.equal(own.status, 200);

    // A WebSocket passes, and falls when the gateway goes.
    const { status, peer } = await connectWebSocket(port, '/v1/ws');
    assert.equal(status, 101);
    for (const size of [1, 70000, 1 << 20]) {
        const sent = randomBytes(size), back = peer.next();
        peer.send(sent);
        assert.deepEqual(await back, sent);
    }

    // It asked for a successor at once, as nobody had written down when this one ends.
    await until('the token to be renewed', () => readFileSync(file, 'utf8').trim() !== '' &&
        JSON.parse(readFileSync(`${file}.json`, 'utf8')).id !== id);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const renewed = JSON.parse(readFileSync(`${file}.json`, 'utf8'));

    const dropped = peer.closed;
    await writ.restart();
    await dropped;
    await until('the gateway to be back behind it', async () => (await statusOf(port)) === 200);

    await writ.revoke(renewed.id);
    const dead = await request(port, 'GET', '/v1/orders/42');
    assert.equal(dead.status, 401);
    assert.match(dead.body, /revoked/);
    await until('it to say so', () => /revoked/.test(connect.output));
    assert.doesNotMatch(connect.output, /writ_/);
    assert.deepEqual(await connect.stop(), { code: 0, signal: null });
});

test('writ agent: rotates at a part of the life, writes whole files, runs the hook', async () => {
    const { file, id } = await tokenFile('agent.token', '--ttl', '6s');
    const hook = join(writ.place, 'hook.log');
    const agent = new Process(PROGRAM, ['agent', '--key', key, '--token-file', file, '--hook', `cat "$WRIT_TOKEN_FILE" >> ${hook}`,
        '--url', `http://127.0.0.1:${writ.apiPort}`], { cwd: writ.place });
    await until('three rotations', () => (agent.output.match(/renewed/g) ?? []).length >= 3, { within: 30000 });
    const kept = readFileSync(hook, 'utf8').trim().split('\n');
    assert.ok(kept.length >= 2);
    assert.equal(new Set(kept).size, kept.length);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const token = readFileSync(file, 'utf8').trim();
    assert.equal((await writ.cli(['curl', '--key', key, '-sS', '-o', '/dev/null', '-w', '%{http_code}', url], withToken(token))).out, '200');
    const now = JSON.parse(readFileSync(`${file}.json`, 'utf8')).id;
    assert.notEqual(now, id);
    await writ.revoke(now);
    const end = await agent.exited;
    assert.equal(end.code, 1);
    assert.match(agent.output, /revoked/);
    assert.doesNotMatch(agent.output, /writ_/);
});

test('who still shows the token before, the authority knows', async () => {
    const { token, id } = await issue('--ttl', '1h');
    const next = await writ.json(['token', 'rotate', id, '--grace', '30m']);
    await writ.cli(['curl', '--key', key, '-sS', url], withToken(token));
    const shown = await until('the line to be found', async () => {
        const about = await writ.json(['token', 'show', next.id]);
        return about.predecessor.holders?.length > 0 && about;
    });
    assert.equal(shown.predecessor.id, id);
    assert.match(shown.predecessor.holders[0].peer, /127\.0\.0\.1/);
    const text = await writ.cli(['token', 'show', next.id]);
    assert.match(text.out, /still used by/);
});

test('a bound token is handed on to another key by leave of its own', async () => {
    const { token } = await issue();
    const heir = join(writ.place, 'heir.key');
    const { jkt: heirs } = await writ.json(['key', 'new', heir]);
    const handed = await writ.cli(['token', 'attenuate', '--bind-jkt', heirs, '--key', key, '--scope', 'orders:GET:/v1/orders/42'],
        { input: token });
    assert.equal(handed.code, 0, handed.err);
    const narrow = handed.out.trim();
    const ask = (with_, text, path = url) => writ.cli(['curl', '--key', with_, '-sS', '-o', '/dev/null', '-w', '%{http_code}', path], withToken(text));
    assert.equal((await ask(heir, narrow)).out, '200');
    assert.equal((await ask(heir, narrow, url.replace('42', '43'))).out, '403');
    assert.equal((await ask(key, narrow)).out, '401');
    // A thief with the text and a key of its own.
    const stolen = await writ.cli(['token', 'attenuate', '--bind-jkt', heirs], { input: token });
    assert.equal((await ask(heir, stolen.out.trim())).out, '401');
});
