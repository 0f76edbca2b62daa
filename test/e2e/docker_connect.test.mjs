// test/e2e/docker_connect.test.mjs - the docker command as it comes, through `writ connect`: it knows
// nothing of a token that is bound to a key, and each of its requests proves the key.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { tryDocker } from './lib/docker.mjs';
import { freePort, Process, run, until } from './lib/process.mjs';
import { PROGRAM, Writ } from './lib/writ.mjs';

const { docker, skip } = await tryDocker();
let writ, key, conf;

before(async () => {
    if (skip) {
        console.log(`# ${skip}`);
        return;
    }
    writ = await Writ.start({
        name: 'docker-connect',
        config: { dpop: { nonce: 'required' } },
        policy: {
            upstreams: { prod: { type: 'docker', url: `unix://${docker.socket}` } },
            roles: {
                dev: {
                    allow: [
                        { right: 'prod:*:web-*', when: { proof: 'required', network: ['host'] } },
                        { right: 'prod:containers.list:-', when: { proof: 'required' } },
                    ],
                },
            },
            subjects: { dev: { type: 'user', roles: ['dev'] } },
        },
    });
    key = join(writ.place, 'dev.key');
    await writ.json(['key', 'new', key]);
    conf = join(writ.place, 'docker');
    mkdirSync(conf);
    for (const name of ['web-1', 'db-1'])
        await docker.must('run', '-d', '--network', 'host', '--name', name, 'bb:1', '/bin/sh', '-c', 'while true; do echo tick; sleep 0.2; done');
});

after(async () => {
    await writ?.close();
    await docker?.close();
});

// A port of its own for a token of its own: {id, connect, host, cli(...args)}.
async function open({ gateway = `http://127.0.0.1:${writ.port}`, args = [] } = {}) {
    const { id, token } = await writ.issue('dev', '--bind-jwk', key);
    const file = join(writ.place, `${id}.token`);
    writeFileSync(file, token, { mode: 0o600 });
    const port = await freePort();
    const connect = new Process(PROGRAM, ['connect', 'prod', '--port', `${port}`, '--key', key, '--token-file', file,
        '--gateway', gateway, ...args], { cwd: writ.place });
    const line = await until('the line to paste', () => /export DOCKER_HOST=(\S+)/.exec(connect.output));
    const env = { ...process.env, DOCKER_HOST: line[1], DOCKER_CONFIG: conf };
    return { id, connect, env, cli: (args, options = {}) => run('docker', args, { env, ...options }) };
}

test('what a developer does every day, with the line that was printed', { skip }, async () => {
    const { cli, env, connect } = await open();
    const ok = async (...args) => {
        const { code, out, err } = await cli(args);
        assert.equal(code, 0, `docker ${args.join(' ')}: ${err}`);
        return out;
    };
    assert.equal(await ok('ps', '--format', '{{.Names}}'), 'web-1\n');
    assert.equal(await ok('exec', 'web-1', 'echo', 'inside'), 'inside\n');
    assert.equal(await ok('run', '--rm', '--network', 'host', '--name', 'web-2', 'bb:1', '/bin/echo', 'from a run'), 'from a run\n');
    assert.equal((await cli(['exec', 'web-1', 'sh', '-c', 'exit 7'])).code, 7);
    /* What it says is said long before what comes of it. */
    assert.equal((await cli(['exec', '-i', 'web-1', 'sh'], { input: 'sleep 1; echo late\n' })).out, 'late\n');
    const much = 'x'.repeat(3 << 20);
    assert.equal((await cli(['exec', '-i', 'web-1', 'cat'], { input: much })).out, much);
    const { out } = await run('script', ['-qec', 'docker exec -it web-1 sh', '/dev/null'], { env, input: 'echo from-the-terminal; exit\n' });
    assert.match(out, /from-the-terminal/);
    assert.match(await ok('logs', '--tail', '1', 'web-1'), /tick/);
    const [file, back] = [join(writ.place, 'file'), join(writ.place, 'back')];
    writeFileSync(file, much);
    await ok('cp', file, 'web-1:/file');
    await ok('cp', 'web-1:/file', back);
    assert.equal(readFileSync(back, 'utf8'), much);
    const line = await until('the line', async () => (await writ.audit('--action', 'containers.exec', '--decision', 'allow'))[0]);
    assert.match(line.proof, /^dpop/);
    await connect.stop();
});

