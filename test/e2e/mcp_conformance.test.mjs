// test/e2e/mcp_conformance.test.mjs - the protocol's own conformance tool finds behind the gate what
// it finds without it, scenario by scenario; and stock servers work behind the gate as they do alone.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

import { bridgeStdio, serveConformant } from './lib/mcp_servers.mjs';
import { clearPlace, freePort, makePlace, Process, run, until } from './lib/process.mjs';
import { bearer, Writ } from './lib/writ.mjs';

const PACKAGES = 'node_modules/@modelcontextprotocol';
const TOOL = `${PACKAGES}/conformance/dist/index.js`;
const NODE = Number(process.versions.node.split('.')[0]);
const skip = !existsSync(TOOL) ? 'the conformance tool is not installed (npm ci)' : NODE < 20 ? 'the conformance tool takes Node 20' : false;
let writ, everything, conformant, files, memory, shared;

before(async () => {
    const port = await freePort();
    everything = new Process(process.execPath, [`${PACKAGES}/server-everything/dist/index.js`, 'streamableHttp'], { env: { ...process.env, PORT: String(port) } });
    everything.port = port;
    await everything.ready(() => fetch(`http://127.0.0.1:${port}/mcp`).then(() => true, () => false));
    conformant = await serveConformant();
    shared = makePlace('mcp-files');
    writeFileSync(join(shared, 'note.txt'), 'a note');
    files = await bridgeStdio(process.execPath, [`${PACKAGES}/server-filesystem/dist/index.js`, shared]);
    memory = await bridgeStdio('env', [`MEMORY_FILE_PATH=${join(shared, 'memory.jsonl')}`, process.execPath, `${PACKAGES}/server-memory/dist/index.js`]);
    const at = (server) => ({ type: 'mcp', url: `http://127.0.0.1:${server.port}/mcp` });
    writ = await Writ.start({
        name: 'mcp-conformance',
        policy: {
            upstreams: { everything: at(everything), conformant: at(conformant), files: at(files), memory: at(memory) },
            roles: {
                all: { allow: ['everything:*:**', 'conformant:*:**', 'files:*:**', 'memory:*:**'] },
                reader: { allow: ['files:tools.list:-', 'files:tools.call:read_text_file', 'files:tools.call:list_directory',
                    'memory:tools.list:-', 'memory:tools.call:read_graph'] },
            },
            subjects: { all: { type: 'agent', roles: ['all'] }, reader: { type: 'agent', roles: ['reader'] } },
        },
    });
});

after(async () => {
    await writ?.close();
    await everything?.stop();
    await Promise.all([conformant, files, memory].map((server) => server?.close()));
    clearPlace(shared);
});

// The tool sends no token: this adds it, and names the gate where its own address stands.
async function withToken(name, token) {
    const server = http.createServer((req, res) => {
        const own = `127.0.0.1:${server.address().port}`, gate = `127.0.0.1:${writ.port}`;
        const { host, origin } = req.headers;
        const call = http.request({ host: '127.0.0.1', port: writ.port, path: `/${name}`, method: req.method, agent: false,
            headers: { ...req.headers, host: host.replace(own, gate), ...(origin ? { origin: origin.replace(own, gate) } : {}), ...bearer(token) } }, (answer) => {
            res.writeHead(answer.statusCode, answer.headers);
            res.flushHeaders();
            answer.pipe(res);
            answer.on('error', () => res.destroy());
        });
        call.on('error', () => res.destroy());
        res.on('close', () => call.destroy());
        req.pipe(call);
    });
    await new Promise((done) => server.listen(0, '127.0.0.1', done));
    return { port: server.address().port, close: () => { server.close(); server.closeAllConnections(); } };
}

// Each scenario's checks: {scenario: {check: verdict}}. What differs from run to run (times, ids) is left out.
async function verdicts(name, port) {
    const out = join(writ.place, name);
    await run(process.execPath, [...(NODE < 22 ? ['--import', './lib/glob_for_old_node.mjs'] : []), TOOL,
        'server', '--url', `http://127.0.0.1:${port}/mcp`, '--suite', 'all', '-o', out]);
    const found = {};
    for (const folder of readdirSync(out)) {
        const scenario = /^server-(.*?)-\d{4}-/.exec(folder)[1];
        found[scenario] = {};
        for (const { id, status, errorMessage } of JSON.parse(readFileSync(join(out, folder, 'checks.json'), 'utf8')))
            if (status !== 'INFO')
                found[scenario][id] = `${status}${errorMessage ? `: ${errorMessage}` : ''}`;
    }
    return found;
}

