// test/e2e/kubernetes.test.mjs - an API server behind the gate: what a right names is done,
// lists and watches hold no more, and what reaches beyond a pod is refused.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, test } from 'node:test';

import { KubeStub } from './lib/kubernetes.mjs';
import { until } from './lib/process.mjs';
import { bearer, Writ } from './lib/writ.mjs';

let writ, stub, dev, all;

before(async () => {
    stub = await KubeStub.start();
    writ = await Writ.start({
        name: 'kubernetes',
        files: { cluster: 'the-gateways-own\n' },
        policy: {
            upstreams: {
                k8s: { type: 'kubernetes', url: `http://127.0.0.1:${stub.port}`, login: { bearer_file: 'cluster' }, impersonate: true },
            },
            roles: {
                dev: {
                    allow: [
                        'k8s:get|list|watch|logs|delete:shop/pods/web-*',
                        'k8s:get|create:shop/configmaps/web-*',
                        { right: 'k8s:exec:shop/pods/web-*', when: { command: ['ls *'] } },
                        { right: 'k8s:create|update|patch:shop/pods/web-*', when: { image: ['docker.io/library/nginx:*'], mounts: ['/srv/**:ro'] } },
                        'k8s:patch:shop/deployments.apps/web-*',
                    ],
                },
                all: { allow: ['k8s:*:**'] },
            },
            subjects: { dev: { type: 'user', roles: ['dev'] }, all: { type: 'user', roles: ['all'] } },
        },
    });
    dev = (await writ.issue('dev')).token;
    all = (await writ.issue('all')).token;
});

after(async () => {
    await writ?.close();
    stub?.close();
});

// {status, body, json}
const api = (method, path, { token = dev, body, headers = {} } = {}) => new Promise((done, fail) => {
    const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
    const call = http.request({ host: '127.0.0.1', port: writ.port, path: `/k8s${path}`, method, agent: false,
        headers: { ...bearer(token), ...(text === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }), ...headers } },
    (answer) => {
        let out = '';
        answer.on('data', (bytes) => { out += bytes; }).on('error', fail)
            .on('end', () => done({ status: answer.statusCode, body: out, get json() { return JSON.parse(out); } }));
    });
    call.on('error', fail);
    call.end(text);
});
const PODS = '/api/v1/namespaces/shop/pods';
const last = () => stub.seen.at(-1);
const pod = (spec, name = 'web-2') => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec: { containers: [{ name: 'a', image: 'nginx:1' }], ...spec } });

test('what is named is done, and the cluster is told who asks', async () => {
    assert.equal((await api('GET', `${PODS}/web-1`)).json.metadata.name, 'web-1');
    assert.equal(last().headers.authorization, 'Bearer the-gateways-own');
    assert.equal(last().headers['impersonate-user'], 'dev');
    assert.equal((await api('GET', `${PODS}/web-1/log`)).body, 'a line\n');
    assert.equal((await api('GET', '/api/v1')).status, 200);
    const refused = await api('GET', `${PODS}/db-1`);
    assert.equal(refused.status, 403);
    assert.equal(refused.json.kind, 'Status');
    assert.equal(refused.json.reason, 'Forbidden');
    assert.match(refused.json.message, /k8s:get:shop\/pods\/db-1/);
    assert.equal((await api('GET', '/api/v1/namespaces/back/pods/web-1')).status, 403);
    const line = await until('the line', async () => (await writ.audit('--action', 'logs', '--decision', 'allow'))[0]);
    assert.equal(line.object, 'shop/pods/web-1');
});

test('lists and tables hold what may be seen', async () => {
    const names = (list) => list.items.map((one) => `${one.metadata.namespace}/${one.metadata.name}`);
    const list = (await api('GET', '/api/v1/pods', { headers: { accept: 'application/vnd.kubernetes.protobuf, */*' } })).json;
    assert.deepEqual(names(list), ['shop/web-1']);
    assert.equal(list.metadata.remainingItemCount, undefined);
    assert.equal(last().headers.accept, 'application/json');
    assert.equal(names((await api('GET', '/api/v1/pods', { token: all })).json).length, 3);
    for (const none of [{}, { accept: '' }, { accept: ',' }, { accept: ';' }])
        assert.deepEqual(names((await api('GET', PODS, { headers: none })).json), ['shop/web-1'], JSON.stringify(none));
    const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';
    for (const query of ['', '?includeObject=None', '?includeObject=Object']) {
        const table = (await api('GET', `${PODS}${query}`, { headers: { accept } })).json;
        assert.deepEqual(table.rows.map((one) => one.cells[0]), ['web-1'], query);
    }
    assert.deepEqual((await api('GET', '/api/v1/secrets')).json.items, []);
});

