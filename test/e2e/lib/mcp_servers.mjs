// test/e2e/lib/mcp_servers.mjs - MCP servers of the SDK's: one that has all that the conformance
// tool asks for, and a bridge by which a server of standard input and output is spoken to over HTTP.
import { randomUUID } from 'node:crypto';
import http from 'node:http';

import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { InMemoryEventStore } from '@modelcontextprotocol/sdk/examples/shared/inMemoryEventStore.js';
import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import * as types from '@modelcontextprotocol/sdk/types.js';

import { sleep } from './process.mjs';

// Each session is a transport of its own; `attach(transport)` puts a server behind it.
async function serveSessions(attach, options = {}) {
    const sessions = new Map();
    const server = http.createServer(async (req, res) => {
        let transport = sessions.get(req.headers['mcp-session-id']);
        if (transport === undefined) {
            const host = `127.0.0.1:${server.address().port}`;
            transport = new StreamableHTTPServerTransport({
                sessionIdGenerator: randomUUID,
                onsessioninitialized: (id) => { sessions.set(id, transport); },
                enableDnsRebindingProtection: true, allowedHosts: [host], allowedOrigins: [`http://${host}`],
                ...options,
            });
            await attach(transport);
        }
        await transport.handleRequest(req, res).catch((error) => res.destroy(error));
    });
    await new Promise((done) => server.listen(0, '127.0.0.1', done));
    return {
        port: server.address().port,
        close: async () => {
            for (const transport of sessions.values())
                await transport.close();
            server.close();
            server.closeAllConnections();
        },
    };
}

// `command` begins once for each session, and ends with it.
export const bridgeStdio = (command, args) => serveSessions(async (outer) => {
    const inner = new StdioClientTransport({ command, args, stderr: 'ignore' });
    inner.onmessage = (message) => outer.send(message, { relatedRequestId: message.method ? undefined : message.id }).catch(() => {});
    outer.onmessage = (message) => inner.send(message);
    outer.onclose = () => inner.close();
    await inner.start();
    await outer.start();
});

const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const SILENCE = 'UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA=';
const text = (words) => ({ type: 'text', text: words });
const image = { type: 'image', data: PIXEL, mimeType: 'image/png' };
const resource = (uri, words, mimeType = 'text/plain') => ({ type: 'resource', resource: { uri, mimeType, text: words } });
const titled = (...names) => names.map((name) => ({ const: name, title: `The ${name}` }));

async function ask(extra, message, properties, required) {
    const answer = await extra.sendRequest({ method: 'elicitation/create',
        params: { message, requestedSchema: { type: 'object', properties, ...(required ? { required } : {}) } } }, types.ElicitResultSchema);
    return [text(`Elicitation completed: action=${answer.action}, content=${JSON.stringify(answer.content)}`)];
}

async function thrice(notify) {
    for (const [i, words] of ['started', 'processing', 'completed'].entries()) {
        await notify(i, words);
        await sleep(50);
    }
    return [text('done')];
}

