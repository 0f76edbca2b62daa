// test/e2e/kubernetes_kubectl.test.mjs - kubectl as people use it, through the gateway's TLS,
// against a small API server, and against a real one where it was built.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { tryApiserver } from './lib/kube_apiserver.mjs';
import { KubeStub } from './lib/kubernetes.mjs';
import { clearPlace, makePlace, run, until } from './lib/process.mjs';
import { Writ } from './lib/writ.mjs';

const has = (program) => (process.env.PATH ?? '').split(':').some((place) => existsSync(join(place, program)));
const skip = has('kubectl') ? false : 'kubectl is not installed';
const { server, skip: unreal } = skip ? { skip } : await tryApiserver();
let writ, stub, place, config;

before(async () => {
    for (const why of [skip, unreal].filter(Boolean))
        console.log(`# ${why}`);
    if (skip)
        return;
    place = makePlace('kubectl');
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', 'door.key', '-out', 'door.pem',
        '-days', '2', '-subj', '/CN=door', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost'], { cwd: place, stdio: 'pipe' });
    stub = await KubeStub.start();
    writ = await Writ.start({
        name: 'kubectl',
        files: { cluster: 'gateway-token\n', 'door.pem': readFileSync(join(place, 'door.pem')), 'door.key': readFileSync(join(place, 'door.key')),
            ...(server ? { 'cluster.crt': readFileSync(server.ca) } : {}) },
        policy: {
            upstreams: {
                k8s: { type: 'kubernetes', url: `http://127.0.0.1:${stub.port}`, login: { bearer_file: 'cluster' } },
                ...(server ? { real: { type: 'kubernetes', url: `https://127.0.0.1:${server.port}`, login: { bearer_file: 'cluster' }, tls: { ca: 'cluster.crt' }, impersonate: true } } : {}),
            },
            roles: {
                dev: {
                    allow: [
                        'k8s:get|list|watch|logs:shop/pods/web-*', { right: 'k8s:exec:shop/pods/web-*', when: { command: ['ls *'] } },
                        'real:get|list|watch|delete|patch|update:shop/**', 'real:create:shop/configmaps/*', 'real:create:shop/secrets/*', 'real:create:shop/serviceaccounts/*', 'real:create:shop/resourcequotas/*', 'real:create:shop/deployments.apps/*',
                        { right: 'real:create:shop/pods/web-*', when: { image: ['docker.io/library/nginx:*'] } },
                    ],
                    deny: ['real:*:shop/*/secret-*'],
                },
            },
            subjects: { dev: { type: 'user', roles: ['dev'] } },
        },
    });
    writ.configure({ gateway: { http: { listen: `127.0.0.1:${writ.port}`, tls: { cert: 'door.pem', key: 'door.key' } } } });
    await writ.restart();
    for (const name of ['k8s', ...(server ? ['real'] : [])]) {
        const { code, err } = await writ.cli(['kubeconfig', name, '--gateway', `https://127.0.0.1:${writ.port}`, '--ca', 'door.pem', '--subject', 'dev', '--namespace', 'shop', '--out', name]);
        assert.equal(code, 0, err);
    }
});

after(async () => {
    await writ?.close();
    stub?.close();
    await server?.close();
    if (place)
        clearPlace(place);
});

// {code, out, err}; each with a home of its own, since kubectl keeps what it discovers.
const kubectl = (name, args, options = {}) => run('kubectl', ['--kubeconfig', join(writ.place, name), '--cache-dir', join(writ.place, 'cache'), ...args],
    { env: { ...process.env, KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'false' }, cwd: '/', ...options });

test('get, logs and a refusal', { skip }, async () => {
    const list = await kubectl('k8s', ['get', 'pods']);
    assert.match(list.out, /^NAME +STATUS\nweb-1 +Running\n$/, list.err);
    assert.equal((await kubectl('k8s', ['get', 'pods', '-A', '-o', 'name'])).out, 'pod/web-1\n');
    assert.equal((await kubectl('k8s', ['logs', 'web-1'])).out, 'a line\n');
    const refused = await kubectl('k8s', ['get', 'pod', 'db-1']);
    assert.equal(refused.code, 1);
    assert.match(refused.err, /Forbidden.*k8s:get:shop\/pods\/db-1/s);
    assert.match((await kubectl('k8s', ['get', 'pods', '--as', 'admin'])).err, /Impersonate/);
});

test('exec opens a stream for the command that is allowed', { skip }, async () => {
    const execs = () => stub.seen.filter((one) => one.url.includes('/exec'));
    /* The stub answers with an echo, which is no answer to kubectl: what counts is what came. */
    for (const websockets of ['true', 'false']) {
        const before = execs().length;
        const running = kubectl('k8s', ['exec', 'web-1', '--', 'ls', '-l'], { env: { ...process.env, KUBECTL_REMOTE_COMMAND_WEBSOCKETS: websockets }, timeout: 3000 });
        await until('the exec', () => execs().length > before);
        /* An older kubectl knows SPDY alone. */
        assert.ok(execs().slice(before).every(({ headers }) => ['spdy/3.1', ...(websockets === 'true' ? ['websocket'] : [])].includes(headers.upgrade.toLowerCase())));
        await running;
    }
    const before = execs().length;
    assert.match((await kubectl('k8s', ['exec', 'web-1', '--', 'rm'])).err, /forbidden|Forbidden|k8s:exec/);
    assert.equal(execs().length, before);
});

