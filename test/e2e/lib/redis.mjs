// test/e2e/lib/redis.mjs - a Redis server of one's own, redis-cli, and a socket that speaks RESP.
import net from 'node:net';

import { clearPlace, freePort, makePlace, Process, run } from './process.mjs';

export class RedisServer {
    static async start(args = []) {
        const server = new RedisServer();
        server.place = makePlace('redis');
        server.port = await freePort();
        server.process = new Process('redis-server', ['--port', String(server.port), '--bind', '127.0.0.1', '--save', '',
            '--appendonly', 'no', '--dir', server.place, '--requirepass', 'hunter2', ...args]);
        await server.process.ready(async () => (await server.cli('PING')).out === 'PONG\n');
        return server;
    }

    // Not through the gateway.
    cli(...args) {
        return run('redis-cli', ['-h', '127.0.0.1', '-p', String(this.port), '--no-auth-warning', '-a', 'hunter2', ...args]);
    }

    async close() {
        await this.process.stop();
        clearPlace(this.place);
    }
}

export const command = (...words) =>
    `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;

// Bytes out, bytes in.
export class Raw {
    static open(port) {
        const raw = new Raw();
        raw.text = '';
        raw.socket = net.connect(port, '127.0.0.1');
        raw.socket.on('data', (bytes) => { raw.text += bytes.toString('latin1'); });
        raw.closed = new Promise((done) => raw.socket.on('close', done));
        raw.socket.on('error', () => {});
        return new Promise((done) => raw.socket.on('connect', () => done(raw)));
    }

    send(...commands) { this.socket.write(commands.map((words) => command(...words)).join('')); }

    // Until the text has come; it is taken off.
    async expect(text, within = 5000) {
        const end = Date.now() + within;
        while (!this.text.includes(text)) {
            if (Date.now() > end)
                throw new Error(`${JSON.stringify(text)} is not in ${JSON.stringify(this.text)}`);
            await new Promise((done) => setTimeout(done, 5));
        }
        const at = this.text.indexOf(text) + text.length;
        const taken = this.text.slice(0, at);
        this.text = this.text.slice(at);
        return taken;
    }

    close() { this.socket.destroy(); }
}
