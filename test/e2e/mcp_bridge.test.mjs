// test/e2e/mcp_bridge.test.mjs - `writ mcp-bridge`: an MCP server of standard input and output as
// Streamable HTTP, and what a bad server or a hostile client does to it.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { clearPlace, makePlace, Process, run, sleep, until } from './lib/process.mjs';
import { PROGRAM } from './lib/writ.mjs';

const SERVER = new URL('lib/stdio_server.mjs', import.meta.url).pathname;
let place, bridge, socket;

async function start(name, { idle = '1m', flags = [], command = [process.execPath, SERVER, ...flags] } = {}) {
    const path = join(place, `${name}.sock`);
    const process_ = new Process(PROGRAM, ['mcp-bridge', '--listen', `unix:${path}`, '--name', name, '--idle', idle, '--', ...command]);
    await process_.ready(async () => existsSync(path));
    return { process: process_, path };
}

before(async () => {
    place = makePlace('bridge');
    ({ process: bridge, path: socket } = await start('own'));
});
after(async () => {
    await bridge?.stop();
    clearPlace(place);
    assert.doesNotMatch(bridge.output, /AddressSanitizer|runtime error|LeakSanitizer/);
});

// One exchange: {status, headers, body}. `onEvent` hears the events of a stream as they come.
const ask = (method, body, { session, path = socket, onEvent, headers = {}, onCall } = {}) => new Promise((done, fail) => {
    const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
    const call = http.request({ socketPath: path, method, path: '/', agent: false,
        headers: { 'content-type': 'application/json', ...(session ? { 'mcp-session-id': session } : {}), ...(text === undefined ? {} : { 'content-length': Buffer.byteLength(text) }), ...headers } }, (answer) => {
        let out = '';
        answer.on('data', (bytes) => { out += bytes; onEvent?.(out); })
            .on('end', () => done({ status: answer.statusCode, headers: answer.headers, body: out }))
            .on('error', () => done({ status: 0, body: out }));
    });
    onCall?.(call);
    call.on('error', fail);
    call.end(text);
});
const initialize = { jsonrpc: '2.0', id: 0, method: 'initialize', params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 't', version: '1' } } };
const callOf = (name, args = {}, id = 1, meta = undefined) => ({ jsonrpc: '2.0', id, method: 'tools/call', params: { name, arguments: args, ...(meta ? { _meta: meta } : {}) } });
const eventsOf = (body) => body.split('\n\n').filter((one) => one !== '').map((one) => JSON.parse(one.replace(/^event: message\ndata: /, '')));
const textOf = (answer) => JSON.parse(answer.body).result.content[0].text;
async function open(path = socket) {
    const answer = await ask('POST', initialize, { path });
    assert.equal(answer.status, 200, answer.body);
    const session = answer.headers['mcp-session-id'];
    assert.match(session, /^[0-9a-f]{32}$/);
    return session;
}
const alive = (pid) => existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
const ends = (pid, within = 5000) => until(`process ${pid} to end`, () => !alive(pid), { within });
const tool = async (session, name, args, options = {}) => textOf(await ask('POST', callOf(name, args), { session, ...options }));

test('a session is a process: initialize, list, call, end', async () => {
    assert.equal(statSync(socket).mode & 0o777, 0o600);
    const session = await open(), other = await open();
    const pid = Number(await tool(session, 'pid')), second = Number(await tool(other, 'pid'));
    assert.notEqual(pid, second);
    assert.equal((await ask('POST', { jsonrpc: '2.0', method: 'notifications/initialized' }, { session })).status, 202);
    assert.equal((await ask('DELETE', undefined, { session })).status, 204);
    await ends(pid);
    assert.ok(alive(second));
    for (const [method, body] of [['POST', callOf('pid')], ['GET', undefined], ['DELETE', undefined]])
        assert.equal((await ask(method, body, { session })).status, 404);
    assert.equal((await ask('DELETE', undefined, { session: other })).status, 204);
    await ends(second);
});

