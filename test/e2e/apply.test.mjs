// test/e2e/apply.test.mjs - policy files: all or nothing, faults with their place,
// only what the files own, and no request dropped.
import assert from 'node:assert/strict';
import http from 'node:http';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { sleep, until } from './lib/process.mjs';
import { Orders } from './lib/upstream.mjs';
import { policy, Writ } from './lib/writ.mjs';

let orders, writ, rules;

before(async () => {
    orders = await Orders.start();
    rules = policy(orders.port);
    writ = await Writ.start({ policy: rules, name: 'apply' });
});

after(async () => {
    await writ.close();
    await orders.close();
});

const apply = (...more) => writ.cli(['apply', '-f', 'policy.yaml', ...more]);
const state = async () => JSON.stringify(await Promise.all(['roles', 'subjects', 'upstreams'].map(async (kind) =>
    (await writ.api('GET', `/v1/${kind}?limit=100`)).json.items)));

test('a change is applied, the same again changes nothing', async () => {
    const { token } = await writ.issue('amara');
    assert.equal((await writ.ask('DELETE', '/orders/v1/orders/1', token)).status, 403);
    rules.roles.support.allow.push('orders:DELETE:/v1/orders/*');
    writ.writePolicy(rules);
    const dry = await apply('--dry-run');
    assert.equal(dry.code, 0, dry.err);
    assert.match(dry.out + dry.err, /support/);
    assert.equal((await writ.ask('DELETE', '/orders/v1/orders/1', token)).status, 403);
    assert.equal((await apply()).code, 0);
    assert.equal((await writ.ask('DELETE', '/orders/v1/orders/1', token)).status, 200);
    const before = await state();
    assert.equal((await apply()).code, 0);
    assert.equal(await state(), before);
});

const wrong = {
    'a right that is none': ['roles:\n  bad:\n    allow:\n      - "orders GET"\n', 4],
    'a role that is not there': ['subjects:\n  eve: {type: user, roles: [ghost]}\n', 2],
    'a cycle': ['roles:\n  a: {inherits: [b]}\n  b: {inherits: [a]}\n', null],
    'an unknown member': ['roles:\n  a: {alow: ["orders:GET:/x"]}\n', 2],
    'an unknown section': ['rolls: {}\n', 1],
    'a key twice': ['roles:\n  a: {}\n  a: {}\n', 3],
    'a reserved name': ['upstreams:\n  writ: {type: http, url: "http://127.0.0.1:1"}\n', 2],
    'a name with capitals': ['subjects:\n  Eve: {type: user}\n', 2],
    'an unknown type': ['subjects:\n  eve: {type: robot}\n', 2],
    'no YAML': ['roles: [unclosed\n', null],
    'an alias': ['roles:\n  a: &x {}\n  b: *x\n', null],
    'a url that is none': ['upstreams:\n  o: {type: http, url: "nonsense"}\n', 2],
};

for (const [name, [text, line]] of Object.entries(wrong)) {
    test(`a wrong file changes nothing and says where: ${name}`, async () => {
        const before = await state();
        writeFileSync(join(writ.place, 'wrong.yaml'), text);
        const { code, out, err } = await writ.cli(['apply', '-f', 'wrong.yaml']);
        assert.equal(code, 1, out + err);
        assert.match(err, line === null ? /wrong\.yaml/ : new RegExp(`wrong\\.yaml:${line}:\\d+`));
        assert.equal(await state(), before);
    });
}

test('what a file owns is not the API\'s to write', async () => {
    for (const [method, body] of [['PUT', { allow: [] }], ['DELETE', undefined]])
        assert.equal((await writ.api(method, '/v1/roles/support', body)).status, 409);
    assert.ok((await writ.api('PUT', '/v1/roles/loose', { allow: ['orders:GET:/x'] })).status < 300);
});

test('what a file no longer says goes; what the API made stays', async () => {
    rules.roles.passing = { allow: ['orders:GET:/y'] };
    writ.writePolicy(rules);
    assert.equal((await apply()).code, 0);
    assert.equal((await writ.api('GET', '/v1/roles/passing')).status, 200);
    delete rules.roles.passing;
    writ.writePolicy(rules);
    assert.equal((await apply()).code, 0);
    assert.equal((await writ.api('GET', '/v1/roles/passing')).status, 404);
    assert.equal((await writ.api('GET', '/v1/roles/loose')).status, 200);
});

test('a restart with files seen before undoes nothing', async () => {
    const old = JSON.parse(JSON.stringify(rules));
    delete rules.roles.support.deny;
    rules.roles.support.deny = ['orders:*:/v1/orders/**'];
    writ.writePolicy(rules);
    assert.equal((await apply()).code, 0);
    const { token } = await writ.issue('amara');
    assert.equal((await writ.get('/orders/v1/orders/1', token)).status, 403);
    writ.writePolicy(old); /* its digest was applied once: a start leaves it alone */
    await writ.restart();
    assert.equal((await writ.get('/orders/v1/orders/1', token)).status, 403);
    rules = old;
    assert.equal((await apply()).code, 0);
    assert.equal((await writ.get('/orders/v1/orders/1', token)).status, 200);
});

test('SIGHUP reads the files again; a wrong file leaves all as it was', async () => {
    const { token } = await writ.issue('amara');
    rules.roles.support.deny.push('orders:GET:/v1/orders/77');
    writ.writePolicy(rules);
    writ.process.child.kill('SIGHUP');
    await until('the change', async () => (await writ.get('/orders/v1/orders/77', token)).status === 403);
    writ.writePolicy('roles: [unclosed\n');
    writ.process.child.kill('SIGHUP');
    await sleep(500);
    assert.equal((await writ.get('/orders/v1/orders/78', token)).status, 200);
    assert.equal((await writ.get('/orders/v1/orders/77', token)).status, 403);
    writ.writePolicy(rules);
});

test('no request is dropped while policies come and go', async () => {
    const { token } = await writ.issue('tester');
    let running = true, count = 0;
    const clients = Array.from({ length: 8 }, async () => {
        const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
        while (running) {
            assert.equal((await writ.get('/orders/v1/orders/1', token, { agent })).status, 200);
            count++;
        }
        agent.destroy();
    });
    for (let i = 0; i < 10; i++) {
        rules.roles.support.allow[2] = `orders:PATCH:/v1/orders/${i}`;
        writ.writePolicy(rules);
        if (i % 2)
            writ.process.child.kill('SIGHUP');
        else
            assert.equal((await apply()).code, 0);
        await sleep(30);
    }
    running = false;
    await Promise.all(clients);
    assert.ok(count > 20);
});

test('a stop drains: what was accepted is answered', async () => {
    const { token } = await writ.issue('tester');
    const slow = writ.get('/orders/v1/slow?ms=700', token);
    await sleep(200);
    const ended = writ.stop();
    assert.equal((await slow).status, 200);
    assert.deepEqual(await ended, { code: 0, signal: null });
    await writ.launch();
});

test('serve --check finds every fault of writ.yaml at once, with its place', async () => {
    writeFileSync(join(writ.place, 'bad.yaml'),
        'data: ./data\nlanes: many\ngateway:\n  http: {listen: 0.0.0.0:80}\nstorre: {}\n');
    const { code, err } = await writ.cli(['serve', '--config', 'bad.yaml', '--check']);
    assert.equal(code, 1);
    assert.match(err, /bad\.yaml:2:\d+/);
    assert.match(err, /bad\.yaml:4:\d+/);
    assert.match(err, /bad\.yaml:5:\d+.*store/);
});