test('a watch shows the events of what may be seen, and ends with the token', async () => {
    const { id, token } = await writ.issue('dev');
    let text = '', closed = false;
    http.get({ host: '127.0.0.1', port: writ.port, path: `/k8s${PODS}?watch=true`, headers: bearer(token), agent: false }, (answer) => {
        answer.on('data', (bytes) => { text += bytes; }).on('error', () => {}).on('close', () => { closed = true; });
    }).on('error', () => {});
    await until('the bookmark', () => text.includes('BOOKMARK'));
    stub.tell('ADDED', 'shop', 'db-2');
    stub.tell('MODIFIED', 'back', 'web-1');
    stub.tell('DELETED', 'shop', 'web-1');
    await until('the event', () => text.includes('DELETED'));
    assert.doesNotMatch(text, /db-2|back/);
    await writ.revoke(id);
    await until('the end', () => closed);
});

test('an exec goes through as a stream, for its command alone', async () => {
    const open = (path, headers, token = dev) => new Promise((done) => {
        const call = http.request({ host: '127.0.0.1', port: writ.port, path: `/k8s${path}`, method: headers.upgrade === 'SPDY/3.1' ? 'POST' : 'GET', headers: { ...bearer(token), connection: 'Upgrade', ...headers }, agent: false });
        call.on('upgrade', (answer, socket) => done({ status: answer.statusCode, socket }));
        call.on('response', (answer) => { answer.resume(); done({ status: answer.statusCode }); });
        call.on('error', () => done({ status: 0 }));
        call.end();
    });
    const ws = { upgrade: 'websocket', 'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==', 'sec-websocket-version': '13', 'sec-websocket-protocol': 'v5.channel.k8s.io' };
    const resize = '{"Width":101,"Height":42}';
    const framed = (channel, text) => Buffer.concat([Buffer.from([0x82, 0x80 | (text.length + 1), 0, 0, 0, 0, channel]), Buffer.from(text)]);
    const spdy = (stream, text) => Buffer.concat([Buffer.from([0, 0, 0, stream, 0, 0, 0, text.length]), Buffer.from(text)]);
    for (const [headers, sent] of [[{ ...ws, 'sec-websocket-extensions': 'permessage-deflate' }, [framed(1, 'through'), framed(4, resize)]],
        [{ upgrade: 'SPDY/3.1' }, [Buffer.from([0x80, 3, 0, 1, 0, 0, 0, 2, 9, 9]), spdy(5, 'through'), spdy(9, resize)]]]) {
        const { status, socket } = await open(`${PODS}/web-1/exec?command=ls&command=-l&stdout=1`, headers);
        assert.equal(status, 101);
        let echoed = '';
        socket.on('data', (bytes) => { echoed += bytes.toString('latin1'); });
        for (const frame of sent)
            socket.write(frame);
        await until('the echo', () => echoed === Buffer.concat(sent).toString('latin1'));
        assert.equal(last().headers['sec-websocket-extensions'], undefined);
        socket.destroy();
        const [one] = await until('the recording', async () => {
            const { items } = await writ.json(['session', 'list', '--recorded', '--limit', '1']);
            return items[0]?.state === 'complete' && items;
        });
        assert.equal(one.object, 'shop/pods/web-1');
        assert.equal(one.command, 'ls -l');
        const { events } = await writ.json(['session', 'play', one.id]);
        assert.match(events.filter((event) => event[1] === 'o').map((event) => event[2]).join(''), /through/);
        assert.deepEqual(events.filter((event) => event[1] === 'r').map((event) => event[2]), ['101x42']);
        await writ.json(['session', 'delete', one.id]);
    }
    /* What can't be recorded is refused, or cut. */
    assert.equal((await open(`${PODS}/web-1/exec?command=ls&command=-l&stdout=1`, { ...ws, 'sec-websocket-protocol': 'v5.channel.k8s.io, v4.base64.channel.k8s.io' })).status, 403);
    assert.equal((await open(`${PODS}/web-1/exec?command=ls&command=-l&stdin=true`, ws)).status, 403);
    const unread = await open(`${PODS}/web-1/exec?command=ls&command=-l&stdout=1`, ws);
    const cut = new Promise((done) => { unread.socket.on('close', done).on('error', () => {}).resume(); });
    unread.socket.write('no frame at all');
    await cut;
    assert.equal((await open(`${PODS}/web-1/exec?command=rm`, ws)).status, 403);
    assert.equal((await open(`${PODS}/db-1/exec?command=ls`, ws)).status, 403);
    assert.equal((await open(`${PODS}/web-1/attach`, ws)).status, 403);
    assert.equal((await open(`${PODS}/web-1/exec?command=ls&command=x`, { ...ws, 'sec-websocket-protocol': 'v4.channel.k8s.io, base64url.bearer.authorization.k8s.io.eA' })).status, 400);
    /* Nothing else becomes a stream. */
    assert.equal((await open(`${PODS}/web-1`, ws)).status, 200);
    assert.equal((await open(`${PODS}/web-1/proxy`, ws, all)).status, 403);
    const { id, token } = await writ.issue('all');
    const { socket } = await open(`${PODS}/web-1/exec?command=sh`, ws, token);
    const ended = new Promise((done) => { socket.on('close', done).on('error', () => {}).resume(); });
    await writ.revoke(id);
    await ended;
});

