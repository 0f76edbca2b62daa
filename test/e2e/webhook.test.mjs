// test/e2e/webhook.test.mjs - a receiver is told of what becomes of approvals, signed, until it has
// taken it; no call waits for it, and it can't be used to reach what it must not.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { clearPlace, freePort, makePlace, run, until } from './lib/process.mjs';
import { bearer, PROGRAM, request, Writ } from './lib/writ.mjs';

const SECRET = 'an example of a secret, 32 bytes or more';
const approval = { by: ['lead'], within: '3s', for: 'once' };
let upstream, url, place;

before(async () => {
    place = makePlace('webhook-receiver');
    upstream = http.createServer((req, res) => req.resume().on('end', () => res.end('{}')));
    await new Promise((done) => upstream.listen(0, '127.0.0.1', done));
    url = `http://127.0.0.1:${upstream.address().port}`;
});

after(() => {
    upstream?.close();
    upstream?.closeAllConnections();
    clearPlace(place);
});

const policy = () => ({
    upstreams: { orders: { type: 'http', url } },
    roles: {
        worker: { allow: [{ right: 'orders:DELETE:/v1/**', when: { approval } }, { right: 'orders:PUT:/v1/**', when: { approval: { ...approval, for: '1h' } } }, 'writ:grants.request:*'] },
        lead: { allow: ['writ:approvals.read|approvals.answer:*'] },
        oncall: { allow: ['orders:GET:/**'], grantable: { by: ['lead'], for: '1h' } },
    },
    subjects: { bot: { type: 'agent', roles: ['worker'] }, boss: { type: 'user', roles: ['lead'] } },
});

// Keeps what it is sent; `answer` says what it says to it.
class Receiver {
    constructor(tls) {
        this.seen = [];
        this.answer = (req, res) => res.writeHead(204).end();
        const take = (req, res) => {
            let text = '';
            req.on('data', (bytes) => { text += bytes; }).on('end', () => {
                this.seen.push({ url: req.url, method: req.method, headers: req.headers, text, body: JSON.parse(text) });
                this.answer(req, res);
            });
        };
        this.server = tls ? https.createServer(tls, take) : http.createServer(take);
    }

    listen(port = 0) {
        return new Promise((done) => this.server.listen(port, '127.0.0.1', () => done(this.server.address().port)));
    }

    close() {
        this.server.close();
        this.server.closeAllConnections();
    }

    told(type, object) {
        return until(`${type} of ${object}`, () => this.seen.find((one) => one.body.type === type && one.body.approval.object === object), { within: 20000 });
    }
}

async function start(webhook, files = {}) {
    const writ = await Writ.start({
        name: 'webhook',
        policy: policy(),
        config: { approvals: { webhook: { secret_file: 'secrets/hook', ...webhook } } },
        files: { 'secrets/hook': `${SECRET}\n`, ...files },
    });
    writ.agent = (await writ.issue('bot')).token;
    writ.lead = (await writ.issue('boss')).token;
    return writ;
}

const call = (writ, method, path, headers) => request(writ.port, method, `/orders${path}`, { headers: { ...bearer(writ.agent), ...headers } });
const api = (writ, token, method, path, body) => request(writ.apiPort, method, path, { headers: { ...bearer(token), 'content-type': 'application/json' }, body: body && JSON.stringify(body) });
const metric = async (writ, name) => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec((await writ.api('GET', '/metrics')).body)[1]);

function verify({ headers, text, body }, key = SECRET) {
    const time = Number(headers['webhook-timestamp']);
    assert.ok(Math.abs(Date.now() / 1000 - time) < 60);
    const mac = createHmac('sha256', key).update(`${headers['webhook-id']}.${time}.${text}`).digest('base64');
    assert.equal(headers['webhook-signature'], `v1,${mac}`);
    assert.equal(headers['webhook-id'], body.id);
    assert.match(body.id, /^msg_[0-9a-f]{32}$/);
}

