// test/e2e/podman.test.mjs - Podman's service behind the gate, the docker command in front: what it
// answers otherwise than the Docker Engine is no way past, and none to be refused.
import assert from 'node:assert/strict';
import http from 'node:http';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { tryPodman } from './lib/docker.mjs';
import { allowedBeside, buildsAndImports, create, optionsRole, plainAttempts, plainRole } from './lib/docker_attempts.mjs';
import { run, until } from './lib/process.mjs';
import { bearer, request, Writ } from './lib/writ.mjs';

const { docker: podman, skip } = await tryPodman();
const LIB = 'docker.io/library';
let writ, dev, plain, options, ids;

before(async () => {
    if (skip) {
        console.log(`# ${skip}`);
        return;
    }
    writ = await Writ.start({
        name: 'podman',
        policy: {
            upstreams: { prod: { type: 'docker', url: `unix://${podman.socket}` } },
            roles: {
                dev: {
                    allow: [
                        'prod:containers.list|containers.inspect|containers.start|containers.stop|containers.kill|containers.attach|containers.wait|containers.remove|containers.logs|containers.resize|containers.archive.read|containers.archive.write:web-*',
                        `prod:images.list|images.inspect:${LIB}/bb:*`,
                        'prod:system.events|system.info:-',
                        { right: 'prod:containers.exec:web-*', when: { command: ['echo *', 'sh', 'sleep *', 'cat', 'cat *'] } },
                        { right: 'prod:containers.create:web-*', when: { image: [`${LIB}/bb:*`], network: ['host', 'none'] } },
                    ],
                },
                plain: plainRole,
                options: optionsRole,
            },
            subjects: { dev: { type: 'user', roles: ['dev'] }, plain: { type: 'user', roles: ['plain'] }, options: { type: 'user', roles: ['options'] } },
        },
    });
    dev = (await writ.issue('dev')).token;
    plain = (await writ.issue('plain')).token;
    options = (await writ.issue('options')).token;
    for (const [name, image] of [['web-1', 'bb:1'], ['db-1', 'secret:1']])
        await podman.must('run', '-d', '--network', 'host', '--name', name, image, '/bin/sh', '-c', 'while true; do echo tick; sleep 0.2; done');
    ids = { web: await podman.must('inspect', '-f', '{{.Id}}', 'web-1'), db: await podman.must('inspect', '-f', '{{.Id}}', 'db-1') };
});

after(async () => {
    await writ?.close();
    await podman?.close();
});

// The docker command with a token: {code, out, err}.
function cli(token, args, options) {
    const conf = join(writ.place, `docker-${token.slice(5, 30)}`);
    mkdirSync(conf, { recursive: true });
    writeFileSync(join(conf, 'config.json'), JSON.stringify({ HttpHeaders: { Authorization: `Bearer ${token}` } }));
    return run('docker', ['--config', conf, '-H', `tcp://127.0.0.1:${writ.port}/prod`, ...args], options);
}

async function ok(...args) {
    const { code, out, err } = await cli(dev, args);
    assert.equal(code, 0, `docker ${args.join(' ')}: ${err}`);
    return out;
}

test('what a developer does every day', { skip }, async () => {
    assert.equal(await ok('ps', '--format', '{{.Names}}'), 'web-1\n');
    assert.equal(await ok('images', '--format', '{{.Repository}}:{{.Tag}}'), 'bb:1\n');
    assert.equal(await ok('run', '--rm', '--network', 'host', '--name', 'web-2', 'bb:1', '/bin/echo', 'hi'), 'hi\n');
    assert.equal(await ok('exec', 'web-1', 'echo', 'inside'), 'inside\n');
    assert.equal(await ok('exec', ids.web.slice(0, 8), 'echo', 'by prefix'), 'by prefix\n');
    assert.equal((await cli(dev, ['exec', '-i', 'web-1', 'cat'], { input: 'piped\n' })).out, 'piped\n');
    assert.match(await ok('logs', '--tail', '2', 'web-1'), /tick/);
    writeFileSync(join(writ.place, 'file'), 'copied');
    await ok('cp', join(writ.place, 'file'), 'web-1:/file');
    await ok('cp', 'web-1:/file', join(writ.place, 'back'));
    assert.equal(readFileSync(join(writ.place, 'back'), 'utf8'), 'copied');
    assert.equal(await ok('inspect', '-f', '{{.Name}}', 'web-1'), '/web-1\n');
    await ok('create', '--network', 'none', '--name', 'web-3', 'bb:1', '/bin/sleep', '60');
    for (const what of ['start', 'stop', 'rm'])
        await ok(...(what === 'stop' ? ['stop', '-t', '0'] : [what]), 'web-3');
    await ok('info', '--format', '{{.ServerVersion}}');
});

test('a terminal: exec -it', { skip }, async () => {
    await ok('ps');
    const conf = join(writ.place, `docker-${dev.slice(5, 30)}`);
    const { out } = await run('script', ['-qec', `docker --config ${conf} -H tcp://127.0.0.1:${writ.port}/prod exec -it web-1 sh`, '/dev/null'],
        { input: 'echo from-the-terminal; exit\n' });
    assert.match(out, /from-the-terminal/);
});

