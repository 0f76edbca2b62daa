// test/e2e/mcp.test.mjs - a stock MCP server behind the gate, the stock client in front: what the
// token may use is there, and nothing else; then what a hostile client sends.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, test } from 'node:test';

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { CreateMessageRequestSchema, ListRootsRequestSchema } from '@modelcontextprotocol/sdk/types.js';

import { freePort, Process, until } from './lib/process.mjs';
import { bearer, Writ } from './lib/writ.mjs';

const EVERYTHING = 'node_modules/@modelcontextprotocol/server-everything/dist/index.js';
let server, port, writ, some, all, recorder;

// A server of our own that records what reaches it and answers as a test wants.
class Recorder {
    static async start() {
        const recorder = new Recorder();
        recorder.seen = [];
        recorder.answer = () => ({ result: {} });
        recorder.server = http.createServer((req, res) => {
            let text = '';
            req.on('data', (bytes) => { text += bytes; }).on('end', () => {
                recorder.seen.push({ method: req.method, url: req.url, headers: req.headers, text });
                const answer = recorder.answer(text && JSON.parse(text), req, res);
                if (answer === undefined)
                    return;
                res.writeHead(answer.status ?? 200, { 'content-type': answer.type ?? 'application/json', 'mcp-session-id': 'abc', ...answer.headers });
                res.end(answer.text ?? JSON.stringify({ jsonrpc: '2.0', id: text ? JSON.parse(text).id : null, ...answer }));
            });
        });
        await new Promise((done) => recorder.server.listen(0, '127.0.0.1', done));
        recorder.port = recorder.server.address().port;
        return recorder;
    }
}

before(async () => {
    port = await freePort();
    server = new Process(process.execPath, [EVERYTHING, 'streamableHttp'], { env: { ...process.env, PORT: String(port) } });
    await server.ready(() => new Promise((done) => {
        http.get({ host: '127.0.0.1', port, path: '/mcp' }, (answer) => { answer.resume(); done(true); }).on('error', () => done(false));
    }));
    recorder = await Recorder.start();
    writ = await Writ.start({
        name: 'mcp',
        files: { secret: 'servers-own-secret\n' },
        policy: {
            upstreams: {
                tools: { type: 'mcp', url: `http://127.0.0.1:${port}/mcp` },
                rec: { type: 'mcp', url: `http://127.0.0.1:${recorder.port}/mcp`, login: { bearer_file: 'secret' } },
            },
            roles: {
                some: {
                    allow: ['tools:tools.list|prompts.list|resources.list:-', 'tools:tools.call:echo', 'tools:prompts.get:simple*',
                        { right: 'tools:tools.call:get-sum', when: { arguments: { a: { min: 0, max: 100 }, b: { max: 100 } } } },
                        'rec:tools.list:-', 'rec:tools.call:good_*', 'rec:resources.read:file:///pub/**'],
                    deny: ['rec:tools.call:good_but_denied'],
                },
                bounded: {
                    allow: [{ right: 'rec:tools.call:slow', when: { max_concurrent: 1 } },
                        { right: 'rec:tools.call:big', when: { max_bytes: '64KiB/1h' } }],
                },
                all: { allow: ['tools:*:**', 'rec:*:**'] },
            },
            subjects: {
                bounded: { type: 'agent', roles: ['bounded'] }, some: { type: 'agent', roles: ['some'] }, all: { type: 'agent', roles: ['all'] }, none: { type: 'agent', roles: [] } },
        },
    });
    some = (await writ.issue('some')).token;
    all = (await writ.issue('all')).token;
});

after(async () => {
    await writ?.close();
    await server?.stop();
    recorder?.server.close();
    recorder?.server.closeAllConnections();
});

async function connect(token, capabilities = {}, name = 'tools') {
    const client = new Client({ name: 'test', version: '1' }, { capabilities });
    const transport = new StreamableHTTPClientTransport(new URL(`http://127.0.0.1:${writ.port}/${name}`),
        { requestInit: { headers: { Authorization: `Bearer ${token}` } } });
    client.transportOf = transport;
    return { client, transport, begin: () => client.connect(transport) };
}

async function connected(token, ...more) {
    const { client, begin } = await connect(token, ...more);
    await begin();
    return client;
}