test('what is refused is told as the gate says it', { skip }, async () => {
    const { cli, connect } = await open();
    for (const args of [['exec', 'db-1', 'echo', 'x'], ['logs', 'db-1'], ['cp', 'db-1:/bin', '-'], ['rm', '-f', 'db-1']]) {
        const { code, out, err } = await cli(args);
        assert.notEqual(code, 0);
        assert.equal(out, '');
        assert.match(err, /writ: .*prod:containers\.\S+:db-1/, `docker ${args[0]}`);
    }
    const { token } = await writ.issue('dev', '--bind-jwk', key);
    writeFileSync(join(conf, 'config.json'), JSON.stringify({ HttpHeaders: { Authorization: `Bearer ${token}` } }));
    const bare = await run('docker', ['--config', conf, '-H', `tcp://127.0.0.1:${writ.port}/prod`, 'ps']);
    writeFileSync(join(conf, 'config.json'), '{}');
    assert.notEqual(bare.code, 0);
    assert.match(bare.err, /DPoP/);
    await connect.stop();
});

test('with the token open sessions are cut, and it is told plainly', { skip }, async () => {
    const { id, cli, connect } = await open();
    const running = cli(['exec', 'web-1', 'sleep', '61']);
    const logs = cli(['logs', '-f', 'web-1']);
    await until('the exec', async () => (await docker.must('top', 'web-1')).includes('sleep 61'));
    const began = performance.now();
    await writ.revoke(id);
    const [exec, log] = [await running, await logs];
    assert.ok(performance.now() - began < 2000);
    assert.notEqual(exec.code, 0);
    assert.match(exec.err, /revoked/);
    assert.match(log.out, /tick/);
    const next = await cli(['ps']);
    assert.notEqual(next.code, 0);
    assert.match(next.err, /revoked/);
    assert.match(connect.output, /revoked/);
    assert.doesNotMatch(connect.output, /writ_/);
    await connect.stop();
});

test('the port stands between docker and no page of the web', { skip }, async () => {
    const { env, connect } = await open();
    const url = `${env.DOCKER_HOST.replace('tcp', 'http')}/containers/json`;
    const statusWith = (...headers) => run('curl', ['-s', '-o', '/dev/null', '-w', '%{http_code}', ...headers.flatMap((one) => ['-H', one]), url]);
    assert.equal((await statusWith()).out, '200');
    assert.equal((await statusWith('Host: evil.example')).out, '403');
    assert.equal((await statusWith('Origin: http://evil.example')).out, '403');
    await connect.stop();
});

test('a socket of one\'s own, instead of a port', { skip }, async () => {
    const { token } = await writ.issue('dev', '--bind-jwk', key);
    const [file, socket] = [join(writ.place, 'socket.token'), join(writ.place, 'prod.sock')];
    writeFileSync(file, token, { mode: 0o600 });
    const args = ['connect', 'prod', '--key', key, '--token-file', file, '--gateway', `http://127.0.0.1:${writ.port}`];
    const connect = new Process(PROGRAM, [...args, '--socket', socket], { cwd: writ.place });
    const line = await until('the line to paste', () => /export DOCKER_HOST=(\S+)/.exec(connect.output));
    assert.equal(line[1], `unix://${socket}`);
    assert.equal(statSync(socket).mode & 0o777, 0o600);
    const env = { ...process.env, DOCKER_HOST: line[1], DOCKER_CONFIG: conf };
    const ps = await run('docker', ['ps', '--format', '{{.Names}}'], { env });
    assert.equal(ps.out, 'web-1\n', ps.err);
    assert.equal((await run('docker', ['exec', '-i', 'web-1', 'cat'], { env, input: 'piped' })).out, 'piped');
    assert.match((await run('docker', ['logs', 'db-1'], { env })).err, /writ: /);
    await connect.stop();
    assert.ok(!existsSync(socket));
    for (const wrong of [['--socket', socket, '--port', '1'], ['--socket', 'relative.sock'], ['--socket', `/${'x'.repeat(400)}`]])
        assert.notEqual((await run(PROGRAM, [...args, ...wrong], { cwd: writ.place })).code, 0, wrong.join(' '));
});

test('the same over TLS', { skip }, async () => {
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', 'door.key', '-out', 'door.pem',
        '-days', '2', '-subj', '/CN=door', '-addext', 'subjectAltName=IP:127.0.0.1'], { cwd: writ.place, stdio: 'pipe' });
    await writ.stop();
    writ.configure({ gateway: { http: { listen: `127.0.0.1:${writ.port}`, tls: { cert: 'door.pem', key: 'door.key' } } }, dpop: { nonce: 'required' } });
    await writ.launch();
    const { id, cli, connect } = await open({ gateway: `https://127.0.0.1:${writ.port}`, args: ['--ca', join(writ.place, 'door.pem')] });
    assert.equal((await cli(['exec', '-i', 'web-1', 'sh'], { input: 'sleep 1; echo late\n' })).out, 'late\n');
    const much = 'x'.repeat(3 << 20);
    assert.equal((await cli(['exec', '-i', 'web-1', 'cat'], { input: much })).out, much);
    const running = cli(['exec', 'web-1', 'sleep', '62']);
    await until('the exec', async () => (await docker.must('top', 'web-1')).includes('sleep 62'));
    await writ.revoke(id);
    assert.match((await running).err, /revoked/);
    await connect.stop();
});
