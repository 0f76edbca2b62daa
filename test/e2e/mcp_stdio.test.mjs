// test/e2e/mcp_stdio.test.mjs - MCP servers of standard input and output, started by the gateway as
// users of their own: the token's rights hold, and the server reaches nothing of Writ's.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { userInfo } from 'node:os';

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { CreateMessageRequestSchema } from '@modelcontextprotocol/sdk/types.js';

import { sleep, until } from './lib/process.mjs';
import { bearer, PROGRAM, Writ } from './lib/writ.mjs';

const SERVER = new URL('lib/stdio_server.mjs', import.meta.url).pathname;
const EVERYTHING = new URL('node_modules/@modelcontextprotocol/server-everything/dist/index.js', import.meta.url).pathname;
const root = process.getuid() === 0;
const asRoot = { skip: root ? false : 'users are changed by root alone: run the tests as root to try it' };
const USER = root ? 'games' : userInfo().username;
const uid = root ? Number(/^games:x:(\d+):/m.exec(readFileSync('/etc/passwd', 'utf8'))[1]) : process.getuid();

const own = (more = {}) => ({ type: 'mcp', stdio: { command: [process.execPath, SERVER], user: USER, ...more } });
const rules = (upstreams = {}) => ({
    upstreams: {
        own: own({ idle: '5s', env: { GREETING: 'hello', key: 'not-a-path', SECRET: 'of env', LANG: 'C' }, env_file: 'secret.env' }),
        tools: { type: 'mcp', stdio: { command: [process.execPath, EVERYTHING, 'stdio'], user: USER } },
        ...upstreams,
    },
    roles: {
        some: { allow: ['own:tools.list:-', 'own:tools.call:pid', 'own:tools.call:sample', 'own:tools.call:hang', 'tools:tools.list:-', 'tools:tools.call:echo'] },
        all: { allow: ['own:*:**', 'tools:*:**', 'late:*:**'] },
    },
    subjects: { some: { type: 'agent', roles: ['some'] }, all: { type: 'agent', roles: ['all'] }, admin: { type: 'user', roles: ['admin'] } },
});
let writ, some, all;

before(async () => {
    writ = await Writ.start({
        name: 'stdio',
        config: { stdio: { users: [USER, ...(root ? ['daemon'] : [])] } },
        files: { 'secret.env': '# of the server\nSECRET=s3cret = x\n\n' },
        policy: rules(),
    });
    some = (await writ.issue('some')).token;
    all = (await writ.issue('all')).token;
});
after(async () => {
    await writ?.close();
});

const post = (body, { token = all, name = 'own', session, method = 'POST', onCall } = {}) => new Promise((done, fail) => {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const call = http.request({ host: '127.0.0.1', port: writ.port, path: `/${name}`, method, agent: false,
        headers: { ...bearer(token), accept: 'application/json, text/event-stream', 'content-type': 'application/json',
            ...(session ? { 'mcp-session-id': session } : {}), ...(text === undefined ? {} : { 'content-length': Buffer.byteLength(text) }) } }, (answer) => {
        let out = '';
        answer.on('data', (bytes) => { out += bytes; })
            .on('end', () => done({ status: answer.statusCode, headers: answer.headers, body: out })).on('error', () => done({ status: 0, body: out }));
    });
    onCall?.(call);
    call.on('error', fail);
    call.end(text);
});
const initialize = { jsonrpc: '2.0', id: 0, method: 'initialize', params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 't', version: '1' } } };
const callOf = (name, args = {}, id = 1) => ({ jsonrpc: '2.0', id, method: 'tools/call', params: { name, arguments: args } });
const alive = (pid) => existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
const ends = (pid, within = 15000) => until(`process ${pid} to end`, () => !alive(pid), { within });
const open = (options = {}) => until('the server', async () => {
    const answer = await post(initialize, options);
    return answer.status === 200 && answer.headers['mcp-session-id'];
});
const tool = async (session, name, args = {}, options = {}) => JSON.parse((await post(callOf(name, args), { session, ...options })).body).result.content[0].text;