// One POST: {status, headers, body}.
const post = (body, { token = some, name = 'rec', headers = {}, method = 'POST', path = `/${name}` } = {}) => new Promise((done, fail) => {
    const text = typeof body === 'string' || body === undefined ? body : JSON.stringify(body);
    const call = http.request({ host: '127.0.0.1', port: writ.port, path, method, agent: false,
        headers: { ...bearer(token), accept: 'application/json, text/event-stream', 'content-type': 'application/json',
            ...(text === undefined ? {} : { 'content-length': Buffer.byteLength(text) }), ...headers } }, (answer) => {
        let out = '';
        answer.on('data', (bytes) => { out += bytes; }).on('end', () => done({ status: answer.statusCode, headers: answer.headers, body: out })).on('error', () => done({ status: 0, body: out }));
    });
    call.on('error', fail);
    call.end(text);
});
const request = (method, params, id = 1) => ({ jsonrpc: '2.0', id, method, params });

test('the stock client with all rights: nothing is missing', async () => {
    const direct = new Client({ name: 'direct', version: '1' });
    await direct.connect(new StreamableHTTPClientTransport(new URL(`http://127.0.0.1:${port}/mcp`)));
    const client = await connected(all);
    assert.deepEqual(await client.listTools(), await direct.listTools());
    assert.deepEqual(await client.listPrompts(), await direct.listPrompts());
    assert.deepEqual((await client.listResources()).resources.map((one) => one.uri), (await direct.listResources()).resources.map((one) => one.uri));
    assert.equal((await client.callTool({ name: 'echo', arguments: { message: 'hi' } })).content[0].text, 'Echo: hi');
    await client.ping();
    await client.close();
    await direct.close();
});

test('lists hold what may be used, calls what is allowed', async () => {
    const client = await connected(some);
    assert.deepEqual((await client.listTools()).tools.map((one) => one.name).sort(), ['echo', 'get-sum']);
    assert.ok((await client.listPrompts()).prompts.every((one) => one.name.startsWith('simple')));
    assert.deepEqual((await client.listResources()).resources, []);
    assert.equal((await client.callTool({ name: 'echo', arguments: { message: 'hi' } })).content[0].text, 'Echo: hi');
    assert.match((await client.callTool({ name: 'get-sum', arguments: { a: 2, b: 3 } })).content[0].text, /5/);
    await assert.rejects(client.callTool({ name: 'get-env', arguments: {} }), /403|tools\.call:get-env/);
    /* A condition that does not hold: no other token would help, and the model is told so. */
    await assert.rejects(client.callTool({ name: 'get-sum', arguments: { a: 2, b: 300 } }), /arguments/);
    await assert.rejects(client.callTool({ name: 'get-sum', arguments: { a: 2 } }), /arguments/);
    await client.close();
    const line = await until('the line', async () => (await writ.audit('--action', 'tools.call', '--decision', 'deny'))[0]);
    assert.equal(line.resource, 'tools');
});

