// test/e2e/docker.test.mjs - a real Docker daemon behind the gate, the docker command in front:
// what a developer does every day works, and nothing beside it.
import assert from 'node:assert/strict';
import http from 'node:http';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { tryDocker } from './lib/docker.mjs';
import { allowedBeside, buildsAndImports, create, optionsRole, plainAttempts, plainRole } from './lib/docker_attempts.mjs';
import { run, sleep, until } from './lib/process.mjs';
import { bearer, Writ } from './lib/writ.mjs';

const { docker, skip } = await tryDocker();
const LIB = 'docker.io/library';
let writ, dev, all, plain, options, ids;

before(async () => {
    if (skip) {
        console.log(`# ${skip}`);
        return;
    }
    writ = await Writ.start({
        name: 'docker',
        policy: {
            upstreams: { prod: { type: 'docker', url: `unix://${docker.socket}` } },
            roles: {
                dev: {
                    allow: [
                        'prod:containers.list|containers.inspect|containers.start|containers.stop|containers.kill|containers.attach|containers.wait|containers.remove|containers.logs|containers.resize|containers.archive.read|containers.archive.write|containers.rename|containers.update:web-*',
                        `prod:images.list|images.inspect:${LIB}/bb:*`,
                        `prod:images.tag:${LIB}/bb:*`,
                        'prod:system.events:-',
                        { right: 'prod:containers.exec:web-*', when: { command: ['echo *', 'sh', 'sleep *', 'cat *'] } },
                        { right: 'prod:containers.create:web-*',
                            when: { image: [`${LIB}/bb:*`], network: ['host', 'none'], mounts: ['/srv/**:ro'], capabilities: ['NET_BIND_SERVICE'] } },
                    ],
                },
                all: { allow: ['prod:*:**'] },
                plain: plainRole,
                options: optionsRole,
            },
            subjects: { dev: { type: 'user', roles: ['dev'] }, all: { type: 'user', roles: ['all'] },
                plain: { type: 'user', roles: ['plain'] }, options: { type: 'user', roles: ['options'] } },
        },
    });
    dev = (await writ.issue('dev')).token;
    all = (await writ.issue('all')).token;
    plain = (await writ.issue('plain')).token;
    options = (await writ.issue('options')).token;
    await docker.must('run', '-d', '--network', 'host', '--name', 'web-1', 'bb:1', '/bin/sleep', '600');
    await docker.must('run', '-d', '--network', 'host', '--name', 'db-1', 'secret:1', '/bin/sleep', '600');
    ids = { web: await docker.must('inspect', '-f', '{{.Id}}', 'web-1'), db: await docker.must('inspect', '-f', '{{.Id}}', 'db-1') };
});

after(async () => {
    await writ?.close();
    await docker?.close();
});

// The docker command with a token: {code, out, err}.
function cli(token, ...args) {
    const conf = join(writ.place, `docker-${token.slice(5, 30)}`);
    mkdirSync(conf, { recursive: true });
    writeFileSync(join(conf, 'config.json'), JSON.stringify({ HttpHeaders: { Authorization: `Bearer ${token}` } }));
    return run('docker', ['--config', conf, '-H', `tcp://127.0.0.1:${writ.port}/prod`, ...args], { env: { ...process.env, DOCKER_BUILDKIT: '0' } });
}

// One request to the Engine's API: {status, body}.
const api = (method, path, { token = dev, body, headers = {} } = {}) => new Promise((done, fail) => {
    const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
    const call = http.request({ host: '127.0.0.1', port: writ.port, path: `/prod${path}`, method, agent: false,
        headers: { ...bearer(token), ...(text === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }), ...headers } },
    (answer) => {
        let out = '';
        answer.on('data', (bytes) => { out += bytes; }).on('end', () => done({ status: answer.statusCode, body: out })).on('error', fail);
    });
    call.on('error', fail);
    call.end(text);
});