async function connected(token, { capabilities = {}, name = 'own' } = {}) {
    const client = new Client({ name: 'test', version: '1' }, { capabilities });
    await open({ token: all, name });
    const transport = new StreamableHTTPClientTransport(new URL(`http://127.0.0.1:${writ.port}/${name}`), { requestInit: { headers: { Authorization: `Bearer ${token}` } } });
    await client.connect(transport);
    return client;
}
// Every process whose command line names the server, or the bridge.
const processes = () => readdirSync('/proc').filter((pid) => /^\d+$/.test(pid)).filter((pid) => {
    try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
        return (line.includes(SERVER) || line.includes(EVERYTHING)) && alive(pid);
    } catch {
        return false;
    }
});

test('a stock client and a stock server: list, call, progress', async () => {
    const client = await connected(all, { name: 'tools' });
    const { tools } = await client.listTools();
    assert.ok(tools.length > 5);
    assert.equal((await client.callTool({ name: 'echo', arguments: { message: 'hi' } })).content[0].text, 'Echo: hi');
    const steps = [];
    await client.callTool({ name: 'trigger-long-running-operation', arguments: { duration: 1, steps: 3 } }, undefined, { onprogress: (step) => steps.push(step.progress) });
    assert.deepEqual(steps, [1, 2, 3]);
    const fewer = await connected(some, { name: 'tools' });
    assert.deepEqual((await fewer.listTools()).tools.map((one) => one.name), ['echo']);
    assert.equal((await fewer.callTool({ name: 'echo', arguments: { message: 'ho' } })).content[0].text, 'Echo: ho');
    await assert.rejects(fewer.callTool({ name: 'get-sum', arguments: { a: 1, b: 2 } }), /tools:tools.call:get-sum/);
    await client.close();
    await fewer.close();
});

test('what the server asks of its client needs a right too', async () => {
    const capabilities = { sampling: {} };
    const allowed = await connected(all, { capabilities }), refused = await connected(some, { capabilities });
    let asked = 0;
    for (const client of [allowed, refused])
        client.setRequestHandler(CreateMessageRequestSchema, () => {
            asked++;
            return { role: 'assistant', model: 'm', content: { type: 'text', text: 'a sample' } };
        });
    assert.equal((await allowed.callTool({ name: 'sample', arguments: {} })).content[0].text, 'a sample');
    assert.match((await refused.callTool({ name: 'sample', arguments: {} })).content[0].text, /^refused -/);
    assert.equal(asked, 1);
    await allowed.close();
    await refused.close();
});

test('two clients have processes of their own; a session is its token\'s alone', async () => {
    const [one, two] = [await open(), await open({ token: some })];
    const pids = [Number(await tool(one, 'pid')), Number(await tool(two, 'pid', {}, { token: some }))];
    assert.notEqual(pids[0], pids[1]);
    assert.equal((await post(callOf('pid'), { session: one, token: some })).status, 404);
    assert.equal((await post(undefined, { session: one, method: 'DELETE' })).status, 204);
    await ends(pids[0]);
    assert.ok(alive(pids[1]));
    const lines = await until('the audit', async () => {
        const found = (await writ.audit('--subject', 'some', '--resource', 'own')).filter((line) => line.action === 'tools.call');
        return found.length > 0 && found;
    });
    assert.equal(lines[0].object, 'pid');
    assert.equal(lines[0].decision, 'allow');
});

test('a token that is revoked: its call is cut and its process ends', async () => {
    const { id, token } = await writ.issue('some');
    const session = await open({ token });
    const pid = Number(await tool(session, 'pid', {}, { token }));
    const hangs = post(callOf('hang', {}, 5), { session, token }).catch(() => ({ status: 0 }));
    await sleep(200);
    await writ.revoke(id);
    assert.notEqual((await hangs).status, 200);
    assert.equal((await post(callOf('pid'), { session, token })).status, 401);
    await ends(pid);
});