test('a pod is made as its right allows', async () => {
    assert.equal((await api('POST', PODS, { body: pod({}) })).status, 201);
    assert.equal((await api('POST', PODS, { body: pod({}, 'db-2') })).status, 403);
    const volumes = [{ name: 'v', hostPath: { path: '/srv/data' } }];
    assert.equal((await api('POST', PODS, { body: pod({ volumes, containers: [{ image: 'nginx:1', volumeMounts: [{ name: 'v', readOnly: true, mountPath: '/x' }] }] }) })).status, 201);
    for (const spec of [{ hostNetwork: true }, { hostPID: true }, { hostIPC: true }, { serviceAccountName: 'admin' }, { nodeName: 'n' },
        { containers: [{ image: 'nginx:1', securityContext: { privileged: true } }] },
        { initContainers: [{ image: 'nginx:1', securityContext: { capabilities: { add: ['SYS_ADMIN'] } } }] },
        { containers: [{ image: 'evil/x' }] },
        { volumes: [{ name: 'v', hostPath: { path: '/etc' } }] },
        { volumes, containers: [{ image: 'nginx:1', volumeMounts: [{ name: 'v', mountPath: '/x' }] }] }]) {
        const { status, body } = await api('POST', PODS, { body: pod(spec) });
        assert.equal(status, 403, `${JSON.stringify(spec)} ${body}`);
        /* A right without conditions allows none of it either. */
        if (!spec.containers || spec.containers[0].securityContext)
            assert.equal((await api('POST', PODS, { body: pod(spec), token: all })).status, 403, JSON.stringify(spec));
    }
});

test('what can be read in two ways, or not at all, is refused', async () => {
    const before = stub.seen.length;
    const as = (headers) => ({ headers, token: all });
    for (const [method, path, options] of [
        ['GET', `${PODS}?watch=0&watch=1`], ['GET', `${PODS}?watch=yes`], ['GET', `${PODS}/a%2fb`], ['GET', `${PODS}/a%252fb`],
        ['GET', `${PODS}/web-1/exec/x`], ['GET', '/api/v1/proxy/nodes/n/x'], ['GET', '/unknown'],
        ['GET', PODS, as({ 'impersonate-user': 'admin' })], ['GET', PODS, as({ 'Impersonate-Extra-x': 'y' })], ['GET', PODS, as({ 'x-remote-user': 'admin' })],
        ['POST', PODS, { body: '{"spec":{},"spec":{"hostPID":true}}', token: all }],
        ['POST', PODS, { body: '{"Spec":{"hostPID":true}}', token: all }],
        ['POST', PODS, { body: '{"spec":{"hostpid":true}}', token: all }],
        ['POST', PODS, { body: 'spec: {}', token: all }],
        ['POST', PODS, { body: '{}', headers: { 'content-type': 'application/yaml' }, token: all }],
        ['POST', PODS, { body: '{}', headers: { 'content-type': 'application/vnd.kubernetes.protobuf' }, token: all }],
        ['POST', PODS, { body: '{"metadata":{"namespace":"back"}}', token: all }],
        ['PUT', `${PODS}/web-1`, { body: '{"metadata":{"name":"db-1"}}', token: all }],
        ['PATCH', `${PODS}/web-1`, { body: '[{"op":"add","path":"/spec/hostPID","value":true}]', headers: { 'content-type': 'application/json-patch+json' }, token: all }],
    ]) {
        const { status, body } = await api(method, path, options);
        assert.equal(status, 400, `${method} ${path} ${JSON.stringify(options)} ${body}`);
    }
    for (const [method, path] of [['DELETE', PODS], ['GET', '/api/v1/nodes/n/proxy/run'], ['POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings'],
        ['POST', '/api/v1/namespaces/shop/serviceaccounts/x/token']])
        assert.equal((await api(method, path, { token: all, ...(method === 'POST' ? { body: {} } : {}) })).status, 403, path);
    assert.equal(stub.seen.length, before);
});