test('what a developer does every day', { skip }, async () => {
    assert.equal((await cli(dev, 'run', '--rm', '--network', 'host', '--name', 'web-2', 'bb:1', '/bin/echo', 'hi')).out, 'hi\n');
    assert.equal((await cli(dev, 'ps', '--format', '{{.Names}}')).out, 'web-1\n');
    assert.equal((await cli(dev, 'images', '--format', '{{.Repository}}')).out, 'bb\n');
    assert.equal((await cli(dev, 'exec', 'web-1', 'echo', 'inside')).out, 'inside\n');
    assert.equal((await cli(dev, 'exec', ids.web.slice(0, 6), 'echo', 'by prefix')).out, 'by prefix\n');
    assert.equal((await cli(dev, 'exec', '-e', 'A=b', 'web-1', 'sh', '-c', 'exit 7')).code, 1); /* "sh -c exit 7" is no allowed command */
    assert.equal((await cli(all, 'exec', 'web-1', 'sh', '-c', 'exit 7')).code, 7);
    writeFileSync(join(writ.place, 'file'), 'copied');
    assert.equal((await cli(dev, 'cp', join(writ.place, 'file'), 'web-1:/file')).code, 0);
    assert.equal((await cli(dev, 'exec', 'web-1', 'cat', '/file')).out, 'copied');
    assert.equal((await cli(dev, 'cp', 'web-1:/file', join(writ.place, 'back'))).code, 0);
    assert.equal((await cli(dev, 'tag', 'bb:1', 'bb:2')).code, 0);
    assert.equal((await cli(all, 'info', '--format', '{{.ServerVersion}}')).code, 0);
    const line = await until('the line', async () => (await writ.audit('--action', 'containers.exec', '--decision', 'allow', '--subject', 'all'))[0]);
    assert.equal(line.object, 'web-1');
});

test('a terminal: exec -it', { skip }, async () => {
    const conf = join(writ.place, `docker-${all.slice(5, 30)}`);
    const { out } = await run('script', ['-qec',
        `docker --config ${conf} -H tcp://127.0.0.1:${writ.port}/prod exec -it web-1 sh`, '/dev/null'],
    { input: 'echo from-the-terminal; exit\n' });
    assert.match(out, /from-the-terminal/);
});

test('logs are followed, and cut with the token', { skip }, async () => {
    await docker.must('run', '-d', '--network', 'host', '--name', 'web-log', 'bb:1', '/bin/sh', '-c', 'while true; do echo tick; sleep 0.1; done');
    const { id, token } = await writ.issue('dev');
    const seen = { text: '', closed: 0 };
    http.get({ host: '127.0.0.1', port: writ.port, path: '/prod/containers/web-log/logs?follow=1&stdout=1', headers: bearer(token), agent: false }, (answer) => {
        answer.on('data', (bytes) => { seen.text += bytes; }).on('error', () => {}).on('close', () => { seen.closed = performance.now(); });
    }).on('error', () => {});
    await until('the log', () => seen.text.split('tick').length > 3);
    await writ.revoke(id);
    const answered = performance.now();
    await until('the cut', () => seen.closed > 0, { every: 1 });
    assert.ok(seen.closed - answered < 200, `${seen.closed - answered} ms`);
    await docker.must('rm', '-f', 'web-log');
});

test('an open exec is cut with the token', { skip }, async () => {
    const { id, token } = await writ.issue('all');
    const running = cli(token, 'exec', 'web-1', 'sleep', '60');
    await until('the exec', async () => (await docker.must('top', 'web-1')).includes('sleep 60'));
    const began = performance.now();
    await writ.revoke(id);
    await running;
    assert.ok(performance.now() - began < 2000);
});

test('lists and events show what may be seen', { skip }, async () => {
    const names = JSON.parse((await api('GET', '/v1.41/containers/json?all=1')).body).map((one) => one.Names[0]);
    assert.deepEqual(names.filter((one) => !one.startsWith('/web-')), []);
    assert.ok(names.includes('/web-1'));
    const events = { text: '' };
    const call = http.get({ host: '127.0.0.1', port: writ.port, path: '/prod/events', headers: bearer(dev), agent: false }, (answer) => {
        answer.on('data', (bytes) => { events.text += bytes; }).on('error', () => {});
    }).on('error', () => {});
    await sleep(300);
    await docker.must('rename', 'db-1', 'db-2');
    await docker.must('rename', 'db-2', 'db-1');
    await docker.must('kill', '-s', 'CONT', 'web-1');
    await until('the event', () => events.text.includes('web-1'));
    assert.doesNotMatch(events.text, /db-/);
    call.destroy();
});