test('requested, approved, refused, withdrawn, expired, gone: each is told, with the call, and signed', async () => {
    const receiver = new Receiver();
    const writ = await start({ url: `http://127.0.0.1:${await receiver.listen()}/hook?of=writ` });

    try {
        const waiting = call(writ, 'DELETE', '/v1/42?why=closed', { 'user-agent': Buffer.from('an \xff agent', 'latin1').toString('latin1') });
        const asked = await receiver.told('approval.requested', '/v1/42');
        verify(asked);
        assert.equal(asked.url, '/hook?of=writ');
        assert.equal(asked.method, 'POST');
        assert.equal(asked.headers['content-type'], 'application/json');
        assert.equal(asked.body.approval.state, 'pending');
        assert.equal(asked.body.approval.call, 'DELETE /v1/42?why=closed');
        assert.equal(asked.body.approval.agent, 'an \\xFF agent');
        assert.deepEqual(asked.body.approval, (await api(writ, writ.lead, 'GET', `/v1/approvals/${asked.body.approval.id}`)).json);
        assert.equal((await api(writ, writ.lead, 'POST', `/v1/approvals/${asked.body.approval.id}/approve`, { reason: 'fine' })).status, 200);
        assert.equal((await waiting).status, 200);
        const approved = await receiver.told('approval.approved', '/v1/42');
        verify(approved);
        assert.equal(approved.body.approval.id, asked.body.approval.id);
        assert.equal(approved.body.approval.answered_by, 'boss');
        assert.equal(approved.body.approval.reason, 'fine');
        assert.notEqual(approved.body.id, asked.body.id);

        const second = call(writ, 'DELETE', '/v1/no');
        const { id } = (await receiver.told('approval.requested', '/v1/no')).body.approval;
        await api(writ, writ.lead, 'POST', `/v1/approvals/${id}/refuse`, { reason: 'no' });
        assert.equal((await second).status, 403);
        verify(await receiver.told('approval.refused', '/v1/no'));

        const third = call(writ, 'PUT', '/v1/long');
        const long = (await receiver.told('approval.requested', '/v1/long')).body.approval.id;
        await api(writ, writ.lead, 'POST', `/v1/approvals/${long}/approve`);
        assert.equal((await third).status, 200);
        await api(writ, writ.lead, 'POST', `/v1/approvals/${long}/refuse`);
        verify(await receiver.told('approval.withdrawn', '/v1/long'));

        const left = http.request({ host: '127.0.0.1', port: writ.port, method: 'DELETE', path: '/orders/v1/left', headers: bearer(writ.agent), agent: false });
        left.on('error', () => {}).end();
        await receiver.told('approval.requested', '/v1/left');
        left.destroy();
        verify(await receiver.told('approval.gone', '/v1/left'));

        assert.equal((await call(writ, 'DELETE', '/v1/late')).status, 403);
        verify(await receiver.told('approval.expired', '/v1/late'));

        assert.equal((await api(writ, writ.agent, 'POST', '/v1/grants', { role: 'oncall', reason: 'stuck' })).status < 300, true);
        const grant = await receiver.told('approval.requested', 'oncall');
        assert.equal(grant.body.approval.subject, 'bot');

        assert.equal(new Set(receiver.seen.map((one) => one.body.id)).size, receiver.seen.length);
        assert.equal(await metric(writ, 'writ_webhooks_sent_total'), receiver.seen.length);
        assert.equal(await metric(writ, 'writ_webhooks_dropped_total'), 0);
        assert.doesNotMatch(writ.process.output + JSON.stringify(receiver.seen), /an example of a secret|writ_[0-9A-Za-z]{40}/);
    } finally {
        await writ.close();
        receiver.close();
    }
});

test('a receiver that is down, then wrong, then up is told in the end, by the same id; the call waits for nobody', async () => {
    const receiver = new Receiver();
    const port = await freePort();
    const writ = await start({ url: `http://127.0.0.1:${port}/secret-path` });
    let tries = 0;

    receiver.answer = (req, res) => res.writeHead(++tries === 1 ? 500 : 200).end();
    try {
        const began = Date.now();
        const waiting = call(writ, 'DELETE', '/v1/down');
        const item = await until('the call', async () => (await api(writ, writ.lead, 'GET', '/v1/approvals?state=pending')).json.items[0]);
        await api(writ, writ.lead, 'POST', `/v1/approvals/${item.id}/approve`);
        assert.equal((await waiting).status, 200);
        assert.ok(Date.now() - began < 2500);
        await until('the failure', () => /was not taken, and will be sent again/.test(writ.process.output));
        await receiver.listen(port);
        await receiver.told('approval.requested', '/v1/down');
        await receiver.told('approval.approved', '/v1/down');
        await until('both', () => receiver.seen.length === 3, { within: 20000 });
        receiver.seen.forEach((one) => verify(one));
        assert.equal(new Set(receiver.seen.map((one) => one.body.id)).size, 2);
        await until('the end of it', () => /are taken again/.test(writ.process.output));
        assert.equal(writ.process.output.split('was not taken').length, 2);
        assert.doesNotMatch(writ.process.output, /secret-path/);
        assert.equal(await metric(writ, 'writ_webhooks_sent_total'), 2);
        assert.ok(await metric(writ, 'writ_webhooks_failed_total') >= 2);
        assert.equal(await metric(writ, 'writ_webhooks_waiting'), 0);
    } finally {
        await writ.close();
        receiver.close();
    }
});

test('a redirect is not followed', async () => {
    const other = new Receiver(), receiver = new Receiver();
    const target = await other.listen();
    const writ = await start({ url: `http://127.0.0.1:${await receiver.listen()}/` });

    receiver.answer = (req, res) => res.writeHead(307, { location: `http://127.0.0.1:${target}/` }).end();
    try {
        await call(writ, 'DELETE', '/v1/moved');
        await until('a second try', () => receiver.seen.length >= 2);
        assert.equal(other.seen.length, 0);
        assert.match(writ.process.output, /the receiver answered 307/);
    } finally {
        await writ.close();
        receiver.close();
        other.close();
    }
});

