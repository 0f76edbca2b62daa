// test/e2e/lib/writ.mjs - a Writ of one's own: configuration, process, commands, API.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { clearPlace, freePort, makePlace, Process, run } from './process.mjs';

const here = dirname(fileURLToPath(import.meta.url));
export const PROGRAM = resolve(process.env.WRIT ?? join(here, '../../../build/writ'));

// One HTTP exchange with Node's client: {status, headers, body, json}.
export function request(port, method, path, { headers = {}, body, agent, socketPath } = {}) {
    return new Promise((done, fail) => {
        const where = socketPath ? { socketPath } : { host: '127.0.0.1', port };
        const call = http.request({ ...where, method, path, headers, agent: agent ?? false },
            (answer) => {
                const chunks = [];
                answer.on('data', (chunk) => chunks.push(chunk));
                answer.on('error', fail);
                answer.on('end', () => {
                    const bytes = Buffer.concat(chunks);
                    done({
                        status: answer.statusCode,
                        headers: answer.headers,
                        bytes,
                        body: bytes.toString(),
                        get json() { return JSON.parse(bytes.toString()); },
                    });
                });
            });
        call.on('error', fail);
        call.end(body);
    });
}

export const bearer = (token) => ({ authorization: `Bearer ${token}` });

// The policy that most tests begin with; `orders` is the upstream's port.
export const policy = (orders) => ({
    upstreams: { orders: { type: 'http', url: `http://127.0.0.1:${orders}` } },
    roles: {
        support: {
            allow: ['orders:GET|HEAD:/v1/orders', 'orders:GET|HEAD:/v1/orders/**'],
            deny: ['orders:*:/v1/orders/*/payment'],
        },
        clerk: {
            inherits: ['support'],
            allow: ['orders:POST:/v1/orders', 'orders:DELETE:/v1/orders/*'],
        },
        everything: { allow: ['orders:*:/**'] },
    },
    subjects: {
        amara: { type: 'user', roles: ['support'] },
        nightly: { type: 'service', roles: ['clerk'] },
        tester: { type: 'service', roles: ['everything'] },
    },
});

export class Writ {
    // config: merged over the smallest writ.yaml, one level deep. policy: an object, or YAML text.
    static async start({ config = {}, policy: rules, name = 'e2e', files = {} } = {}) {
        const writ = new Writ();
        writ.place = makePlace(name);
        writ.apiPort = await freePort();
        writ.port = await freePort();
        writ.configPath = join(writ.place, 'writ.yaml');
        writ.policyPath = join(writ.place, 'policy.yaml');
        for (const [file, text] of Object.entries(files)) {
            mkdirSync(dirname(join(writ.place, file)), { recursive: true });
            writeFileSync(join(writ.place, file), text, { mode: 0o600 });
        }
        writ.writePolicy(rules ?? {});
        writ.configure(config);
        await writ.launch();
        return writ;
    }

    // JSON is YAML.
    writePolicy(rules) {
        writeFileSync(this.policyPath,
            typeof rules === 'string' ? rules : JSON.stringify(rules, null, 2));
    }

    configure(config) {
        writeFileSync(this.configPath, JSON.stringify({
            data: './data',
            authority: { listen: `127.0.0.1:${this.apiPort}` },
            gateway: { http: { listen: `127.0.0.1:${this.port}` } },
            policy: ['policy.yaml'],
            ...config,
        }, null, 2));
    }

    get data() { return join(this.place, 'data'); }
    get socket() { return join(this.data, 'writ.sock'); }

    async launch() {
        assert.ok(existsSync(PROGRAM), `${PROGRAM} is not there: run make, or set WRIT`);
        this.asked = false;
        this.process = new Process(PROGRAM, ['serve', '--config', this.configPath],
            { cwd: this.place });
        await this.process.ready(async () => (await this.api('GET', '/readyz')).status === 200);
    }

    async stop(signal = 'SIGTERM') {
        this.asked = true;
        return this.process.stop(signal);
    }

    async restart(signal = 'SIGTERM') {
        await this.stop(signal);
        await this.launch();
    }

    // The end of a test file: the process must have been alive until now.
    async close() {
        const died = !this.asked && this.process.ended;
        await this.stop();
        clearPlace(this.place);
        if (died)
            assert.fail(`writ ended by itself: ${JSON.stringify(died)}\n${this.process.output}`);
        assert.doesNotMatch(this.process.output, /AddressSanitizer|runtime error|ThreadSanitizer/);
    }

    // A command, from the place where writ.yaml is.
    cli(args, options = {}) {
        return run(PROGRAM, args, { cwd: this.place, ...options });
    }

    // A command with -o json that must succeed.
    async json(args, options = {}) {
        const { code, out, err } = await this.cli([...args, '-o', 'json'], options);
        assert.equal(code, 0, `writ ${args.join(' ')}: ${err}`);
        return JSON.parse(out);
    }

    issue(subject, ...more) {
        return this.json(['token', 'issue', '--subject', subject, ...more]);
    }

    // The API: by the local socket, or over HTTP with a token.
    api(method, path, body, { token, headers = {} } = {}) {
        const all = { ...headers, ...(token ? bearer(token) : {}) };
        if (body !== undefined)
            all['content-type'] = 'application/json';
        return request(this.apiPort, method, path, {
            headers: all,
            body: body === undefined ? undefined : JSON.stringify(body),
            socketPath: token === undefined ? this.socket : undefined,
        });
    }

    // A request through the HTTP door.
    get(path, token, options = {}) {
        return this.ask('GET', path, token, options);
    }

    ask(method, path, token, { headers = {}, ...options } = {}) {
        return request(this.port, method, path, {
            headers: { ...(token ? bearer(token) : {}), ...headers },
            ...options,
        });
    }

    async revoke(id) {
        const answer = await this.api('DELETE', `/v1/tokens/${id}`);
        assert.equal(answer.status, 200, answer.body);
        return answer.json;
    }

    // Audit lines, newest first.
    async audit(...filters) {
        return (await this.json(['audit', 'search', ...filters])).items;
    }
}