// Each must be refused, and have no effect at the daemon.
const attempts = {
    'privileged': ['POST', '/containers/create?name=web-x', create({ Privileged: true })],
    'privileged spelled otherwise': ['POST', '/containers/create?name=web-x', '{"Image":"bb:1","HostConfig":{"NetworkMode":"none","privileged":true}}'],
    'HostConfig spelled otherwise': ['POST', '/containers/create?name=web-x', '{"Image":"bb:1","hostconfig":{"Privileged":true}}'],
    'a second HostConfig in another case': ['POST', '/containers/create?name=web-x', '{"Image":"bb:1","HostConfig":{"NetworkMode":"none"},"HOSTCONFIG":{"Privileged":true}}'],
    'with the Kelvin sign': ['POST', '/containers/create?name=web-x', '{"Image":"bb:1","HostConfig":{"NetworkMode":"none","Networ\u212aMode":"host"}}'],
    'with a long s': ['POST', '/containers/create?name=web-x', '{"Image":"bb:1","HostConfig":{"NetworkMode":"none","Bind\u017f":["/:/h"]}}'],
    'a double member': ['POST', '/containers/create?name=web-x', '{"Image":"bb:1","HostConfig":{"Privileged":false,"Privileged":true}}'],
    'a double member with an escape': ['POST', '/containers/create?name=web-x', '{"Image":"bb:1","HostConfig":{"Privileged":false,"Privile\\u0067ed":true}}'],
    'something behind the JSON': ['POST', '/containers/create?name=web-x', `${JSON.stringify(create({}))}{"HostConfig":{"Privileged":true}}`],
    'a bind of /': ['POST', '/containers/create?name=web-x', create({ Binds: ['/:/host'] })],
    'a bind of / read-only': ['POST', '/containers/create?name=web-x', create({ Binds: ['/:/host:ro'] })],
    'a bind of the socket': ['POST', '/containers/create?name=web-x', create({ Binds: ['/var/run/docker.sock:/s'] })],
    'a bind of /proc': ['POST', '/containers/create?name=web-x', create({ Binds: ['/proc:/p:ro'] })],
    'a writable bind where ro is allowed': ['POST', '/containers/create?name=web-x', create({ Binds: ['/srv/data:/d'] })],
    'a bind that climbs': ['POST', '/containers/create?name=web-x', create({ Binds: ['/srv/../etc:/e:ro'] })],
    'a bind with two slashes': ['POST', '/containers/create?name=web-x', create({ Binds: ['//etc:/e:ro'] })],
    'a relative bind': ['POST', '/containers/create?name=web-x', create({ Binds: ['../etc:/e:ro'] })],
    'a mount of type bind': ['POST', '/containers/create?name=web-x', create({ Mounts: [{ Type: 'bind', Source: '/etc', Target: '/e', ReadOnly: true }] })],
    'a mount of another type': ['POST', '/containers/create?name=web-x', create({ Mounts: [{ Type: 'npipe', Source: 'x', Target: '/e' }] })],
    'a volume that is a bind': ['POST', '/containers/create?name=web-x', create({ Mounts: [{ Type: 'volume', Source: 'v', Target: '/e', VolumeOptions: { DriverConfig: { Name: 'local', Options: { type: 'none', o: 'bind', device: '/' } } } }] })],
    'volumes of another': ['POST', '/containers/create?name=web-x', create({ VolumesFrom: ['db-1'] })],
    'an added capability': ['POST', '/containers/create?name=web-x', create({ CapAdd: ['SYS_ADMIN'] })],
    'a capability with its prefix': ['POST', '/containers/create?name=web-x', create({ CapAdd: ['CAP_SYS_ADMIN'] })],
    'all capabilities': ['POST', '/containers/create?name=web-x', create({ CapAdd: ['ALL'] })],
    'the old list of capabilities': ['POST', '/containers/create?name=web-x', create({ Capabilities: ['SYS_ADMIN'] })],
    'the host\'s processes': ['POST', '/containers/create?name=web-x', create({ PidMode: 'host' })],
    'another\'s processes': ['POST', '/containers/create?name=web-x', create({ PidMode: 'container:db-1' })],
    'the host\'s memory': ['POST', '/containers/create?name=web-x', create({ IpcMode: 'host' })],
    'the host\'s name': ['POST', '/containers/create?name=web-x', create({ UTSMode: 'host' })],
    'the host\'s users': ['POST', '/containers/create?name=web-x', create({ UsernsMode: 'host' })],
    'the host\'s control groups': ['POST', '/containers/create?name=web-x', create({ CgroupnsMode: 'host' })],
    'another\'s network': ['POST', '/containers/create?name=web-x', create({ NetworkMode: 'container:db-1' })],
    'a network that is not allowed': ['POST', '/containers/create?name=web-x', create({ NetworkMode: 'bridge' })],
    'a network beside': ['POST', '/containers/create?name=web-x', create({}, { NetworkingConfig: { EndpointsConfig: { secret: {} } } })],
    'a device': ['POST', '/containers/create?name=web-x', create({ Devices: [{ PathOnHost: '/dev/mem', PathInContainer: '/dev/mem', CgroupPermissions: 'rwm' }] })],
    'a device rule': ['POST', '/containers/create?name=web-x', create({ DeviceCgroupRules: ['a *:* rwm'] })],
    'a device request': ['POST', '/containers/create?name=web-x', create({ DeviceRequests: [{ Count: -1, Capabilities: [['gpu']] }] })],
    'no seccomp': ['POST', '/containers/create?name=web-x', create({ SecurityOpt: ['seccomp=unconfined'] })],
    'no apparmor': ['POST', '/containers/create?name=web-x', create({ SecurityOpt: ['apparmor:unconfined'] })],
    'nothing masked': ['POST', '/containers/create?name=web-x', create({ MaskedPaths: [] })],
    'nothing read-only': ['POST', '/containers/create?name=web-x', create({ ReadonlyPaths: [] })],
    'another runtime': ['POST', '/containers/create?name=web-x', create({ Runtime: 'io.containerd.runc.v2' })],
    'another control group': ['POST', '/containers/create?name=web-x', create({ CgroupParent: '/' })],
    'kernel settings': ['POST', '/containers/create?name=web-x', create({ Sysctls: { 'kernel.shm_rmid_forced': '1' } })],
    'a log that goes elsewhere': ['POST', '/containers/create?name=web-x', create({ LogConfig: { Type: 'syslog', Config: { 'syslog-address': 'udp://10.0.0.1:514' } } })],
    'another group': ['POST', '/containers/create?name=web-x', create({ GroupAdd: ['0'] })],
    'a link': ['POST', '/containers/create?name=web-x', create({ Links: ['db-1:db'] })],
    'an unknown member': ['POST', '/containers/create?name=web-x', create({ Future: true })],
    'another image': ['POST', '/containers/create?name=web-x', create({}, { Image: 'secret:1' })],
    'another image by its full name': ['POST', '/containers/create?name=web-x', create({}, { Image: 'docker.io/library/secret:1' })],
    'an image of another registry': ['POST', '/containers/create?name=web-x', create({}, { Image: 'evil.example/library/bb:1' })],
    'another name': ['POST', '/containers/create?name=db-x', create({})],
    'no name': ['POST', '/containers/create', create({})],
    'two names': ['POST', '/containers/create?name=web-x&name=db-x', create({})],
    'two names, one encoded': ['POST', '/containers/create?name=web-x&n%61me=db-x', create({})],
    'a name in a form': ['POST', '/containers/create?name=web-x', 'name=db-x', { 'content-type': 'application/x-www-form-urlencoded' }],
    'a query with a semicolon': ['POST', '/containers/create?name=web-x;name=db-x', create({})],
    'a list where an object must be': ['POST', '/containers/create?name=web-x', '[]'],
    'a text where a list must be': ['POST', '/containers/create?name=web-x', create({ Binds: '/:/host' })],
    'exec in another, by name': ['POST', '/containers/db-1/exec', { Cmd: ['echo', 'x'] }],
    'exec in another, by prefix': ['POST', '/containers/DBPREFIX/exec', { Cmd: ['echo', 'x'] }],
    'exec in another, by id': ['POST', '/containers/DBID/exec', { Cmd: ['echo', 'x'] }],
    'exec of another command': ['POST', '/containers/web-1/exec', { Cmd: ['id'] }],
    'exec of another command behind a double member': ['POST', '/containers/web-1/exec', '{"Cmd":["echo","x"],"cmd":["id"]}'],
    'exec privileged': ['POST', '/containers/web-1/exec', { Cmd: ['echo', 'x'], Privileged: true }],
    'rename to another\'s pattern': ['POST', '/containers/web-1/rename?name=db-9', undefined],
    'rename by a form': ['POST', '/containers/web-1/rename?name=web-9', 'name=db-9', { 'content-type': 'application/x-www-form-urlencoded' }],
    'rename another': ['POST', '/containers/db-1/rename?name=web-9', undefined],
    'stop another': ['POST', '/containers/db-1/stop', undefined],
    'kill another by id': ['POST', '/containers/DBID/kill', undefined],
    'look at another': ['GET', '/containers/db-1/json', undefined],
    'read another\'s log': ['GET', '/containers/DBPREFIX/logs?stdout=1', undefined],
    'take a file of another': ['GET', '/containers/db-1/archive?path=/bin', undefined],
    'remove another': ['DELETE', '/containers/db-1?force=1', undefined],
    'start with a body': ['POST', '/containers/web-1/start', { Privileged: true }],
    'an old version of the API': ['POST', '/v1.23/containers/web-1/start', undefined],
    'a strange version': ['GET', '/v2.0/containers/json', undefined],
    'update with a device': ['POST', '/containers/web-1/update', { Devices: [{ PathOnHost: '/dev/mem' }] }],
    'tag as another': ['POST', '/images/bb:1/tag?repo=secret&tag=1', undefined],
    'tag another': ['POST', '/images/secret:1/tag?repo=bb&tag=9', undefined],
    'pull': ['POST', '/images/create?fromImage=bb&tag=9', undefined],
    'remove an image': ['DELETE', '/images/bb:1', undefined],
    'a session': ['POST', '/session', undefined, { connection: 'upgrade', upgrade: 'h2c' }],
    'a service': ['POST', '/services/create', { TaskTemplate: {} }],
    'a plugin': ['POST', '/plugins/pull?remote=x', undefined],
    'a volume': ['POST', '/volumes/create', { Name: 'web-v', Driver: 'local', DriverOpts: { type: 'none', o: 'bind', device: '/' } }],
    'prune': ['POST', '/containers/prune', undefined],
    'libpod': ['GET', '/libpod/containers/json', undefined],
    'an unknown endpoint': ['GET', '/containers/web-1/secrets', undefined],
    'an upgrade where none is': ['GET', '/containers/db-1/json', undefined, { connection: 'upgrade', upgrade: 'tcp' }],
};