async function compare(name, server) {
    const proxy = await withToken(name, (await writ.issue('all')).token);
    const [direct, gated] = [await verdicts(`${name}-direct`, server.port), await verdicts(`${name}-gated`, proxy.port)];
    proxy.close();
    assert.ok(Object.keys(direct).length >= 30, `the tool ran ${Object.keys(direct).length} scenarios`);
    return { direct, gated };
}

const isGood = (checks) => Object.values(checks).every((verdict) => verdict === 'SUCCESS');

test('a server that has all: the same verdicts, and they are good', { skip }, async () => {
    const { direct, gated } = await compare('conformant', conformant);
    assert.deepEqual(gated, direct);
    /* That scenario speaks the protocol of 2025-03-26, in which the SDK's servers send no events to
     * begin with; the test of resumption below has the present one. */
    assert.deepEqual(Object.keys(gated).filter((name) => !isGood(gated[name])), ['server-sse-polling']);
});

test('the stock server: the same verdicts', { skip }, async () => {
    const { direct, gated } = await compare('everything', everything);
    /* It answers pages of other sites, which do not reach it through the gate. */
    assert.match(direct['dns-rebinding-protection']['localhost-host-rebinding-rejected'], /got 200/);
    assert.ok(isGood(gated['dns-rebinding-protection']));
    delete direct['dns-rebinding-protection'];
    delete gated['dns-rebinding-protection'];
    assert.deepEqual(gated, direct);
});

async function connected(name, token) {
    const client = new Client({ name: 'stock', version: '1' });
    await client.connect(new StreamableHTTPClientTransport(new URL(`http://127.0.0.1:${writ.port}/${name}`),
        { requestInit: { headers: bearer(token) } }));
    return client;
}
const words = (answer) => answer.content[0].text;

test('a stream that ended before its answer is taken up again', async () => {
    const client = await connected('conformant', (await writ.issue('all')).token);
    assert.equal(words(await client.callTool({ name: 'test_reconnection' })), 'after the reconnection');
    await client.close();
});

test('files: what may be called is there, and nothing else', async () => {
    const [all, reader] = await Promise.all(['all', 'reader'].map(async (who) => connected('files', (await writ.issue(who)).token)));
    const note = join(shared, 'note.txt');
    assert.deepEqual((await reader.listTools()).tools.map((tool) => tool.name).sort(), ['list_directory', 'read_text_file']);
    assert.ok((await all.listTools()).tools.length > 5);
    assert.equal(words(await reader.callTool({ name: 'read_text_file', arguments: { path: note } })), 'a note');
    await assert.rejects(reader.callTool({ name: 'write_file', arguments: { path: note, content: 'mine' } }), /files:tools\.call:write_file/);
    assert.equal(readFileSync(note, 'utf8'), 'a note');
    await all.callTool({ name: 'write_file', arguments: { path: note, content: 'another' } });
    assert.equal(readFileSync(note, 'utf8'), 'another');
    await Promise.all([all.close(), reader.close()]);
});

test('memory: who reads can\'t write, and is cut with the token', async () => {
    const { id, token } = await writ.issue('reader');
    const [all, reader] = await Promise.all([connected('memory', (await writ.issue('all')).token), connected('memory', token)]);
    const entities = [{ name: 'Writ', entityType: 'gate', observations: ['it is shut'] }];
    assert.match(words(await all.callTool({ name: 'create_entities', arguments: { entities } })), /Writ/);
    assert.match(words(await reader.callTool({ name: 'read_graph', arguments: {} })), /it is shut/);
    await assert.rejects(reader.callTool({ name: 'create_entities', arguments: { entities } }), /memory:tools\.call:create_entities/);
    await writ.revoke(id);
    await assert.rejects(reader.callTool({ name: 'read_graph', arguments: {} }), /revoked/);
    const lines = await until('the lines', async () => {
        const found = (await writ.audit('--subject', 'reader', '--resource', 'memory', '--action', 'tools.call')).map((line) => `${line.decision} ${line.object}`);
        return found.includes('deny create_entities') && found;
    });
    assert.ok(lines.includes('allow read_graph'), lines.join());
    await all.close();
});
