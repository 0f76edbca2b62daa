// test/e2e/lib/stdio_server.mjs - a server of the Model Context Protocol over standard input and
// output that does what a test asks of its tools, good or bad.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const say = (message) => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
const text = (of) => ({ content: [{ type: 'text', text: String(of) }] });
let asks = 100;
const waiting = new Map();
const cancelled = [];

const tools = {
    pid: () => text(process.pid),
    uid: () => text(`${process.getuid()} ${process.getgid()} ${process.getgroups()}`),
    environment: () => text(JSON.stringify(process.env)),
    descriptors: () => text(readFileSync('/proc/self/status', 'utf8').match(/NoNewPrivs:\s*(\d)/)[1]),
    cwd: () => text(process.cwd()),
    cancelled: () => text(cancelled.join(' ')),
    read: ({ path }) => {
        try {
            return text(readFileSync(path, 'utf8'));
        } catch (error) {
            return { ...text(error.code), isError: true };
        }
    },
    // Progress before the answer.
    steps: ({ steps }, meta) => {
        for (let i = 1; i <= steps; i++)
            say({ method: 'notifications/progress', params: { progressToken: meta?.progressToken, progress: i, total: steps } });
        return text('done');
    },
    // Asks its client for a sample, and answers with what it got.
    sample: (_, meta, id) => {
        const own = `ask-${asks++}`;
        waiting.set(own, (answer) => say({ id, result: text(answer.error ? `refused ${answer.error.code}` : answer.result.content.text) }));
        say({ id: own, method: 'sampling/createMessage', params: { maxTokens: 1, messages: [] } });
    },
    // Something that belongs to no call.
    later: () => {
        setTimeout(() => say({ method: 'notifications/tools/list_changed' }), 100);
        return text('soon');
    },
    die: () => process.exit(3),
    hang: () => undefined,
    garbage: ({ lines = 1 }) => {
        for (let i = 0; i < lines; i++)
            process.stdout.write(['Welcome to the server!\n', '[]\n', '{"jsonrpc":"2.0","id":1,"id":2,"result":{}}\n', '\xff\0\n'][i % 4]);
        return text('after the garbage');
    },
    forged: (_, meta, id) => {
        say({ id: String(id), result: text('of another type') });
        say({ id: 987654, result: text('of nobody') });
        return text('the right one');
    },
    long: ({ size }) => text('x'.repeat(size)),
    log: ({ lines, size }) => {
        for (let i = 0; i < lines; i++)
            process.stderr.write(`\x1b[31mline ${i}${'y'.repeat(size)}\n`);
        return text('logged');
    },
    // What it starts leaves its group.
    flee: () => text(spawn('sleep', ['600'], { detached: true, stdio: 'ignore' }).pid),
};

function request({ id, method, params }) {
    switch (method) {
    case 'initialize':
        if (process.argv.includes('--refuse'))
            return say({ id, error: { code: -32602, message: 'not today' } });
        return say({ id, result: { protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: 'stdio', version: '1' } } });
    case 'tools/list':
        return say({ id, result: { tools: Object.keys(tools).map((name) => ({ name, inputSchema: { type: 'object' } })) } });
    case 'tools/call': {
        const result = tools[params.name](params.arguments ?? {}, params._meta, id);
        return result && say({ id, result });
    }
    default:
        return say({ id, result: {} });
    }
}

createInterface({ input: process.stdin }).on('line', (line) => {
    const message = JSON.parse(line);
    if (message.method === undefined)
        waiting.get(message.id)?.(message);
    else if (message.method === 'notifications/cancelled')
        cancelled.push(message.params.requestId);
    else if (message.id !== undefined)
        request(message);
});
if (process.argv.includes('--deaf'))
    process.on('SIGTERM', () => {});
