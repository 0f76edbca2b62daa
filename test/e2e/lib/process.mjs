// test/e2e/lib/process.mjs - places, ports, processes, waiting.
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// How much slower than a quiet machine this one may be: times of the contract
// are multiplied by it (sanitizers, a busy CI).
export const SLACK = Number(process.env.WRIT_SLACK || 1);

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

export function makePlace(name) {
    return mkdtempSync(join(tmpdir(), `writ-${name}-`));
}

export function clearPlace(place) {
    rmSync(place, { recursive: true, force: true });
}

const given = new Set();

// A port that is free now, and that this process gives out only once.
export async function freePort() {
    for (;;) {
        const port = await new Promise((done, fail) => {
            const server = net.createServer();
            server.once('error', fail);
            server.listen(0, '127.0.0.1', () => {
                const { port } = server.address();
                server.close(() => done(port));
            });
        });
        if (!given.has(port)) {
            given.add(port);
            return port;
        }
    }
}

// Asks until the answer is truthy; fails with the last error or `what`.
export async function until(what, ask, { within = 10000, every = 20 } = {}) {
    const end = Date.now() + within * SLACK;
    let last;
    for (;;) {
        try {
            const answer = await ask();
            if (answer)
                return answer;
            last = undefined;
        } catch (error) {
            last = error;
        }
        if (Date.now() > end)
            throw new Error(`waited ${within * SLACK} ms for ${what}`, { cause: last });
        await sleep(every);
    }
}

// A process whose output is kept.
export class Process {
    constructor(command, args, options = {}) {
        this.name = command;
        this.output = '';
        this.child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
        this.exited = new Promise((done) => {
            this.child.once('error', (error) => {
                this.output += `${error.message}\n`;
                done({ code: 127 });
            });
            this.child.once('exit', (code, signal) => done({ code, signal }));
        });
        this.exited.then((how) => { this.ended = how; });
        for (const stream of [this.child.stdout, this.child.stderr])
            stream.on('data', (bytes) => { this.output += bytes; });
    }

    // Waits for readiness and fails early, with its output, when the process ends.
    async ready(ask) {
        try {
            await until(`${this.name} to be ready`, async () => {
                if (this.ended)
                    throw new Error(`${this.name} ended (${JSON.stringify(this.ended)})`);
                return ask();
            }, { within: 20000 });
        } catch (error) {
            await this.stop('SIGKILL');
            throw new Error(`${error.message}\n${error.cause ?? ''}\n${this.output}`);
        }
    }

    async stop(signal = 'SIGTERM', within = 10000) {
        if (!this.ended) {
            this.child.kill(signal);
            const timer = setTimeout(() => this.child.kill('SIGKILL'), within * SLACK);
            await this.exited;
            clearTimeout(timer);
        }
        return this.exited;
    }
}

// Runs a command to its end: {code, out, err}. Never throws.
export function run(command, args, { input, ...options } = {}) {
    return new Promise((done) => {
        const child = execFile(command, args, { maxBuffer: 64 << 20, timeout: 60000 * SLACK, ...options },
            (error, out, err) => done({
                code: error === null ? 0 : typeof error.code === 'number' ? error.code : 128,
                out: String(out),
                err: String(err),
            }));
        child.stdin.on('error', () => {}); // it may end without reading
        child.stdin.end(input ?? '');
    });
}