test('it does not lead to the process itself', async () => {
    const writ = await start({ url: 'http://localhost:1/' });

    try {
        await writ.stop();
        writ.configure({ approvals: { webhook: { url: `http://localhost:${writ.apiPort}/v1/apply`, secret_file: 'secrets/hook' } } });
        await writ.launch();
        await call(writ, 'DELETE', '/v1/self');
        await until('the refusal', () => /one that this process itself listens on/.test(writ.process.output));
    } finally {
        await writ.close();
    }
});

test('https: by the authority that is named, for the name that it is reached under', async () => {
    const key = join(place, 'key.pem'), cert = join(place, 'cert.pem');
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=localhost',
        '-addext', 'subjectAltName=DNS:localhost', '-keyout', key, '-out', cert], { stdio: 'ignore' });
    const receiver = new Receiver({ key: readFileSync(key), cert: readFileSync(cert) });
    const port = await receiver.listen();
    const secret = Buffer.alloc(32, 7);
    const writ = await start({ url: `https://localhost:${port}/`, ca: cert }, { 'secrets/hook': `whsec_${secret.toString('base64')}\n` });

    try {
        await call(writ, 'DELETE', '/v1/tls');
        verify(await receiver.told('approval.requested', '/v1/tls'), secret);
        const count = receiver.seen.length;
        for (const webhook of [{ url: `https://localhost:${port}/` }, { url: `https://127.0.0.1:${port}/`, ca: cert }]) {
            await writ.stop();
            writ.configure({ approvals: { webhook: { secret_file: 'secrets/hook', ...webhook } } });
            await writ.launch();
            const before = await metric(writ, 'writ_webhooks_failed_total');
            await call(writ, 'DELETE', '/v1/tls-wrong');
            await until('a try', async () => await metric(writ, 'writ_webhooks_failed_total') > before);
            assert.match(writ.process.output, /SSL|certificate/);
            assert.equal(receiver.seen.filter((one) => one.body.approval.object === '/v1/tls-wrong').length, 0);
        }
        assert.ok(receiver.seen.length >= count);
    } finally {
        await writ.close();
        receiver.close();
    }
});

test('a slow receiver holds up neither a call nor the end of the process', async () => {
    const receiver = new Receiver();
    receiver.answer = () => {};
    const writ = await start({ url: `http://127.0.0.1:${await receiver.listen()}/` });

    try {
        const waiting = call(writ, 'DELETE', '/v1/slow');
        const asked = await receiver.told('approval.requested', '/v1/slow');
        await api(writ, writ.lead, 'POST', `/v1/approvals/${asked.body.approval.id}/approve`);
        assert.equal((await waiting).status, 200);
        const began = Date.now();
        await writ.stop();
        assert.ok(Date.now() - began < 4000, `${Date.now() - began} ms`);
        assert.match(writ.process.output, /were not sent before the stop/);
    } finally {
        await writ.close();
        receiver.close();
    }
});

test('what is wrong in the configuration is told where it stands, before anything starts', async () => {
    const dir = makePlace('webhook-config');
    const file = join(dir, 'writ.yaml'), hook = join(dir, 'hook');
    const check = async (text, args = ['--check']) => {
        writeFileSync(file, text);
        const { code, err, out } = await run(PROGRAM, ['serve', '--config', file, ...args], { cwd: dir });
        return { code, said: err + out };
    };
    const written = (line) => `data: ./data\napprovals:\n  webhook:\n${line}`;

    writeFileSync(hook, SECRET, { mode: 0o600 });
    try {
        assert.equal((await check(written('    url: https://a.example/\n    secret_file: hook\n'))).code, 0);
        for (const [line, words, at] of [
            ['    url: http://a.example/\n    secret_file: hook\n', /cross the network in clear/, '4:5'],
            ['    secret_file: hook\n    url: ftp://a.example/\n', /is not a URL of https/, '5:5'],
            ['    url: https://user:word@a.example/\n    secret_file: hook\n', /a user or a password/, '4:5'],
            ['    url: https://a.example/\n', /needs a secret_file/, '3:3'],
            ['    secret_file: hook\n', /needs a url/, '3:3'],
            ['    urll: https://a.example/\n', /unknown setting approvals.webhook.urll; the nearest known is approvals.webhook.url/, '4:5'],
        ]) {
            const { code, said } = await check(written(line));
            assert.notEqual(code, 0, line);
            assert.match(said, words);
            assert.ok(said.includes(`writ.yaml:${at}: `), said);
        }
        assert.equal((await check(written('    url: http://a.example/\n    insecure: true\n    secret_file: hook\n'))).code, 0);
        const good = written('    url: https://a.example/\n    secret_file: hook\n');
        chmodSync(hook, 0o644);
        assert.match((await check(good, [])).said, /approvals.webhook.secret_file: .*mode 0644.*chmod 600/);
        chmodSync(hook, 0o600);
        writeFileSync(hook, 'too short');
        assert.match((await check(good, [])).said, /approvals.webhook.secret_file: .*fewer than 32 bytes/);
        assert.match((await check(good.replace('hook\n', 'none\n'), [])).said, /approvals.webhook.secret_file: cannot read/);
        writeFileSync(hook, SECRET);
        assert.match((await check(`${good}    ca: none.pem\n`, [])).said, /approvals.webhook.*cannot read/);
    } finally {
        clearPlace(dir);
    }
});