// Docker lists images of the same second in any order.
const state = async () => [
    await docker.must('ps', '-a', '--no-trunc', '--format', '{{.ID}} {{.Names}} {{.State}}'),
    await docker.must('images', '-a', '--no-trunc', '--format', '{{.Repository}}:{{.Tag}} {{.ID}}'),
    await docker.must('volume', 'ls', '-q'),
].join('\n').split('\n').sort().join('\n');

async function haveNoEffect(list, token) {
    const was = await state();
    for (const [name, [method, path, body, headers]] of Object.entries(list)) {
        const real = path.replace('DBPREFIX', ids.db.slice(0, 8)).replace('DBID', ids.db);
        const { status, body: out } = await api(method, real.startsWith('/v') ? real : `/v1.41${real}`, { body, headers, token });
        assert.ok([400, 403, 404].includes(status), `${name}: ${status} ${out}`);
        assert.ok(JSON.parse(out).message.startsWith('writ: '), `${name}: ${out}`);
    }
    assert.equal(await state(), was);
    assert.equal((await docker.must('exec', 'web-1', 'echo', 'still there')), 'still there');
}

test(`${Object.keys(attempts).length} attempts to do more, none of which has an effect`, { skip }, () => haveNoEffect(attempts, dev));

test(`${Object.keys(plainAttempts).length} attempts with a right that has no condition`, { skip }, () => haveNoEffect(plainAttempts, plain));