test('ids: a number and a text of the same digits are two; a request under way keeps its id', async () => {
    const session = await open();
    const [number, string] = await Promise.all([ask('POST', callOf('pid', {}, 7), { session }), ask('POST', callOf('cwd', {}, '7'), { session })]);
    assert.match(number.body, /"id":7,.*"text":"\d+"/);
    assert.match(string.body, /"id":"7",.*"text":"\//);
    let left;
    const hangs = ask('POST', callOf('hang', {}, 9), { session, onCall: (call) => { left = call; } });
    await sleep(100);
    assert.equal((await ask('POST', callOf('pid', {}, 9), { session })).status, 400);
    assert.equal(textOf(await ask('POST', callOf('forged', {}, 10), { session })), 'the right one');
    left.destroy();
    await assert.rejects(hangs);
    await until('the server to hear of it', async () => await tool(session, 'cancelled') === '9');
    await ask('DELETE', undefined, { session });
});

test('progress comes before its answer, on the call itself; what belongs to no call on the stream', async () => {
    const session = await open();
    let heard = '', stream, answer;
    assert.equal(await tool(session, 'later'), 'soon'); // it waits for who hears it
    await sleep(200);
    const ended = ask('GET', undefined, { session, onEvent: (out) => { heard = out; }, onCall: (call) => { stream = call; } });
    await until('what waited', () => eventsOf(heard)[0]?.method === 'notifications/tools/list_changed');
    assert.equal((await ask('GET', undefined, { session })).status, 409);
    answer = await ask('POST', callOf('steps', { steps: 3 }, 5, { progressToken: 'p' }), { session });
    assert.equal(answer.headers['content-type'], 'text/event-stream');
    assert.deepEqual(eventsOf(answer.body).map((one) => one.params?.progress ?? one.id), [1, 2, 3, 5]);
    assert.equal((await ask('POST', callOf('later'), { session })).headers['content-type'], 'application/json');
    await until('the stream', () => eventsOf(heard).length === 2);
    // A request of the server, and its answer.
    let asking = '';
    const asked = ask('POST', callOf('sample', {}, 8), { session, onEvent: (out) => { asking = out; } });
    const question = await until('the question', () => eventsOf(asking)[0]);
    assert.equal(question.method, 'sampling/createMessage');
    assert.equal((await ask('POST', { jsonrpc: '2.0', id: question.id, result: { role: 'assistant', model: 'm', content: { type: 'text', text: 'a sample' } } }, { session })).status, 202);
    assert.equal(eventsOf((await asked).body)[1].result.content[0].text, 'a sample');
    await ask('DELETE', undefined, { session });
    assert.equal((await ended).status, 200); // ended in order
    stream.destroy();
});

test('what nobody hears waits, and holds the server back', async () => {
    const session = await open();
    let left;
    const gone = ask('POST', callOf('steps', { steps: 40000 }, 1), { session, onCall: (call) => { left = call; } });
    gone.catch(() => {});
    await sleep(300);
    left.destroy();
    const later = await ask('POST', callOf('pid', {}, 2), { session });
    assert.match(later.body, /"id":2/);
    await ask('DELETE', undefined, { session });
});

test('a process that dies: who waits is told, and the session is gone', async () => {
    const session = await open();
    const waits = ask('POST', callOf('hang', {}, 3), { session });
    const answer = await ask('POST', callOf('die', {}, 4), { session });
    assert.equal(answer.status, 200);
    assert.deepEqual([JSON.parse(answer.body).id, JSON.parse(answer.body).error.code], [4, -32000]);
    assert.equal(JSON.parse((await waits).body).id, 3);
    assert.equal((await ask('POST', callOf('pid'), { session })).status, 404);
});

test('garbage goes to nobody; too much of it, or a line that is too long, ends the session', async () => {
    let session = await open();
    assert.equal(await tool(session, 'garbage', { lines: 4 }), 'after the garbage');
    const before = await tool(session, 'long', { size: 4 * 1024 * 1024 - 200 });
    assert.equal(before.length, 4 * 1024 * 1024 - 200);
    let answer = await ask('POST', callOf('garbage', { lines: 64 }), { session });
    assert.equal(JSON.parse(answer.body).error.code, -32000);
    session = await open();
    const pid = Number(await tool(session, 'pid'));
    answer = await ask('POST', callOf('long', { size: 4 * 1024 * 1024 }), { session });
    assert.match(JSON.parse(answer.body).error.message, /too long/);
    assert.equal((await ask('POST', callOf('pid'), { session })).status, 404);
    await ends(pid);
});

test('its log is bounded and drives no terminal', async () => {
    const session = await open();
    await tool(session, 'log', { lines: 1000, size: 5000 });
    const logged = () => bridge.output.split('\n').filter((line) => /"line":"[^"]*line \d/.test(line));
    await until('its log', () => logged().length > 90);
    await sleep(300);
    const lines = logged();
    assert.ok(lines.length < 120, `${lines.length}`);
    assert.ok(lines.every((line) => line.length < 2400));
    assert.doesNotMatch(bridge.output, /\x1b/);
    await ask('DELETE', undefined, { session });
});

