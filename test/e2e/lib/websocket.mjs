// test/e2e/lib/websocket.mjs - RFC 6455 by hand: enough for an echo on either side.
import { createHash, randomBytes } from 'node:crypto';
import http from 'node:http';

export function acceptKey(key) {
    return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}

function frame(data, masks) {
    const body = Buffer.from(data);
    const mask = masks ? randomBytes(4) : null;
    const bit = masks ? 0x80 : 0;
    let head;

    if (body.length < 126) {
        head = Buffer.from([0x82, bit | body.length]);
    } else if (body.length < 65536) {
        head = Buffer.from([0x82, bit | 126, 0, 0]);
        head.writeUInt16BE(body.length, 2);
    } else {
        head = Buffer.alloc(10);
        head[0] = 0x82;
        head[1] = bit | 127;
        head.writeBigUInt64BE(BigInt(body.length), 2);
    }
    if (mask)
        for (let i = 0; i < body.length; i++)
            body[i] ^= mask[i & 3];
    return Buffer.concat(mask ? [head, mask, body] : [head, body]);
}

// One end of an open WebSocket. Messages go to onMessage(Buffer).
export class WebSocketPeer {
    constructor(socket, { masks, head = Buffer.alloc(0) }) {
        this.socket = socket;
        this.masks = masks;
        this.pending = head;
        this.onMessage = () => {};
        this.closed = new Promise((done) => socket.once('close', done));
        socket.on('error', () => {});
        socket.on('data', (bytes) => {
            this.pending = Buffer.concat([this.pending, bytes]);
            this.take();
        });
    }

    send(data) {
        this.socket.write(frame(data, this.masks));
    }

    take() {
        for (;;) {
            const bytes = this.pending;
            if (bytes.length < 2)
                return;
            let size = bytes[1] & 0x7f, at = 2;
            if (size === 126) {
                if (bytes.length < 4)
                    return;
                size = bytes.readUInt16BE(2);
                at = 4;
            } else if (size === 127) {
                if (bytes.length < 10)
                    return;
                size = Number(bytes.readBigUInt64BE(2));
                at = 10;
            }
            const masked = (bytes[1] & 0x80) !== 0;
            const start = at + (masked ? 4 : 0);
            if (bytes.length < start + size)
                return;
            const body = Buffer.from(bytes.subarray(start, start + size));
            if (masked)
                for (let i = 0; i < size; i++)
                    body[i] ^= bytes[at + (i & 3)];
            this.pending = bytes.subarray(start + size);
            this.onMessage(body);
        }
    }

    // The next message.
    next() {
        return new Promise((done) => {
            this.onMessage = (data) => {
                this.onMessage = () => {};
                done(data);
            };
        });
    }
}

// {status, peer}: a peer when the server agreed.
export function connectWebSocket(port, path, headers = {}) {
    return new Promise((done, fail) => {
        const key = randomBytes(16).toString('base64');
        const call = http.request({
            host: '127.0.0.1', port, path, agent: false,
            headers: {
                connection: 'Upgrade', upgrade: 'websocket',
                'sec-websocket-version': '13', 'sec-websocket-key': key, ...headers,
            },
        });
        call.on('error', fail);
        call.on('response', (answer) => {
            answer.resume();
            done({ status: answer.statusCode, headers: answer.headers });
        });
        call.on('upgrade', (answer, socket, head) => {
            if (answer.headers['sec-websocket-accept'] !== acceptKey(key)) {
                fail(new Error('Sec-WebSocket-Accept is wrong'));
                return;
            }
            done({ status: 101, headers: answer.headers, peer: new WebSocketPeer(socket, { masks: true, head }) });
        });
        call.end();
    });
}
