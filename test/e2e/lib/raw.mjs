// test/e2e/lib/raw.mjs - exact bytes to a port, and all that comes back.
import net from 'node:net';

import { SLACK } from './process.mjs';

// Sends the parts one after another (a number waits that many ms), reads until the
// peer closes or nothing has come for `quiet` ms. {text, closed}
export function exchange(port, parts, { quiet = 300 } = {}) {
    return new Promise((done, fail) => {
        const socket = net.connect(port, '127.0.0.1');
        let text = '', timer;
        const finish = (closed) => {
            clearTimeout(timer);
            socket.destroy();
            done({ text, closed });
        };
        const wait = () => {
            clearTimeout(timer);
            timer = setTimeout(() => finish(false), quiet * SLACK);
        };
        socket.on('error', (error) => (error.code === 'ECONNREFUSED' ? fail(error) : finish(true)));
        socket.on('close', () => finish(true));
        socket.on('data', (bytes) => {
            text += bytes.toString('latin1');
            wait();
        });
        socket.on('connect', async () => {
            for (const part of [parts].flat()) {
                if (typeof part === 'number')
                    await new Promise((over) => setTimeout(over, part));
                else if (!socket.destroyed)
                    socket.write(Buffer.from(part, 'latin1'));
            }
            wait();
        });
    });
}

// The status codes of all answers in a text whose bodies have a Content-Length.
export function statuses(text) {
    const found = [];
    let rest = text;
    for (;;) {
        const head = /^HTTP\/1\.1 (\d{3}) [^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n/.exec(rest);
        if (!head)
            return found;
        found.push(Number(head[1]));
        const length = /^content-length: *(\d+)/im.exec(head[2]);
        rest = rest.slice(head[0].length + (length ? Number(length[1]) : 0));
    }
}