test('a real cluster: what is allowed works', { skip: unreal }, async () => {
    assert.equal((await server.kubectl('create', 'namespace', 'shop')).code, 0);
    for (const [verbs, resources] of [['*', '*.*']])
        assert.equal((await server.kubectl('create', 'role', 'all', '-n', 'shop', `--verb=${verbs}`, `--resource=${resources}`)).code, 0);
    assert.equal((await server.kubectl('create', 'role', 'core', '-n', 'shop', '--verb=*', '--resource=pods,configmaps,secrets,serviceaccounts,resourcequotas')).code, 0);
    for (const role of ['all', 'core'])
        assert.equal((await server.kubectl('create', 'rolebinding', role, '-n', 'shop', `--role=${role}`, '--user=dev')).code, 0);
    writeFileSync(join(writ.place, 'map.yaml'), JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'web' }, data: { a: 'b' } }));
    const made = await kubectl('real', ['create', '-f', join(writ.place, 'map.yaml')]);
    assert.equal(made.code, 0, made.err);
    /* kubectl's own generators send protobuf. */
    for (const what of [['configmap', 'x'], ['secret', 'generic', 'x'], ['serviceaccount', 'x'], ['quota', 'x', '--hard=pods=9']]) {
        const { code, out, err } = await kubectl('real', ['create', ...what, ...(/map|secret/.test(what[0]) ? ['--from-literal=a=b'] : [])]);
        assert.equal(code, 0, `${what.join(' ')}: ${err}`);
        assert.match(out, /x created/);
    }
    assert.equal((await server.kubectl('get', 'configmap', 'x', '-n', 'shop', '-o', 'jsonpath={.data.a}')).out, 'b');
    const denied = await kubectl('real', ['create', 'configmap', 'secret-z', '--from-literal=a=b']);
    assert.notEqual(denied.code, 0);
    assert.match(denied.err, /writ: .*denies it by real:\*:shop\/\*\/secret-\*/);
    assert.match((await kubectl('real', ['create', 'deployment', 'web-8', '--image=nginx:1'])).err, /JSON alone/);
    const pod = await kubectl('real', ['run', 'web-1', '--image=nginx:1']);
    assert.equal(pod.code, 0, pod.err);
    assert.equal((await server.kubectl('create', 'configmap', 'secret-x', '-n', 'shop')).code, 0);
    assert.equal((await server.kubectl('run', 'db-1', '-n', 'default', '--image=nginx')).code, 0);
    assert.match((await kubectl('real', ['get', 'pods'])).out, /web-1.*Pending/);
    assert.equal((await kubectl('real', ['get', 'configmaps', '-o', 'name'])).out.trim(), 'configmap/web\nconfigmap/x');
    assert.equal((await kubectl('real', ['label', 'pod', 'web-1', 'a=b'])).code, 0);
    writeFileSync(join(writ.place, 'deployment.yaml'), JSON.stringify({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' },
        spec: { selector: { matchLabels: { a: 'b' } }, template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'a', image: 'nginx:1' }] } } } }));
    const applied = await kubectl('real', ['apply', '-f', join(writ.place, 'deployment.yaml')]);
    assert.equal(applied.code, 0, applied.err);
    for (const args of [['set', 'image', 'deployment/web', 'a=nginx:2'], ['rollout', 'restart', 'deployment/web'], ['apply', '--server-side', '--force-conflicts', '-f', join(writ.place, 'deployment.yaml')]]) {
        const { code, err } = await kubectl('real', args);
        assert.equal(code, 0, `${args.join(' ')}: ${err}`);
    }
});

test('a real cluster: what is not, does not', { skip: unreal }, async () => {
    const refused = async (...args) => {
        const { code, err } = await kubectl('real', args);
        assert.notEqual(code, 0, args.join(' '));
        return err;
    };
    assert.match(await refused('run', 'web-2', '--image=evil/x'), /writ: /);
    assert.match(await refused('run', 'web-2', '--image=nginx:1', '--overrides={"spec":{"hostNetwork":true}}'), /writ: /);
    assert.match(await refused('run', 'web-2', '--image=nginx:1', '--privileged'), /writ: /);
    assert.match(await refused('patch', 'deployment', 'web', '-p', '{"spec":{"template":{"spec":{"hostPID":true}}}}'), /writ: /);
    assert.match(await refused('patch', 'deployment', 'web', '--type=json', '-p', '[{"op":"add","path":"/spec/template/spec/hostPID","value":true}]'), /writ: /);
    assert.match(await refused('get', 'configmap', 'secret-x'), /writ: /);
    assert.match(await refused('delete', 'namespace', 'shop'), /writ: /);
    assert.match(await refused('create', 'rolebinding', 'x', '--clusterrole=admin', '--user=dev'), /writ: /);
    /* The cluster itself knows the subject, not the gateway. */
    assert.match(await refused('create', 'deployment', 'web-9', '--image=nginx:1', '-n', 'default'), /writ: |"dev"/);
    /* No kubelet: that the cluster says so shows that the exec came there. */
    assert.match(await refused('exec', 'web-1', '--', 'ls'), /writ: /);
});

test('a real cluster: a watch holds no more than the list', { skip: unreal }, async () => {
    const running = kubectl('real', ['get', 'configmaps', '-w', '-o', 'name', '--request-timeout=4s']);
    await new Promise((done) => setTimeout(done, 1500));
    await server.kubectl('create', 'configmap', 'secret-y', '-n', 'shop');
    await server.kubectl('create', 'configmap', 'open-y', '-n', 'shop');
    const { out } = await running;
    assert.match(out, /configmap\/open-y/);
    assert.doesNotMatch(out, /secret/);
});