test('a process that dies, and the bridge that dies', async () => {
    const session = await open();
    assert.equal(JSON.parse((await post(callOf('die'), { session })).body).error.code, -32000);
    assert.equal((await post(callOf('pid'), { session })).status, 404);
    const next = await open();
    const pid = Number(await tool(next, 'pid'));
    const bridge = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);
    const fled = Number(await tool(next, 'flee'));
    process.kill(bridge, 'SIGKILL');
    await ends(pid);
    await ends(fled);
    await until('502', async () => (await post(initialize)).status === 502, { every: 1 });
    await open(); // it is put up again
    assert.match(writ.process.output, /is started again later.*signal 9/);
});

test('its environment is what was said, and no more', async () => {
    process.env.WRIT_TEST_LEAK = 'leaked';
    const session = await open();
    const environment = JSON.parse(await tool(session, 'environment'));
    assert.equal(environment.GREETING, 'hello');
    assert.equal(environment.key, 'not-a-path');
    assert.equal(environment.SECRET, 's3cret = x');
    assert.equal(environment.LANG, 'C');
    assert.deepEqual(Object.keys(environment).sort(), ['GREETING', 'HOME', 'LANG', 'LOGNAME', 'PATH', 'SECRET', 'USER', 'key']);
    assert.equal(await tool(session, 'descriptors'), '1'); // NoNewPrivs
    assert.equal(statSync(join(writ.data, 'stdio')).mode & 0o777, 0o700);
    assert.equal(statSync(join(writ.data, 'stdio/own.sock')).mode & 0o777, 0o600);
    await post(undefined, { session, method: 'DELETE' });
});

test('it runs as its user, who can read nothing of Writ\'s and no longer be root', asRoot, async () => {
    const session = await open();
    const [id, , groups] = (await tool(session, 'uid')).split(' ');
    assert.equal(Number(id), uid);
    assert.ok(!groups.split(',').includes('0'));
    const pid = Number(await tool(session, 'pid'));
    assert.match(readFileSync(`/proc/${pid}/status`, 'utf8'), new RegExp(`^Uid:\\s+${uid}\\s+${uid}\\s+${uid}\\s+${uid}$`, 'm'));
    const bridge = /^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1];
    assert.match(readFileSync(`/proc/${bridge}/status`, 'utf8'), new RegExp(`^Uid:\\s+${uid}\\s+${uid}\\s+${uid}\\s+${uid}$`, 'm'));
    for (const path of ['data/key', 'secret.env', 'data/stdio/own.sock'].map((one) => join(writ.place, one)).concat(`/proc/${bridge}/environ`, `/proc/${writ.process.child.pid}/environ`))
        assert.match(await tool(session, 'read', { path }), /^(EACCES|EPERM)$/, path);
    await post(undefined, { session, method: 'DELETE' });
});

