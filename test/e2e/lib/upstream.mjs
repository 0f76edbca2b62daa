// test/e2e/lib/upstream.mjs - a small order service, and one that only records bytes.
import { createHash } from 'node:crypto';
import http from 'node:http';
import net from 'node:net';

import { acceptKey, WebSocketPeer } from './websocket.mjs';

const json = (res, status, value, headers = {}) => {
    const text = JSON.stringify(value);
    res.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), ...headers });
    res.end(text);
};

// Writes `size` bytes with back-pressure.
function pour(res, size) {
    const chunk = Buffer.alloc(64 << 10, 'x');
    let left = size;
    const more = () => {
        while (left > 0) {
            const part = left < chunk.length ? chunk.subarray(0, left) : chunk;
            left -= part.length;
            if (!res.write(part)) {
                res.once('drain', more);
                return;
            }
        }
        res.end();
    };
    more();
}

export class Orders {
    static async start({ port = 0 } = {}) {
        const orders = new Orders();
        orders.seen = [];       // every request: {method, url, headers, rawHeaders}
        orders.open = new Set(); // connections
        orders.streams = 0;      // event streams now open
        orders.sockets = 0;      // WebSockets now open
        orders.server = http.createServer((req, res) => orders.serve(req, res));
        orders.server.keepAliveTimeout = 30000;
        orders.server.on('upgrade', (req, socket) => orders.upgrade(req, socket));
        orders.server.on('connection', (socket) => {
            orders.open.add(socket);
            socket.on('close', () => orders.open.delete(socket));
        });
        await new Promise((done) => orders.server.listen(port, '127.0.0.1', done));
        orders.port = orders.server.address().port;
        return orders;
    }

    async close() {
        this.server.close();
        for (const socket of this.open)
            socket.destroy();
    }

    note(req) {
        this.seen.push({ method: req.method, url: req.url, headers: req.headers, rawHeaders: req.rawHeaders });
    }

    serve(req, res) {
        this.note(req);
        const url = new URL(req.url, 'http://orders');
        const path = url.pathname;
        const order = /^\/v1\/orders\/([^/]+)(\/.*)?$/.exec(path);

        if (path === '/v1/events')
            this.events(res);
        else if (path === '/v1/big')
            this.big(res, Number(url.searchParams.get('size')), url.searchParams.has('chunked'));
        else if (path === '/v1/upload')
            this.upload(req, res);
        else if (path === '/v1/echo')
            json(res, 200, { method: req.method, url: req.url, headers: req.headers });
        else if (path === '/v1/slow')
            setTimeout(() => json(res, 200, { slow: true }), Number(url.searchParams.get('ms')));
        else if (path === '/v1/moved')
            json(res, 302, {}, { location: '/v1/orders/7', 'set-cookie': 'basket=1; Path=/v1' });
        else if (path === '/v1/orders' && req.method === 'GET')
            json(res, 200, { orders: [{ id: '42' }, { id: '43' }] });
        else if (path === '/v1/orders' && req.method === 'POST')
            json(res, 201, { id: '44' }, { location: '/v1/orders/44' });
        else if (order)
            json(res, 200, { id: order[1], rest: order[2] ?? null, method: req.method });
        else
            json(res, 404, { error: 'no such thing' });
    }

    events(res) {
        let number = 0;
        this.streams++;
        res.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
        const timer = setInterval(() => res.write(`data: ${++number}\n\n`), 20);
        res.write('data: 0\n\n');
        res.on('close', () => {
            clearInterval(timer);
            this.streams--;
        });
    }

    big(res, size, chunked) {
        res.writeHead(200, chunked ? {} : { 'content-length': size });
        pour(res, size);
    }

    upload(req, res) {
        const hash = createHash('sha256');
        let size = 0;
        req.on('data', (chunk) => {
            size += chunk.length;
            hash.update(chunk);
        });
        req.on('end', () => json(res, 200, { size, sha256: hash.digest('hex'), trailers: req.trailers }));
    }

    // Echoes every message.
    upgrade(req, socket) {
        this.note(req);
        socket.on('error', () => {});
        socket.on('end', () => socket.end());
        if (req.headers.upgrade?.toLowerCase() !== 'websocket') {
            socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
            return;
        }
        this.sockets++;
        socket.on('close', () => { this.sockets--; });
        socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
            `Sec-WebSocket-Accept: ${acceptKey(req.headers['sec-websocket-key'])}\r\n\r\n`);
        const peer = new WebSocketPeer(socket, { masks: false });
        peer.onMessage = (data) => peer.send(data);
    }
}

// An upstream that keeps every byte and answers each head with the same words.
export class Recorder {
    static async start(answer = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok') {
        const recorder = new Recorder();
        recorder.bytes = '';
        recorder.sockets = new Set();
        recorder.server = net.createServer((socket) => {
            let pending = '';
            recorder.sockets.add(socket);
            socket.on('error', () => {});
            socket.on('close', () => recorder.sockets.delete(socket));
            socket.on('data', (bytes) => {
                recorder.bytes += bytes.toString('latin1');
                pending += bytes.toString('latin1');
                for (let at; (at = pending.indexOf('\r\n\r\n')) >= 0; pending = pending.slice(at + 4))
                    socket.write(answer);
            });
        });
        await new Promise((done) => recorder.server.listen(0, '127.0.0.1', done));
        recorder.port = recorder.server.address().port;
        return recorder;
    }

    async close() {
        this.server.close();
        for (const socket of this.sockets)
            socket.destroy();
    }
}
