// test/e2e/recording.test.mjs - sessions in containers, recorded: what was shown is there for who may
// look, sealed on the disk, and what can't be recorded does not go on.
import assert from 'node:assert/strict';
import http from 'node:http';
import { appendFileSync, mkdirSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync, copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { tryDocker } from './lib/docker.mjs';
import { run, until } from './lib/process.mjs';
import { bearer, Writ } from './lib/writ.mjs';

const { docker, skip } = await tryDocker();
let writ, token;

before(async () => {
    if (skip) {
        console.log(`# ${skip}`);
        return;
    }
    writ = await Writ.start({
        name: 'recording',
        config: { recordings: { input: true } },
        policy: {
            upstreams: { prod: { type: 'docker', url: `unix://${docker.socket}` } },
            roles: {
                all: { allow: ['prod:*:**'] },
                looker: { allow: ['writ:recordings.read:**'] },
            },
            subjects: { amara: { type: 'user', roles: ['all'] }, look: { type: 'user', roles: ['looker'] } },
        },
    });
    token = (await writ.issue('amara')).token;
    await docker.must('run', '-d', '--network', 'host', '--name', 'web-1', 'bb:1', '/bin/sleep', '600');
});

after(async () => {
    await writ?.close();
    await docker?.close();
});

function docker_args(...args) {
    const conf = join(writ.place, 'docker');
    mkdirSync(conf, { recursive: true });
    writeFileSync(join(conf, 'config.json'), JSON.stringify({ HttpHeaders: { Authorization: `Bearer ${token}` } }));
    return ['--config', conf, '-H', `tcp://127.0.0.1:${writ.port}/prod`, ...args];
}

const cli = (...args) => run('docker', docker_args(...args));
const recorded = (...args) => writ.json(['session', 'list', '--recorded', ...args]).then((answer) => answer.items);
const complete = async () => (await recorded()).filter((one) => one.state === 'complete');
const file_of = (one) => join(writ.data, 'recordings', `${one.id}.rec`);

// The text of all output events.
async function shown(id) {
    const { events } = await writ.json(['session', 'play', id]);
    return events.filter((event) => event[1] === 'o').map((event) => event[2]).join('');
}

// The newest recording, when it has ended.
async function newest(count) {
    return until('the recording', async () => {
        const all = await complete();
        return all.length >= count && all[0];
    });
}

test('an exec without a terminal is recorded with its command, both streams told apart', { skip }, async () => {
    const { out, err } = await cli('exec', 'web-1', 'sh', '-c', 'echo to-out; echo to-err >&2');
    assert.equal(out + err, 'to-out\nto-err\n');
    const one = await newest(1);
    assert.equal(one.subject, 'amara');
    assert.equal(one.upstream, 'prod');
    assert.equal(one.object, 'web-1');
    assert.match(one.command, /echo to-out/);
    const text = await shown(one.id);
    assert.match(text, /to-out/);
    assert.match(text, /to-err/);
    assert.equal(await shown(one.session), text); /* by the session's number too */
});

test('what lies on the disk is sealed, for its owner alone', { skip }, async () => {
    const [one] = await complete();
    const bytes = readFileSync(file_of(one));
    for (const word of ['to-out', 'amara', 'web-1', 'echo'])
        assert.equal(bytes.includes(word), false, word);
    assert.equal(statSync(file_of(one)).mode & 0o777, 0o600);
    assert.equal(statSync(join(writ.data, 'recordings')).mode & 0o777, 0o700);
});

test('the audit tells of the session, and of its recording with the digest', { skip }, async () => {
    const one = await writ.json(['session', 'show', '--recorded', (await complete())[0].id]);
    const line = await until('the line', async () => (await writ.audit('--action', 'recordings.keep')).find((event) => event.object === one.id));
    assert.equal(line.statement, `digest ${one.digest}`);
    const [exec] = (await writ.audit('--action', 'containers.exec')).filter((event) => String(event.session) === one.session && event.status === 101);
    assert.equal(exec.subject, 'amara');
});

test('a terminal: what was shown and typed, and its size', { skip }, async () => {
    const count = (await complete()).length + 1;
    const { out } = await run('script', ['-qec', `stty cols 91 rows 33; docker ${docker_args('exec', '-it', 'web-1', 'sh').join(' ')}`, '/dev/null'],
        { input: 'echo from-the-terminal; sleep 1\nexit\n' });
    assert.match(out, /from-the-terminal/);
    const one = await newest(count);
    const { events } = await writ.json(['session', 'play', one.id]);
    assert.match(await shown(one.id), /from-the-terminal/);
    assert.match(events.filter((event) => event[1] === 'i').map((event) => event[2]).join(''), /echo from-the-terminal/);
    assert.deepEqual(events.filter((event) => event[1] === 'r').map((event) => event[2])[0], '91x33');
    const { out: cast } = await writ.cli(['session', 'play', one.id, '--cast']);
    assert.equal(JSON.parse(cast.split('\n')[0]).version, 2);
    const { out: played } = await writ.cli(['session', 'play', one.id, '--speed', '100']);
    assert.match(played, /from-the-terminal/);
});

test('a session is followed while it goes on', { skip }, async () => {
    const running = cli('exec', 'web-1', 'sh', '-c', 'for i in 1 2 3 4 5 6; do echo tick $i; sleep 0.5; done');
    const one = await until('the recording', async () => (await recorded()).find((item) => item.state === 'recording'));
    assert.equal((await writ.cli(['session', 'delete', one.id])).code, 1); /* not while it is written */
    const { out, err, code } = await writ.cli(['session', 'tail', one.id]);
    assert.equal(code, 0, err);
    assert.match(out, /tick 1\n[^]*tick 6/);
    await running;
});

test('a client that does not upgrade is recorded as well', { skip }, async () => {
    const count = (await complete()).length + 1;
    const call = (path, body) => new Promise((done, fail) => {
        const text = JSON.stringify(body);
        http.request({ host: '127.0.0.1', port: writ.port, path: `/prod${path}`, method: 'POST', agent: false,
            headers: { ...bearer(token), 'content-type': 'application/json', 'content-length': text.length } }, (answer) => {
            let out = '';
            answer.on('data', (bytes) => { out += bytes; }).on('end', () => done({ status: answer.statusCode, out })).on('error', fail);
        }).on('error', fail).end(text);
    });
    const made = JSON.parse((await call('/containers/web-1/exec', { Cmd: ['echo', 'unseen'], AttachStdout: true })).out);
    const answer = await call(`/exec/${made.Id}/start`, { Detach: false, Tty: false });
    assert.equal(answer.status, 200);
    assert.match(answer.out, /unseen/);
    assert.match(await shown((await newest(count)).id), /unseen/);
    /* What would be read as a session's input, and what can't be recorded, does not pass. */
    const other = JSON.parse((await call('/containers/web-1/exec', { Cmd: ['sh'], AttachStdin: true, AttachStdout: true })).out);
    assert.equal((await call(`/exec/${other.Id}/start`, { Detach: false, Tty: false, Stdin: 'x' })).status, 400);
    assert.equal((await call('/containers/web-1/attach?stream=1&stdin=1', { typed: 'ls' })).status, 400);
});

const upgrade = (path, method = 'POST', headers = {}) => new Promise((done, fail) => {
    const call = http.request({ host: '127.0.0.1', port: writ.port, path: `/prod${path}`, method, agent: false,
        headers: { ...bearer(token), connection: 'Upgrade', upgrade: 'tcp', ...headers } });
    call.on('upgrade', (answer, socket) => done({ status: answer.statusCode, socket }));
    call.on('response', (answer) => { answer.resume(); answer.on('end', () => done({ status: answer.statusCode })); });
    call.on('error', fail);
    call.end();
});
const websocket = { upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==', 'sec-websocket-extensions': 'permessage-deflate', origin: 'http://x' };

test('an attach over a WebSocket is recorded; who types must let the answer pass here', { skip }, async () => {
    await docker.must('run', '-d', '-i', '--network', 'host', '--name', 'web-ws', 'bb:1', '/bin/cat');
    const count = (await complete()).length + 1;
    const { status, socket } = await upgrade('/containers/web-ws/attach/ws?stream=1&stdin=1&stdout=1&stderr=1', 'GET', websocket);
    assert.equal(status, 101);
    const seen = { text: '' };
    socket.on('data', (bytes) => { seen.text += bytes; }).on('error', () => {});
    socket.write(Buffer.concat([Buffer.from([0x82, 0x87, 0, 0, 0, 0]), Buffer.from('by-ws!\n')])); /* masked with zeros */
    await until('the echo', () => seen.text.includes('by-ws!'));
    socket.destroy();
    const one = await newest(count);
    assert.equal(await shown(one.id), 'by-ws!\n');
    for (const query of ['stream=1&stdin=1', 'stream=1&stdin=1&stdout=1', 'stdin=1&stdout=1&stderr=1', 'stream=1&stdin=yes&stdout=0&stderr=1'])
        assert.equal((await upgrade(`/containers/web-ws/attach?${query}`)).status, 403, query);
    await docker.must('rm', '-f', 'web-ws');
});

test('what comes fast is slowed to what the recording takes, and is whole on both sides', { skip }, async () => {
    const count = (await complete()).length + 1;
    const { out } = await cli('exec', 'web-1', 'sh', '-c', 'yes 0123456789abcdef0123456789abcdef | head -c 24000000');
    assert.equal(out.length, 24000000);
    const one = await newest(count);
    const shown_size = (await shown(one.id)).length;
    assert.equal(shown_size, 24000000);
});

test('a command that is long, and made for the terminal of who looks', { skip }, async () => {
    const count = (await complete()).length + 1;
    await cli('exec', 'web-1', 'sh', '-c', `echo hidden #${'\u0001'.repeat(50000)}`);
    const one = await newest(count);
    assert.equal(one.command_cut, true);
    assert.match(await shown(one.id), /hidden/);
    await cli('exec', 'web-1', 'sh', '-c', 'echo x #\u001b]0;OWNED\u0007\n\u001b[31m');
    await newest(count + 1);
    const listed = await writ.cli(['session', 'list', '--recorded', '--limit', '2']);
    assert.doesNotMatch(listed.out, /\u001b|\u0007/);
    assert.match(listed.out, /\\x1b\]0;OWNED\\x07\\x0a/);
});

test('who may look is decided like anything else, and looking is audited', { skip }, async () => {
    const look = (await writ.issue('look')).token, none = token;
    const [one] = await complete();
    assert.equal((await writ.api('GET', '/v1/recordings', undefined, { token: look })).status, 200);
    assert.equal((await writ.api('GET', `/v1/recordings/${one.id}/events`, undefined, { token: look })).status, 200);
    assert.equal((await writ.api('DELETE', `/v1/recordings/${one.id}`, undefined, { token: look })).status, 403);
    assert.equal((await writ.api('GET', '/v1/recordings', undefined, { token: none })).status, 403);
    assert.equal((await writ.api('GET', `/v1/recordings/${one.id}`, undefined, { token: none })).status, 403);
    const lines = await writ.audit('--action', 'recordings.read', '--subject', 'look');
    assert.ok(lines.some((line) => line.object === one.id));
});

test('an altered, a cut and a foreign recording are told', { skip }, async () => {
    const dir = join(writ.data, 'recordings'), [one] = await complete();
    const with_mark = (mark) => `${one.id.slice(0, -8)}${mark}`;
    const copy = (mark) => { const path = join(dir, `${with_mark(mark)}.rec`); copyFileSync(file_of(one), path); return path; };
    const size = statSync(file_of(one)).size;
    truncateSync(copy('00000001'), size - 30);
    appendFileSync(copy('00000002'), 'x');
    const bytes = readFileSync(file_of(one));
    bytes[size - 50] ^= 1;
    writeFileSync(copy('00000003'), bytes);
    writeFileSync(join(dir, `${with_mark('00000004')}.rec`), 'no recording');
    const states = Object.fromEntries((await recorded()).map((item) => [item.id.slice(-8), item.state]));
    assert.equal(states['00000001'], 'cut off');
    assert.equal(states['00000002'], 'altered');
    assert.equal(states['00000003'], 'altered');
    assert.equal(states['00000004'], 'altered');
    for (const [mark, state] of [['00000001', /cut off/], ['00000002', /altered/], ['00000003', /altered/], ['00000004', /altered/]]) {
        const { code, err } = await writ.cli(['session', 'play', with_mark(mark), '--speed', '1000']);
        assert.equal(code, 1, mark);
        assert.match(err, state);
        assert.equal((await writ.json(['session', 'delete', with_mark(mark)])).removed, true);
    }
    assert.equal((await writ.cli(['session', 'play', with_mark('00000001')])).code, 1);
    for (const id of ['../../key', '1', '%2e%2e', `${one.id}/..`])
        assert.equal((await writ.cli(['session', 'play', id])).code, 1, id);
});

test('what can not be recorded does not go on, and then does not begin', { skip }, async () => {
    const dir = join(writ.data, 'recordings');
    await run('mv', [dir, `${dir}.away`]);
    const began = performance.now();
    const { out } = await cli('exec', 'web-1', 'sh', '-c', 'i=0; while [ $i -lt 100 ]; do echo $i; sleep 0.1; i=$((i+1)); done');
    assert.doesNotMatch(out, /^99$/m);
    assert.ok(performance.now() - began < 8000);
    const next = await cli('exec', 'web-1', 'touch', '/begun');
    assert.match(next.err, /503/);
    await run('mv', [`${dir}.away`, dir]);
    await until('it goes on', async () => (await cli('exec', 'web-1', 'echo', 'again')).out === 'again\n');
    assert.equal((await cli('exec', 'web-1', 'ls', '/begun')).code, 1);
    const [failed] = await writ.audit('--action', 'recordings.keep', '--decision', 'deny', '--subject', 'amara');
    assert.match(failed.reason, /not recorded to its end/);
});

test('retention removes what is old, and the store is none the wiser', { skip }, async () => {
    const dir = join(writ.data, 'recordings'), [one] = await complete();
    copyFileSync(file_of(one), join(dir, '1500000000000-1-00000009.rec'));
    await writ.restart();
    await until('the sweep', () => !readdirSync(dir).includes('1500000000000-1-00000009.rec'));
    assert.ok(readdirSync(dir).includes(`${one.id}.rec`));
});