test('what stands beside them is allowed', { skip }, async () => {
    await allowedBeside({ call: (token, method, path, body) => api(method, path, { token, body }), plain, options });
    await buildsAndImports(cli, plain);
});

test('the same is allowed by a right that speaks of it', { skip }, async () => {
    await writ.api('PUT', '/v1/roles/admin2', { allow: [{ right: 'prod:containers.create|containers.remove:**', when: {
        privileged: 'allowed', mounts: ['/**:rw'], capabilities: ['*'], pid: 'allowed', ipc: 'allowed', network: ['*'], options: ['*'], devices: ['/**'], security_opt: ['*'] } }] });
    await writ.api('PUT', '/v1/subjects/root2', { type: 'user', roles: ['admin2'] });
    const { token } = await writ.issue('root2');
    const made = await api('POST', '/v1.41/containers/create?name=free', { token,
        body: create({ Privileged: true, Binds: ['/etc:/e'], CapAdd: ['SYS_ADMIN'], PidMode: 'host' }) });
    assert.equal(made.status, 201, made.body);
    assert.equal((await api('DELETE', '/v1.41/containers/free', { token })).status, 204);
    assert.equal((await api('POST', '/v1.41/containers/create?name=web-ok', { body: create({ Binds: ['/srv/x:/x:ro'], CapAdd: ['net_bind_service'] }) })).status, 201);
    assert.equal((await api('DELETE', '/v1.41/containers/web-ok')).status, 204);
});

test('an exec that another made is decided by what it runs', { skip }, async () => {
    const made = JSON.parse((await api('POST', '/v1.41/containers/web-1/exec', { token: all, body: { Cmd: ['id'], AttachStdout: true } })).body);
    const start = (token) => api('POST', `/v1.41/exec/${made.Id}/start`, { token, body: { Detach: false } });
    const refused = await start(dev);
    assert.equal(refused.status, 403);
    assert.match(refused.body, /command id/);
    assert.equal((await start(all)).status, 200);
});