// Names, arguments and answers as the tool's own descriptions of its scenarios have them.
const tools = {
    test_simple_text: () => [text('This is a simple text response for testing.')],
    test_image_content: () => [image],
    test_audio_content: () => [{ type: 'audio', data: SILENCE, mimeType: 'audio/wav' }],
    test_embedded_resource: () => [resource('test://embedded-resource', 'This is an embedded resource content.')],
    test_multiple_content_types: () => [text('Multiple content types test:'), image,
        resource('test://mixed-content-resource', '{"test":"data","value":123}', 'application/json')],
    test_error_handling: () => { throw new Error('This tool intentionally returns an error for testing'); },
    test_tool_with_logging: (_, extra) => thrice((i, words) => extra.sendNotification(
        { method: 'notifications/message', params: { level: 'info', data: `Tool ${words}` } })),
    test_tool_with_progress: (_, extra) => thrice((i) => extra.sendNotification(
        { method: 'notifications/progress', params: { progressToken: extra._meta?.progressToken ?? 0, progress: i * 50, total: 100 } })),
    test_sampling: async ({ prompt }, extra) => {
        const answer = await extra.sendRequest({ method: 'sampling/createMessage',
            params: { messages: [{ role: 'user', content: text(prompt) }], maxTokens: 100 } }, types.CreateMessageResultSchema);
        return [text(`LLM response: ${answer.content.text}`)];
    },
    test_elicitation: ({ message }, extra) => ask(extra, message,
        { username: { type: 'string', description: 'a name' }, email: { type: 'string', description: 'an address' } }, ['username', 'email']),
    test_elicitation_sep1034_defaults: (_, extra) => ask(extra, 'with defaults', {
        name: { type: 'string', default: 'John Doe' }, age: { type: 'integer', default: 30 }, score: { type: 'number', default: 95.5 },
        status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' }, verified: { type: 'boolean', default: true },
    }),
    test_elicitation_sep1330_enums: (_, extra) => ask(extra, 'of lists', {
        untitledSingle: { type: 'string', enum: ['option1', 'option2', 'option3'] },
        titledSingle: { type: 'string', oneOf: titled('value1', 'value2', 'value3') },
        legacyEnum: { type: 'string', enum: ['opt1', 'opt2', 'opt3'], enumNames: ['One', 'Two', 'Three'] },
        untitledMulti: { type: 'array', items: { type: 'string', enum: ['option1', 'option2', 'option3'] } },
        titledMulti: { type: 'array', items: { anyOf: titled('value1', 'value2', 'value3') } },
    }),
    /* The stream ends before the answer, which whoever comes again with Last-Event-ID gets (SEP-1699). */
    test_reconnection: async (_, extra) => {
        await sleep(100);
        extra.closeSSEStream?.();
        await sleep(100);
        return [text('after the reconnection')];
    },
    json_schema_2020_12_tool: () => [text('fine')],
};
const schemas = {
    test_sampling: { type: 'object', properties: { prompt: { type: 'string' } }, required: ['prompt'] },
    test_elicitation: { type: 'object', properties: { message: { type: 'string' } }, required: ['message'] },
    json_schema_2020_12_tool: {
        $schema: 'https://json-schema.org/draft/2020-12/schema', type: 'object',
        $defs: { address: { type: 'object', properties: { street: { type: 'string' }, city: { type: 'string' } } } },
        properties: { name: { type: 'string' }, address: { $ref: '#/$defs/address' } }, additionalProperties: false,
    },
};
const prompts = {
    test_simple_prompt: () => [text('This is a simple prompt for testing.')],
    test_prompt_with_arguments: ({ arg1, arg2 }) => [text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)],
    test_prompt_with_embedded_resource: ({ resourceUri }) => [resource(resourceUri, 'Embedded resource content for testing.'), text('Please process the embedded resource above.')],
    test_prompt_with_image: () => [image, text('Please analyze the image above.')],
};
const promptArguments = { test_prompt_with_arguments: ['arg1', 'arg2'], test_prompt_with_embedded_resource: ['resourceUri'] };

function readResource(uri) {
    const id = /^test:\/\/template\/([^/]+)\/data$/.exec(uri)?.[1];
    if (uri === 'test://static-binary')
        return { uri, mimeType: 'image/png', blob: PIXEL };
    if (id !== undefined)
        return { uri, mimeType: 'application/json', text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }) };
    return { uri, mimeType: 'text/plain', text: 'This is the content of the static text resource.' };
}

function conformant() {
    const server = new Server({ name: 'conformant', version: '1' },
        { capabilities: { tools: {}, prompts: {}, resources: { subscribe: true }, logging: {}, completions: {} } });
    const on = (schema, answer) => server.setRequestHandler(schema, answer);

    on(types.ListToolsRequestSchema, () => ({ tools: Object.keys(tools).map((name) => ({ name, description: name, inputSchema: schemas[name] ?? { type: 'object', properties: {} } })) }));
    on(types.CallToolRequestSchema, async ({ params }, extra) => {
        try {
            return { content: await tools[params.name](params.arguments ?? {}, extra) };
        } catch (error) {
            return { isError: true, content: [text(error.message)] };
        }
    });
    on(types.ListPromptsRequestSchema, () => ({ prompts: Object.keys(prompts).map((name) => ({ name, description: name,
        arguments: (promptArguments[name] ?? []).map((argument) => ({ name: argument, required: true })) })) }));
    on(types.GetPromptRequestSchema, ({ params }) => ({ messages: prompts[params.name](params.arguments ?? {}).map((content) => ({ role: 'user', content })) }));
    on(types.ListResourcesRequestSchema, () => ({ resources: ['static-text', 'static-binary', 'watched-resource'].map((name) => ({ uri: `test://${name}`, name, description: name })) }));
    on(types.ListResourceTemplatesRequestSchema, () => ({ resourceTemplates: [{ uriTemplate: 'test://template/{id}/data', name: 'template' }] }));
    on(types.ReadResourceRequestSchema, ({ params }) => ({ contents: [readResource(params.uri)] }));
    on(types.CompleteRequestSchema, () => ({ completion: { values: ['paris', 'park'], total: 2, hasMore: false } }));
    for (const schema of [types.SubscribeRequestSchema, types.UnsubscribeRequestSchema, types.SetLevelRequestSchema])
        on(schema, () => ({}));
    return server;
}

export const serveConformant = () => serveSessions((transport) => conformant().connect(transport),
    { eventStore: new InMemoryEventStore(), retryInterval: 200 });