test('what a hostile client sends', async () => {
    const session = await open();
    for (const body of ['', '[]', '{', '{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}', '{"jsonrpc":"1.0","id":1,"method":"ping"}',
        '{"jsonrpc":"2.0","id":null,"method":"ping"}', '{"jsonrpc":"2.0","id":{},"method":"ping"}', '{"jsonrpc":"2.0","id":1,"method":"ping","result":1}',
        `{"jsonrpc":"2.0","id":"${'i'.repeat(300)}","method":"ping"}`, '{"jsonrpc":"2.0","id":1,"method":"ping"}\n{"jsonrpc":"2.0","id":2,"method":"ping"}'])
        assert.equal((await ask('POST', body, { session })).status, 400, body.slice(0, 60));
    assert.equal((await ask('POST', callOf('long', { pad: 'x'.repeat(4 << 20) }), { session })).status, 413);
    assert.equal((await ask('POST', callOf('pid'))).status, 400);
    assert.equal((await ask('POST', callOf('pid'), { session: 'f'.repeat(32) })).status, 404);
    assert.equal((await ask('POST', initialize, { session })).status, 400);
    assert.equal((await ask('PUT', callOf('pid'), { session })).status, 405);
    // A message of many lines is one line to the server.
    const answer = await ask('POST', JSON.stringify(callOf('pid'), null, 2).replaceAll('\n', '\r\n'), { session });
    assert.match(textOf(answer), /^\d+$/);
    await ask('DELETE', undefined, { session });
});

test('too many requests and sessions', async () => {
    const session = await open();
    const hanging = Array.from({ length: 64 }, (_, i) => ask('POST', callOf('hang', {}, i), { session }));
    await until('all to wait', async () => (await ask('POST', callOf('hang', {}, 'more'), { session, headers: { connection: 'close' } })).status === 503);
    await ask('DELETE', undefined, { session });
    for (const one of await Promise.all(hanging))
        assert.equal(JSON.parse(one.body).error.code, -32000);
    const { process: few, path } = await start('few', { command: ['cat'] }); // answers nothing
    const calls = [];
    const opening = Array.from({ length: 64 }, (_, i) => ask('POST', { ...initialize, id: i }, { path, onCall: (call) => calls.push(call) }).catch(() => {}));
    await until('the bound', async () => {
        const answer = await Promise.race([ask('POST', { ...initialize, id: 'x' }, { path, onCall: (call) => calls.push(call) }).catch(() => ({})), sleep(300)]);
        return answer?.status === 503;
    });
    calls.forEach((call) => call.destroy());
    await Promise.all(opening);
    await few.stop();
});

test('idleness, a server that refuses, one that can\'t be started', async () => {
    const { process: idle, path } = await start('idle', { idle: '1s' });
    const session = await open(path);
    const pid = Number(await tool(session, 'pid', {}, { path }));
    await ends(pid);
    assert.equal((await ask('POST', callOf('pid'), { session, path })).status, 404);
    await idle.stop();
    const refusing = await start('refusing', { flags: ['--refuse'] });
    const answer = await ask('POST', initialize, { path: refusing.path });
    assert.equal(JSON.parse(answer.body).error.message, 'not today');
    await refusing.process.stop();
    const none = await start('none', { command: ['/does/not/exist'] });
    assert.equal(JSON.parse((await ask('POST', initialize, { path: none.path })).body).error.code, -32000);
    await until('the log', () => /can't be started: No such file/.test(none.process.output));
    await none.process.stop();
    assert.equal((await run(PROGRAM, ['mcp-bridge', '--idle', '0s', '--', 'cat'])).code, 2);
    assert.equal((await run(PROGRAM, ['mcp-bridge', '--', 'cat'])).code, 1); // descriptor 3 is no socket
});

test('nothing stays: what is deaf to SIGTERM, what fled its group, the bridge killed', async () => {
    let deaf = await start('deaf', { flags: ['--deaf'] });
    let session = await open(deaf.path);
    const pid = Number(await tool(session, 'pid', {}, { path: deaf.path }));
    const fled = Number(await tool(session, 'flee', {}, { path: deaf.path }));
    assert.ok(alive(fled));
    await deaf.process.stop();
    assert.ok(!alive(pid) && !alive(fled));
    assert.ok(!existsSync(deaf.path));
    deaf = await start('deaf', { flags: ['--deaf'] });
    session = await open(deaf.path);
    const last = Number(await tool(session, 'pid', {}, { path: deaf.path }));
    await deaf.process.stop('SIGKILL');
    await ends(last);
    assert.equal(readdirSync(place).filter((name) => name === 'deaf.sock').length, 1); // nobody was there to remove it
});