const api = (method, path, body, token = dev) => request(writ.port, method, `/prod${path}`, {
    headers: { ...bearer(token), ...(body ? { 'content-type': 'application/json' } : {}) }, body: body && JSON.stringify(body) });

const attempts = {
    'Podman\'s own API': ['GET', '/libpod/containers/json'],
    'the same with a version': ['GET', '/v4.0.0/libpod/containers/json'],
    'a container by its own API': ['POST', '/v4.0.0/libpod/containers/create', { image: 'bb:1', privileged: true, name: 'web-x' }],
    'an exec by its own API': ['POST', '/libpod/containers/web-1/exec', { Cmd: ['echo', 'x'] }],
    'a play of a pod': ['POST', '/libpod/play/kube', { kind: 'Pod' }],
    'pods': ['GET', '/libpod/pods/json'],
    'another container': ['GET', '/containers/db-1/json'],
    'another by its id': ['GET', '/containers/DBID/json'],
    'another by the beginning of its id': ['POST', '/containers/DBPREFIX/exec', { Cmd: ['echo', 'x'] }],
    'logs of another': ['GET', '/containers/db-1/logs?stdout=1'],
    'another command': ['POST', '/containers/web-1/exec', { Cmd: ['id'] }],
    'privileged': ['POST', '/containers/create?name=web-x', create({ Privileged: true })],
    'a bind': ['POST', '/containers/create?name=web-x', create({ Binds: ['/:/host'] })],
    'the host\'s processes': ['POST', '/containers/create?name=web-x', create({ PidMode: 'host' })],
    'the network of a pod\'s': ['POST', '/containers/create?name=web-x', create({ NetworkMode: 'container:db-1' })],
    'a network by a path': ['POST', '/containers/create?name=web-x', create({ NetworkMode: 'ns:/proc/1/ns/net' })],
    'Podman\'s network of a user': ['POST', '/containers/create?name=web-x', create({ NetworkMode: 'slirp4netns:allow_host_loopback=true' })],
    'users of Podman\'s kind': ['POST', '/containers/create?name=web-x', create({ UsernsMode: 'keep-id' })],
    'another image': ['POST', '/containers/create?name=web-x', create({}, { Image: 'secret:1' })],
    'a local image\'s long name': ['POST', '/containers/create?name=web-x', create({}, { Image: 'localhost/bb:1' })],
    'a root on the host': ['POST', '/containers/create?name=web-x', { ...create({}), Rootfs: '/' }],
};

async function haveNoEffect(list, token) {
    const state = async () => [await podman.must('ps', '-a', '--no-trunc', '--format', '{{.ID}} {{.Names}} {{.State}}'),
        await podman.must('images', '-a', '--no-trunc', '--format', '{{.Repository}}:{{.Tag}} {{.ID}}'),
        await podman.must('volume', 'ls', '-q'), await podman.must('network', 'ls', '-q')].join('\n').split('\n').sort();
    const was = await state();
    for (const [name, [method, path, body]] of Object.entries(list)) {
        const answer = await api(method, path.replace('DBPREFIX', ids.db.slice(0, 8)).replace('DBID', ids.db), body, token);
        assert.ok([400, 403, 404].includes(answer.status), `${name}: ${answer.status} ${answer.body}`);
        assert.ok(answer.json.message.startsWith('writ: '), `${name}: ${answer.body}`);
    }
    assert.deepEqual(await state(), was);
}

test(`${Object.keys(attempts).length} attempts to do more, none of which has an effect`, { skip }, () => haveNoEffect(attempts, dev));

test(`${Object.keys(plainAttempts).length} attempts with a right that has no condition`, { skip }, () => haveNoEffect(plainAttempts, plain));

test('what stands beside them is allowed', { skip }, async () => {
    await allowedBeside({ call: (token, method, path, body) => api(method, path, body, token), plain, options });
    await buildsAndImports((token, ...args) => cli(token, args, { env: { ...process.env, DOCKER_BUILDKIT: '0' } }), plain);
});

test('events are those of what may be seen', { skip }, async () => {
    const events = { text: '' };
    const call = http.get({ host: '127.0.0.1', port: writ.port, path: '/prod/events', headers: bearer(dev), agent: false }, (answer) => {
        answer.on('data', (bytes) => { events.text += bytes; }).on('error', () => {});
    }).on('error', () => {});
    await until('the event', async () => {
        await podman.must('kill', '-s', 'CONT', 'db-1');
        await podman.must('kill', '-s', 'CONT', 'web-1');
        return events.text.includes('web-1');
    }, { every: 300 });
    assert.doesNotMatch(events.text, /db-1/);
    call.destroy();
});

test('an open exec and a log are cut with the token', { skip }, async () => {
    const { id, token } = await writ.issue('dev');
    const running = cli(token, ['exec', 'web-1', 'sleep', '61']);
    const logs = cli(token, ['logs', '-f', 'web-1']);
    /* Made, and begun. */
    await until('the exec', async () => (await writ.audit('--token', id, '--action', 'containers.exec')).length > 1);
    await until('the log', async () => (await writ.audit('--token', id, '--action', 'containers.logs')).length > 0);
    const began = performance.now();
    await writ.revoke(id);
    const [exec, log] = [await running, await logs];
    assert.ok(performance.now() - began < 2000);
    assert.match(exec.err, /revoked/);
    assert.match(log.out, /tick/);
});