test('who may name a command: local files and the local socket, not HTTP', async () => {
    const { token } = await writ.issue('admin');
    for (const definition of [own(), { ...own(), url: 'http://127.0.0.1:1/' }, { type: 'http', stdio: own().stdio }]) {
        const answer = await writ.api('PUT', '/v1/upstreams/late', definition, { token });
        assert.equal(answer.status, 403, answer.body);
    }
    const text = JSON.stringify({ upstreams: { late: own() } });
    assert.equal((await writ.api('POST', '/v1/apply', { files: [{ name: 'p.yaml', text }] }, { token })).status >= 400, true);
    assert.equal((await writ.api('GET', '/v1/upstreams/late', undefined, { token })).status, 404);
    for (const [stdio, where] of [[{ user: USER }, 'command'], [{ command: [], user: USER }, 'command'], [{ command: ['a'] }, 'user'], [{ command: ['a', 1], user: USER }, 'command'],
        [{ command: ['a'], user: USER, env: { 'A=B': 'c' } }, 'env'], [{ command: ['a'], user: USER, env: { A: 1 } }, 'env'], [{ command: ['a'], user: USER, idle: '0s' }, 'idle'],
        [{ command: ['a'], user: USER, shell: true }, 'shell'], ['x', 'stdio']]) {
        const answer = await writ.api('PUT', '/v1/upstreams/late', { type: 'mcp', stdio });
        assert.equal(answer.status, 400, answer.body);
        assert.match(answer.body, new RegExp(where));
    }
    assert.equal((await writ.api('PUT', '/v1/upstreams/late', { ...own(), url: 'http://127.0.0.1:1/' })).status, 400);
    assert.equal((await writ.api('PUT', '/v1/upstreams/late', { type: 'http', stdio: own().stdio })).status, 400);
});

test('it comes with its upstream, changes with it, and goes with it', async () => {
    const put = async (definition) => assert.ok((await writ.api('PUT', '/v1/upstreams/late', definition)).status < 300);
    await put(own({ env: { TURN: 'one' } }));
    let session = await open({ name: 'late' });
    assert.equal(JSON.parse(await tool(session, 'environment', {}, { name: 'late' })).TURN, 'one');
    const pid = Number(await tool(session, 'pid', {}, { name: 'late' }));
    await put(own({ env: { TURN: 'two' } }));
    await ends(pid);
    session = await open({ name: 'late' });
    assert.equal(JSON.parse(await tool(session, 'environment', {}, { name: 'late' })).TURN, 'two');
    const last = Number(await tool(session, 'pid', {}, { name: 'late' }));
    assert.equal((await writ.api('DELETE', '/v1/upstreams/late')).status < 300, true);
    await ends(last);
    await until('its socket to go', () => !existsSync(join(writ.data, 'stdio/late.sock')));
});

test('a user that is not in the list starts nothing', asRoot, async () => {
    for (const user of ['nobody', 'root']) {
        assert.ok((await writ.api('PUT', '/v1/upstreams/late', own({ user }))).status < 300);
        await until('the log', () => /its user does not stand in stdio.users/.test(writ.process.output));
        assert.equal((await post(initialize, { name: 'late' })).status, 502);
    }
    await writ.api('DELETE', '/v1/upstreams/late');
});

test('users that may not be', async () => {
    const refuse = async (users, what, config = {}) => {
        const other = new Writ();
        Object.assign(other, { place: writ.place, apiPort: writ.apiPort, port: writ.port, configPath: join(writ.place, 'other.yaml') });
        other.configure({ data: './other', stdio: { users }, ...config });
        const { code, err } = await other.cli(['serve', '--config', other.configPath]);
        assert.equal(code, 1);
        assert.match(err, what);
    };
    await refuse(['root'], /root/);
    await refuse(['no-such-user'], /no user no-such-user/);
    if (root)
        await refuse(['games'], /who Writ runs as/, { user: 'games' });
    else
        await refuse(['nobody'], /only when it is started as root/);
    assert.equal(/they can read its keys/.test(writ.process.output), !root);
});

test('nothing stays: stopped, and killed', async () => {
    const session = await open();
    await tool(session, 'flee');
    assert.ok(processes().length >= 2);
    await writ.stop();
    assert.deepEqual(processes(), []);
    await writ.launch();
    const again = await open();
    const fled = Number(await tool(again, 'flee'));
    await writ.stop('SIGKILL');
    await until('all to end', () => processes().length === 0, { within: 10000 });
    await ends(fled);
    await writ.launch();
    await open();
});

test('without the setting none is started', async () => {
    await writ.stop();
    writ.configure();
    await writ.launch();
    assert.equal((await post(initialize)).status, 502);
    assert.deepEqual(processes(), []);
    assert.ok(PROGRAM);
});