// What typed clients send: the envelope, in it an object, whose first field is its metadata.
const field = (number, bytes) => Buffer.concat([Buffer.from([number << 3 | 2, bytes.length]), Buffer.from(bytes)]);
const protobuf = (...metadata) => Buffer.concat([Buffer.from('k8s\0'), field(1, Buffer.concat([field(1, 'v1'), field(2, 'ConfigMap')])),
    field(2, Buffer.concat([field(1, Buffer.concat(metadata)), field(2, '')]))]);

test('protobuf makes what holds no pod, under the name in it', async () => {
    const make = (body, { path = '/api/v1/namespaces/shop/configmaps', token = dev } = {}) => api('POST', path,
        { token, body: body.toString('latin1'), headers: { 'content-type': 'application/vnd.kubernetes.protobuf', 'content-length': body.length } });
    const seen = stub.seen.length;

    assert.equal((await make(protobuf(field(1, 'web-a')))).status, 200);
    assert.equal((await make(protobuf(field(2, 'web-'), field(3, 'shop')))).status, 200);
    assert.equal(stub.seen.length, seen + 2);
    const refused = await make(protobuf(field(1, 'db-a')));
    assert.equal(refused.status, 403);
    assert.match(refused.json.message, /k8s:create:shop\/configmaps\/db-a/);
    assert.equal((await make(protobuf(field(1, 'web-a')), { path: '/api/v1/namespaces/back/configmaps' })).status, 403);
    for (const body of [protobuf(field(1, 'web-a'), field(1, 'db-a')), protobuf(field(1, 'web-a'), field(3, 'back')), protobuf(field(1, 'web-a')).subarray(4),
        protobuf(field(1, 'web-a')).subarray(0, -3), Buffer.concat([protobuf(field(1, 'web-a')), field(2, field(1, field(1, 'db-a')))]), Buffer.from('k8s\0'), Buffer.from('{}')])
        assert.equal((await make(body, { token: all })).status, 400, body.toString('latin1'));
    /* What runs pods is read whole, as JSON. */
    for (const path of [PODS, '/apis/apps/v1/namespaces/shop/deployments', '/apis/batch/v1/namespaces/shop/jobs', '/api/v1/namespaces/shop/podtemplates', '/apis/example.com/v1/namespaces/shop/things'])
        assert.equal((await make(protobuf(field(1, 'web-a')), { path, token: all })).status, 400, path);
    assert.equal(stub.seen.length, seen + 2);
});

test('patches of workloads are read', async () => {
    const patch = (body, type = 'strategic-merge-patch+json') => api('PATCH', '/apis/apps/v1/namespaces/shop/deployments/web-1', { body, headers: { 'content-type': `application/${type}` } });
    const inside = (spec) => ({ spec: { template: { spec } } });

    assert.equal((await patch({ spec: { replicas: 2 } })).status, 404); /* the stub has none */
    assert.equal((await patch({ spec: { template: { metadata: { annotations: { at: 'now' } } } } })).status, 404);
    assert.equal((await patch(inside({ containers: [{ name: 'a', image: 'nginx:2' }] }))).status, 404);
    assert.equal((await patch(inside({ hostPID: true }))).status, 403);
    assert.equal((await patch(inside({ hostPID: true }), 'merge-patch+json')).status, 403);
    assert.equal((await patch(inside({ containers: [{ name: 'a', securityContext: { privileged: true } }] }))).status, 403);
    assert.equal((await patch(inside({ $patch: 'replace' }))).status, 400);
    /* An apply may make what is not there. */
    assert.equal((await patch({ spec: { replicas: 2 } }, 'apply-patch+yaml')).status, 403);
});
