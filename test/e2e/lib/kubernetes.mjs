// test/e2e/lib/kubernetes.mjs - a small API server: pods and secrets of two namespaces, in the
// shapes of the real one (lists, tables, watches, exec), which writes down what it is asked.
import { createHash } from 'node:crypto';
import http from 'node:http';

import { acceptKey } from './websocket.mjs';

const object = (kind, namespace, name) => ({ apiVersion: 'v1', kind, metadata: { name, ...(namespace ? { namespace } : {}), uid: createHash('md5').update(`${namespace}/${name}`).digest('hex'), resourceVersion: '7', creationTimestamp: '2024-01-01T00:00:00Z' }, ...(kind === 'Pod' ? { spec: { containers: [{ name: 'main', image: 'nginx' }] }, status: { phase: 'Running' } } : {}) });
const columns = [{ name: 'Name', type: 'string', format: 'name', description: '', priority: 0 }, { name: 'Status', type: 'string', format: '', description: '', priority: 0 }];
const row = (one, include) => ({ cells: [one.metadata.name, one.status?.phase ?? ''], object: include === 'None' ? null : include === 'Object' ? one : { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: one.metadata } });

export class KubeStub {
    static async start() {
        const stub = new KubeStub();
        stub.seen = []; // {method, url, headers, body}
        stub.watchers = new Set();
        stub.open = new Set();
        stub.objects = { pods: [['shop', 'web-1'], ['shop', 'db-1'], ['back', 'web-1']].map(([ns, name]) => object('Pod', ns, name)),
            secrets: [object('Secret', 'shop', 'key')], namespaces: [object('Namespace', '', 'shop'), object('Namespace', '', 'back')] };
        stub.server = http.createServer((req, res) => {
            let body = '';
            req.on('data', (bytes) => { body += bytes; }).on('end', () => stub.serve(req, res, body));
        });
        stub.server.on('upgrade', (req, socket) => stub.upgrade(req, socket));
        stub.server.on('connection', (socket) => { stub.open.add(socket); socket.on('close', () => stub.open.delete(socket)); });
        await new Promise((done) => stub.server.listen(0, '127.0.0.1', done));
        stub.port = stub.server.address().port;
        return stub;
    }

    close() {
        this.server.close();
        for (const socket of this.open)
            socket.destroy();
    }

    note(req, body = '') { this.seen.push({ method: req.method, url: req.url, headers: req.headers, body }); }

    // What is changed is told to all who watch.
    tell(type, namespace, name) {
        const one = object('Pod', namespace, name);
        for (const { res, table, first } of this.watchers)
            res.write(`${JSON.stringify({ type, object: table ? { kind: 'Table', apiVersion: 'meta.k8s.io/v1', metadata: {}, columnDefinitions: first ? columns : null, rows: [row(one)] } : one })}\n`);
    }

    serve(req, res, body) {
        this.note(req, body);
        const url = new URL(req.url, 'http://kube');
        const json = (status, value) => {
            res.writeHead(status, { 'content-type': 'application/json' });
            res.end(JSON.stringify(value));
        };
        const resources = (...names) => ({ kind: 'APIResourceList', apiVersion: 'v1', groupVersion: 'v1', resources: names.map(([name, kind, namespaced = true, verbs = ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch', 'deletecollection']]) => ({ name, singularName: '', namespaced, kind, verbs })) });
        if (url.pathname === '/api')
            return json(200, { kind: 'APIVersions', versions: ['v1'] });
        if (url.pathname === '/apis')
            return json(200, { kind: 'APIGroupList', apiVersion: 'v1', groups: [] });
        if (url.pathname === '/api/v1')
            return json(200, resources(['pods', 'Pod'], ['pods/exec', 'PodExecOptions', true, ['create', 'get']], ['pods/log', 'Pod', true, ['get']], ['secrets', 'Secret'], ['namespaces', 'Namespace', false]));
        if (url.pathname === '/version')
            return json(200, { major: '1', minor: '32', gitVersion: 'v1.32.0' });
        const at = /^\/api\/v1(?:\/namespaces\/([^/]+))?\/(pods|secrets|namespaces)(?:\/([^/]+)(?:\/(.*))?)?$/.exec(url.pathname);
        if (!at)
            return json(404, { kind: 'Status', apiVersion: 'v1', status: 'Failure', code: 404, message: 'not here' });
        const [, namespace, resource, name, sub] = at;
        const found = this.objects[resource].filter((one) => (!namespace || one.metadata.namespace === namespace) && (!name || one.metadata.name === name));
        const table = (req.headers.accept ?? '').includes('as=Table'), include = url.searchParams.get('includeObject');
        if (sub === 'log')
            return res.end('a line\n');
        if (req.method === 'POST' && !name)
            return json(201, JSON.parse(body));
        if (name)
            return found.length ? json(200, found[0]) : json(404, { kind: 'Status', apiVersion: 'v1', status: 'Failure', code: 404, message: `${resource} "${name}" not found` });
        if (url.searchParams.get('watch')) {
            res.writeHead(200, { 'content-type': 'application/json' });
            const watcher = { res, table, first: true };
            this.watchers.add(watcher);
            res.on('close', () => this.watchers.delete(watcher));
            res.write(`${JSON.stringify({ type: 'BOOKMARK', object: { kind: 'Pod', apiVersion: 'v1', metadata: { resourceVersion: '8', creationTimestamp: null } } })}\n`);
            return undefined;
        }
        return json(200, table ? { kind: 'Table', apiVersion: 'meta.k8s.io/v1', metadata: { resourceVersion: '7', remainingItemCount: 3 }, columnDefinitions: columns, rows: found.map((one) => row(one, include)) }
            : { kind: `${found[0]?.kind ?? 'Pod'}List`, apiVersion: 'v1', metadata: { resourceVersion: '7', remainingItemCount: 3 }, items: found });
    }

    // Echoes what it is sent.
    upgrade(req, socket) {
        socket.on('end', () => socket.end());
        this.note(req);
        const to = req.headers.upgrade;
        socket.on('error', () => {});
        socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${to}\r\n${req.headers['sec-websocket-key'] ? `Sec-WebSocket-Accept: ${acceptKey(req.headers['sec-websocket-key'])}\r\n` : ''}X-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\n`);
        socket.on('data', (bytes) => socket.write(bytes));
    }
}