test('what the server asks of its client has a right of its own', async () => {
    const asked = [];
    const open = async (token) => {
        const { client, begin } = await connect(token, { sampling: {}, roots: { listChanged: true } });
        client.setRequestHandler(CreateMessageRequestSchema, () => {
            asked.push('sampling');
            return { role: 'assistant', content: { type: 'text', text: 'sampled' }, model: 'm' };
        });
        client.setRequestHandler(ListRootsRequestSchema, () => { asked.push('roots'); return { roots: [] }; });
        await begin();
        return client;
    };
    const client = await open(all);
    await until('the roots', () => asked.includes('roots'));
    await client.close();

    asked.length = 0;
    const other = await open(some);
    await until('the line', async () => (await writ.audit('--action', 'roots.list', '--decision', 'deny')).length > 0);
    assert.deepEqual(asked, []);
    await other.close();

    recorder.seen.length = 0;
    recorder.answer = (message, req, res) => {
        if (message.error)
            return { status: 202, text: '' };
        res.writeHead(200, { 'content-type': 'text/event-stream' });
        res.write('data: {"jsonrpc":"2.0","id":"s\\u0031","method":"sampling/createMessage","params":{}}\n\n');
        setTimeout(() => res.end('data: {"jsonrpc":"2.0","id":1,"result":{}}\n\n'), 200);
        return undefined;
    };
    assert.doesNotMatch((await post(request('tools/call', { name: 'good_a' }))).body, /sampling/);
    const told = await until('the server to be told', () => recorder.seen.find((one) => one.text.includes('"error"')));
    assert.match(told.text, /"id":"s\\u0031","error":\{"code":-32003/);
    assert.equal(told.headers.authorization, 'Bearer servers-own-secret');
});

test('a session is of the tokens that opened it', async () => {
    const client = await connected(all);
    const id = client.transportOf.sessionId;
    assert.match(id, /\.[A-Za-z0-9_-]{22}$/);
    const call = request('tools/call', { name: 'echo', arguments: { message: 'x' } });
    for (const [session, token] of [[id, some], [id.slice(0, -23), all], [`${id.slice(0, -1)}${id.endsWith('A') ? 'B' : 'A'}`, all], [`x${id}`, all]]) {
        const answer = await post(call, { token, name: 'tools', headers: { 'mcp-session-id': session } });
        assert.equal(answer.status, 404, session);
    }
    const rotated = await writ.json(['token', 'rotate', (await writ.json(['token', 'list', '--subject', 'all', '--live'])).items[0].id]);
    assert.equal((await post(call, { token: rotated.token, name: 'tools', headers: { 'mcp-session-id': id } })).status, 200);
    for (const method of ['GET', 'DELETE'])
        assert.equal((await post(undefined, { token: some, name: 'tools', method, headers: { 'mcp-session-id': id } })).status, 404);
    await client.close();
});

test('a revoked token\'s stream is cut', async () => {
    const { id, token } = await writ.issue('all');
    const client = await connected(token);
    const stream = { closed: 0 };
    http.get({ host: '127.0.0.1', port: writ.port, path: '/tools', agent: false,
        headers: { ...bearer(token), accept: 'text/event-stream', 'mcp-session-id': client.transportOf.sessionId } }, (answer) => {
        stream.status = answer.statusCode;
        answer.on('data', () => {}).on('error', () => {}).on('close', () => { stream.closed = performance.now(); });
    }).on('error', () => { stream.closed = performance.now(); });
    await until('the stream', () => stream.status !== undefined);
    await writ.revoke(id);
    const answered = performance.now();
    await until('the cut', () => stream.closed > 0, { every: 1 });
    assert.ok(stream.closed - answered < 200);
    await assert.rejects(client.ping());
});

test('the server gets its own credential, and never the client\'s', async () => {
    recorder.seen.length = 0;
    recorder.answer = () => ({ result: { content: [] } });
    assert.equal((await post(request('tools/call', { name: 'good_one', arguments: {} }))).status, 200);
    const [seen] = recorder.seen;
    assert.equal(seen.headers.authorization, 'Bearer servers-own-secret');
    assert.ok(!JSON.stringify(seen).includes(some));
    assert.equal(seen.url, '/mcp');
    assert.equal((await post(request('ping'), { path: '/rec/mcp' })).status, 200);
    assert.equal(recorder.seen.at(-1).url, '/mcp');
    assert.equal((await post(request('ping'), { path: '/rec/other' })).status, 404);
    assert.equal(recorder.seen.length, 2);
});

test('ids come back as they were spelled', async () => {
    recorder.answer = () => ({ text: '{"jsonrpc":"2.0","id":1.50,"result":{"tools":[ {"name":"good_a","n":1.0} , {"name":"bad"},{"name":"good_b"} ],"x":1e2}}' });
    const answer = await post('{"jsonrpc":"2.0","id":1.50,"method":"tools/list"}');
    assert.equal(answer.body, '{"jsonrpc":"2.0","id":1.50,"result":{"tools":[{"name":"good_a","n":1.0},{"name":"good_b"}],"x":1e2}}');
    const refused = await post('{"jsonrpc":"2.0","id":"a\\u0062","method":"tools/call","params":{"name":"bad"}}');
    assert.equal(refused.status, 403);
    assert.match(refused.headers['www-authenticate'], /error="insufficient_scope".*scope="rec:tools.call:bad"/);
    assert.match(refused.body, /^\{"jsonrpc":"2.0","id":"a\\u0062","error":\{"code":-32003,.*"right":"rec:tools.call:bad"/);
    const denied = await post(request('tools/call', { name: 'good_but_denied' }));
    assert.equal(denied.status, 200);
    assert.match(denied.body, /"code":-32003/);
});

test('event streams are read event by event', async () => {
    recorder.answer = (_, req, res) => {
        res.writeHead(200, { 'content-type': 'text/event-stream' });
        res.write(': hello\n\nid: 1\ndata: \n\n');
        res.write('event: message\r\nid: 2\r\ndata: {"jsonrpc":"2.0","method":"notifications/progress","params":{}}\r\n\r\n');
        res.write('id: 3\ndata: {"jsonrpc":"2.0","id":9,"method":"sampling/createMessage","params":{}}\n\n');
        res.write('id: 4\ndata: {"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"bad"},\ndata: {"name":"good_x"}]}}\n\n');
        res.end('data: {"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"good_never_whole"}]}}');
        return undefined;
    };
    const { status, body } = await post(request('tools/list'));
    assert.equal(status, 200);
    assert.match(body, /^:\n/);
    assert.doesNotMatch(body, /hello/);
    assert.match(body, /notifications\/progress/);
    assert.doesNotMatch(body, /sampling|"bad"|never_whole/);
    assert.match(body, /id: 4\ndata: \{"jsonrpc":"2.0","id":1,"result":\{"tools":\[\{"name":"good_x"\}\]\}\}\n\n/);

    for (const text of ['data: {"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"bad"}]},"result":{}}\n\n', 'data: x\n\n', 'data: {"jsonrpc":"2.0",\rdata: "id":1}\n\n']) {
        recorder.answer = () => ({ type: 'text/event-stream', text });
        assert.doesNotMatch((await post(request('tools/list'))).body, /bad|data: x/);
    }
    recorder.answer = () => ({ text: 'x', headers: { 'content-encoding': 'gzip' } });
    assert.equal((await post(request('tools/list'))).status, 502);
});

const hidden = '{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"bad"}]}}';
const lists = (result) => ({ text: `{"jsonrpc":"2.0","id":1,"result":${result}}` });

test('a list can not hide from who reads it: marks, fields, line ends', async () => {
    const streams = {
        'a mark before it': `\uFEFFdata: ${hidden}\n\n`,
        'two marks': `\uFEFF\uFEFFdata: ${hidden}\n\n`,
        'a mark later': `id: 1\n\n\uFEFFdata: ${hidden}\n\n`,
        'a field in another case': `Data: ${hidden}\n\n`,
        'a field with a blank': ` data: ${hidden}\n\ndata : ${hidden}\n\n`,
        ...Object.fromEntries(['\u2028', '\u2029', '\u0085', '\v', '\f', '\x1c', '\x1d', '\x1e'].flatMap((end) => [':x', 'id: x', 'x: x', 'data: ']
            .map((field) => [`${JSON.stringify(end)} after ${field}`, `${field}${end}data: ${hidden}\n\n`]))),
    };
    for (const [name, text] of Object.entries(streams)) {
        recorder.answer = () => ({ type: 'text/event-stream', text });
        assert.doesNotMatch((await post(request('tools/list'))).body, /bad/, name);
    }
    /* A mark is taken off what is right, and a line end in a text is escaped. */
    recorder.answer = () => ({ type: 'text/event-stream; charset=UTF-8', text: '\uFEFFid: 7\nx: y\ndata: {"jsonrpc":"2.0","id":1,"result":{"text":"a\u2028b\u0085c\u2029d"}}\n\n' });
    assert.equal((await post(request('tools/call', { name: 'good_a' }))).body,
        'id: 7\ndata: {"jsonrpc":"2.0","id":1,"result":{"text":"a\\u2028b\\u0085c\\u2029d"}}\n\n');
});

test('an answer of another type holds no message', async () => {
    const types = ['text/plain', 'text/plain; x=application/json', 'application/jsonx', 'application/json foo', 'application/json, text/plain', 'text/event-stream+x',
        'application/json; charset=utf-16', 'application/json; charset=utf-8; x=y', 'application/json;charset=utf-8,text/plain', '', ['text/plain', 'application/json'], ['application/json', 'application/json']];
    for (const type of types) {
        for (const text of [hidden, `data: ${hidden}\n\n`]) {
            recorder.answer = (_, req, res) => void res.writeHead(200, { 'content-type': type, 'content-length': text.length }).end(text);
            const whole = await post(request('tools/list'));
            assert.equal(whole.status, 502, `${type}: ${whole.body}`);
            assert.doesNotMatch(whole.body, /bad/);
            recorder.answer = (_, req, res) => void res.writeHead(200, { 'content-type': type }).end(text);
            const cut = await post(request('tools/list'));
            assert.doesNotMatch(cut.body, /bad/, `${type}`);
            /* Words for people do not pass, that there is an error does. */
            recorder.answer = (_, req, res) => void res.writeHead(404, { 'content-type': type }).end(text);
            const gone = await post(request('tools/list'));
            assert.deepEqual([gone.status, gone.body], [404, ''], `${type}`);
        }
    }
    for (const [status, head] of [[202, {}], [202, { 'content-length': 0 }], [200, {}], [200, { 'content-length': 0 }], [204, {}]]) {
        recorder.answer = (_, req, res) => void res.writeHead(status, head).end();
        assert.deepEqual(await post({ jsonrpc: '2.0', method: 'notifications/initialized' }).then((one) => [one.status, one.body]), [status, '']);
    }
    for (const type of ['application/json', 'Application/JSON ; charset="UTF-8"', 'application/json;charset=utf-8']) {
        recorder.answer = () => ({ type, text: hidden });
        assert.equal((await post(request('tools/list'))).body, '{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}', type);
    }
});

test('a list under a name that some clients take for its own', async () => {
    for (const result of ['{"Tools":[{"name":"bad"}]}', '{"tool\u017f":[{"name":"bad"}]}', '{"TOOLS":[],"tools":[]}', '{"tools":{"0":{"name":"bad"}}}', '{"tools":"bad"}',
        '{"tools":[{"name":"good_a","Name":"bad"}]}', '{"resourcetemplates":[{"name":"bad"}]}', '{"Instructions":"bad"}']) {
        recorder.answer = () => lists(result);
        assert.doesNotMatch((await post(request('tools/list'))).body, /bad|TOOLS/, result);
    }
    for (const result of ['{"tools":null}', '{"toolsets":["x"],"nextCursor":"Tools"}', '{"tools":[{"name":"good_a","title":"Name"}]}']) {
        recorder.answer = () => lists(result);
        assert.equal((await post(request('tools/list'))).body, lists(result).text);
    }
});

const call = (name, more = '') => `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"${name}","arguments":{}${more}}}`;
const modern = { 'mcp-protocol-version': '2026-07-28' };
const attempts = {
    'another tool': call('bad'),
    'a tool named twice': '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"good_a","name":"bad"}}',
    'a tool named twice, the second with an escape': '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"good_a","n\\u0061me":"bad"}}',
    'params twice': '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"good_a"},"params":{"name":"bad"}}',
    'the method twice': '{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call","params":{"name":"bad"}}',
    'params in another case': '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"good_a"},"Params":{"name":"bad"}}',
    'the name in another case': '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"good_a","Name":"bad"}}',
    'the arguments with a long s': '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"good_a","argument\u017f":{}}}',
    'an argument in two cases': '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"good_a","arguments":{"repo":"a","Repo":"b"}}}',
    'a batch': `[${call('good_a')},${call('bad')}]`,
    'a batch of one': `[${call('good_a')}]`,
    'two messages': `${call('good_a')}${call('bad')}`,
    'two messages on lines': `${call('good_a')}\n${call('bad')}`,
    'a byte order mark': `\ufeff${call('good_a')}`,
    'a notification that calls': '{"jsonrpc":"2.0","method":"tools/call","params":{"name":"good_a"}}',
    'a null id that calls': '{"jsonrpc":"2.0","id":null,"method":"tools/call","params":{"name":"good_a"}}',
    'an id that is an object': '{"jsonrpc":"2.0","id":{},"method":"ping"}',
    'a long id': `{"jsonrpc":"2.0","id":"${'x'.repeat(300)}","method":"ping"}`,
    'a method that is a number': '{"jsonrpc":"2.0","id":1,"method":5}',
    'a method with a zero': '{"jsonrpc":"2.0","id":1,"method":"ping\\u0000"}',
    'a name that is a list': '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":["good_a"]}}',
    'no name': '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}',
    'an empty name': call(''),
    'params that are a list': '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":["good_a"]}',
    'arguments that are a list': '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"good_a","arguments":[]}}',
    'no version': '{"id":1,"method":"tools/call","params":{"name":"good_a"}}',
    'another version': '{"jsonrpc":"1.0","id":1,"method":"tools/call","params":{"name":"good_a"}}',
    'a request and a result': '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"good_a"},"result":{}}',
    'a result and an error': '{"jsonrpc":"2.0","id":1,"result":{},"error":{}}',
    'an unknown member': '{"jsonrpc":"2.0","id":1,"method":"ping","extra":1}',
    'an unknown method': '{"jsonrpc":"2.0","id":1,"method":"tools/delete","params":{"name":"good_a"}}',
    'the method in another case': '{"jsonrpc":"2.0","id":1,"method":"Tools/Call","params":{"name":"bad"}}',
    'a server\'s method': '{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{}}',
    'too deep': `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"good_a","arguments":{"a":${'['.repeat(200)}${']'.repeat(200)}}}}`,
    'too many arguments': `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"good_a","arguments":{${Array.from({ length: 300 }, (_, i) => `"a${i}":1`)}}}}`,
    'an argument twice': call('good_a', '').replace('"arguments":{}', '"arguments":{"x":1,"x":2}'),
    'a lone surrogate': call('good_a\\ud800'),
    'no JSON': 'name=good_a',
    'nothing': '',
    'a star': call('*'),
    'a resource outside': '{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"file:///etc/passwd"}}',
    'a resource that begins alike': '{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"file:///public/x"}}',
    'a header that names another method': [call('good_a'), { ...modern, 'mcp-method': 'tools/list', 'mcp-name': 'good_a' }],
    'a header that names another tool': [call('good_a'), { ...modern, 'mcp-method': 'tools/call', 'mcp-name': 'bad' }],
    'a body that names another tool': [call('bad'), { ...modern, 'mcp-method': 'tools/call', 'mcp-name': 'good_a' }],
    'no method header': [call('good_a'), { ...modern, 'mcp-name': 'good_a' }],
    'no name header': [call('good_a'), { ...modern, 'mcp-method': 'tools/call' }],
    'a coded header that names another': [call('good_a'), { ...modern, 'mcp-method': 'tools/call', 'mcp-name': `=?base64?${Buffer.from('bad').toString('base64')}?=` }],
    'an old version with a false header': [call('good_a'), { 'mcp-protocol-version': '2025-11-25', 'mcp-method': 'ping' }],
    'a form': [`x=${call('good_a')}`, { 'content-type': 'application/x-www-form-urlencoded' }],
    'a type that is nearly JSON': [call('good_a'), { 'content-type': 'text/plain' }],
    'a compressed body': [call('good_a'), { 'content-encoding': 'gzip' }],
    'another origin': [call('good_a'), { origin: 'https://evil.example' }],
    'the origin of a name that was pointed here': [call('good_a'), { origin: 'http://evil.example', host: 'evil.example' }],
    'an origin that hides': [call('good_a'), { origin: 'null' }],
    'a forged session': [call('good_a'), { 'mcp-session-id': 'abc' }],
};

test(`${Object.keys(attempts).length} attempts, none of which reaches the server`, async () => {
    recorder.answer = () => ({ result: {} });
    recorder.seen.length = 0;
    for (const [name, attempt] of Object.entries(attempts)) {
        const [body, headers] = Array.isArray(attempt) ? attempt : [attempt];
        const { status, body: out } = await post(body, { headers });
        assert.ok([400, 403, 404, 413].includes(status), `${name}: ${status} ${out}`);
        assert.ok(JSON.parse(out).error.message.length > 10, `${name}: ${out}`);
    }
    assert.deepEqual(recorder.seen, []);
    for (const method of ['PUT', 'PATCH', 'OPTIONS'])
        assert.equal((await post(call('good_a'), { method })).status, 405);
    assert.deepEqual(recorder.seen, []);
});

test('what is right passes: both eras, coded names, large messages', async () => {
    recorder.seen.length = 0;
    for (const [body, headers] of [
        [call('good_a'), {}],
        [call('good_a'), { ...modern, 'mcp-method': 'tools/call', 'mcp-name': 'good_a' }],
        [call('good_a'), { ...modern, 'mcp-method': 'tools/call', 'mcp-name': `=?base64?${Buffer.from('good_a').toString('base64')}?=` }],
        ['{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"file:///pub/a/b.txt"}}', {}],
        ['{"jsonrpc":"2.0","id":"x","result":{}}', {}],
        [call('good_a').replace('"arguments":{}', `"arguments":{"text":"${'x'.repeat(1 << 20)}"}`), {}],
        [call('good_a'), { 'content-type': 'application/json; charset=utf-8', origin: `http://127.0.0.1:${writ.port}` }],
    ]) {
        const { status, body: out } = await post(body, { headers });
        assert.equal(status, 200, `${body.slice(0, 90)}: ${out}`);
        assert.equal(recorder.seen.at(-1).text, body);
    }
    assert.equal((await post('x'.repeat(5 << 20))).status, 413);
    assert.equal((await post(request('ping'), { token: (await writ.issue('none')).token })).status, 403);
});

test('budgets: calls at once, and bytes', async () => {
    const { id, token } = await writ.issue('bounded');
    const waiting = [];
    recorder.answer = (message, req, res) => { waiting.push({ req, res, message }); };
    const answer = ({ res, message }) => {
        res.writeHead(200, { 'content-type': 'application/json' });
        res.end(JSON.stringify({ jsonrpc: '2.0', id: message.id, result: { content: [] } }));
    };
    const slow = (more) => post(request('tools/call', { name: 'slow' }, 5), { token, ...more });

    const first = slow();
    await until('the call', () => waiting.length === 1);
    const refused = await slow();
    assert.equal(refused.status, 429);
    assert.equal(refused.headers['retry-after'], '1');
    assert.match(refused.body, /^\{"jsonrpc":"2.0","id":5,"error":\{"code":-32004,"message":"[^"]*max_concurrent/);
    assert.equal(waiting.length, 1);
    /* A token that was rotated does not begin anew. */
    const rotated = await writ.json(['token', 'rotate', id]);
    assert.equal((await slow({ token: rotated.token })).status, 429);
    answer(waiting.pop());
    assert.equal((await first).status, 200);
    const lines = await until('the lines', async () => {
        const found = await writ.audit('--subject', 'bounded');
        return found.length >= 3 && found;
    });
    assert.deepEqual(lines.map((line) => [line.decision, line.status]).sort(), [['allow', 200], ['deny', 429], ['deny', 429]]);

    /* Whoever leaves gives back. */
    for (let i = 0; i < 2; i++) {
        const call = http.request({ host: '127.0.0.1', port: writ.port, path: '/rec', method: 'POST', agent: false,
            headers: { ...bearer(token), 'content-type': 'application/json' } });
        call.on('error', () => {});
        call.end(JSON.stringify(request('tools/call', { name: 'slow' })));
        await until('the call', () => waiting.length === 1);
        call.destroy();
        const { res } = waiting.pop();
        await until('the end', () => res.closed || res.destroyed);
    }
    recorder.answer = () => ({ result: { content: [] } });
    assert.equal((await slow()).status, 200);

    recorder.answer = () => ({ result: { content: [{ type: 'text', text: 'x'.repeat(100 << 10) }] } });
    const big = () => post(request('tools/call', { name: 'big' }), { token });
    assert.equal((await big()).body.length > 100 << 10, true);
    const spent = await big();
    assert.equal(spent.status, 429);
    assert.match(spent.body, /max_bytes/);
    assert.ok(Number(spent.headers['retry-after']) > 60);
    assert.equal((await slow()).status, 200);

    /* A task goes on when its call is over: it is not counted, and not begun. */
    recorder.seen.length = 0;
    for (const task of [{ ttl: 60000 }, {}, true]) {
        const refused = await post(request('tools/call', { name: 'slow', task }), { token });
        assert.equal(refused.status, 403);
        assert.match(refused.body, /for a task/);
    }
    assert.equal((await post(request('tools/call', { name: 'slow', Task: {} }), { token })).status, 400);
    assert.equal(recorder.seen.length, 0);
    assert.equal((await slow({})).status, 200);
    assert.equal((await post(request('tools/call', { name: 'slow', task: null }), { token })).status, 200);
    assert.equal((await post(request('tools/call', { name: 'slow', task: { ttl: 1 } }), { token: all })).status, 200);

    const can = await writ.json(['can', token, 'rec:tools.call:big']);
    assert.deepEqual(can.when, { max_bytes: '64KiB/1h' });
});

test('without a token the stock client is told where to get one', async () => {
    const answer = await post(request('initialize', {}), { token: 'x' });
    assert.equal(answer.status, 401);
    const metadata = /resource_metadata="([^"]+)"/.exec(answer.headers['www-authenticate'])[1];
    const document = await (await fetch(metadata)).json();
    assert.match(document.resource, /\/rec$/);
});
