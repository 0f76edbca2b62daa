// test/e2e/audit.test.mjs - who accessed what, when, how and by which right; and
// what an attacker does to the files is found.
import assert from 'node:assert/strict';
import { cpSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { sleep, until } from './lib/process.mjs';
import { Orders } from './lib/upstream.mjs';
import { policy, Writ } from './lib/writ.mjs';

let orders, writ, amara, nightly;

before(async () => {
    orders = await Orders.start();
    writ = await Writ.start({ policy: policy(orders.port), name: 'audit' });
    amara = await writ.issue('amara');
    nightly = await writ.issue('nightly');
    for (let i = 1; i <= 5; i++)
        await writ.get(`/orders/v1/orders/${i}`, amara.token);
    await writ.ask('POST', '/orders/v1/orders', nightly.token);
    await writ.ask('DELETE', '/orders/v1/orders/5', amara.token);
    await until('the lines to be found', async () =>
        (await writ.audit('--resource', 'orders')).length >= 7);
});

after(async () => {
    await writ.close();
    await orders.close();
});

test('a line says who, what, when, how and by which right', async () => {
    const [line] = await writ.audit('--subject', 'nightly', '--resource', 'orders');
    for (const member of ['seq', 'at', 'node', 'session', 'token', 'label', 'subject', 'subject_type', 'role',
        'resource', 'action', 'object', 'decision', 'right', 'reason', 'proof', 'peer', 'agent', 'status',
        'bytes_in', 'bytes_out', 'duration_us', 'hash'])
        assert.ok(member in line, member);
    assert.equal(line.token, nightly.id);
    assert.equal(line.subject_type, 'service');
    assert.equal(line.action, 'POST');
    assert.equal(line.object, '/v1/orders');
    assert.equal(line.right, 'orders:POST:/v1/orders');
    assert.equal(line.status, 201);
    assert.match(line.peer, /^127\.0\.0\.1/);
    assert.ok(Math.abs(Date.parse(line.at) - Date.now()) < 60000);
});

test('search by each member, alone and together', async () => {
    const count = async (...filters) => (await writ.audit('--resource', 'orders', ...filters)).length;
    assert.equal(await count('--subject', 'amara'), 6);
    assert.equal(await count('--token', amara.id), 6);
    assert.equal(await count('--action', 'DELETE'), 1);
    assert.equal(await count('--decision', 'deny'), 1);
    assert.equal(await count('--decision', 'allow', '--subject', 'amara'), 5);
    assert.equal(await count('--since', '1h'), 7);
    assert.equal(await count('--until', '1h'), 0);
    assert.equal(await count('--subject', 'nobody'), 0);
    assert.equal(await count('--limit', '2'), 2);
    const answer = (await writ.api('GET', '/v1/audit?resource=orders&limit=3')).json;
    assert.equal(answer.items.length, 3);
    const rest = (await writ.api('GET', `/v1/audit?resource=orders&cursor=${encodeURIComponent(answer.next)}`)).json;
    assert.equal(rest.items.length, 4);
    assert.ok(rest.items[0].seq < answer.items[2].seq);
});

test('the authority\'s own acts are lines like any other', async () => {
    const lines = await until('the lines', async () => {
        const found = await writ.audit('--resource', 'writ', '--action', 'tokens.issue');
        return found.length >= 2 && found;
    });
    assert.ok(lines.some((line) => line.object === 'nightly' && line.decision === 'allow' &&
        line.subject.startsWith('local:')));
});

test('no line holds a token', async () => {
    const text = JSON.stringify(await writ.audit('--limit', '1000'));
    assert.doesNotMatch(text, /writa?_[0-9A-Za-z]{75}/);
});

test('a flood without a token is folded', async () => {
    const before = (await writ.audit('--limit', '1000')).length;
    await Promise.all(Array.from({ length: 200 }, () => writ.get('/orders/v1/orders/1')));
    await sleep(2500);
    const lines = (await writ.audit('--limit', '1000')).length - before;
    assert.ok(lines < 40, `${lines} lines for 200 refusals`);
});

test('the map and the advice are the use that was made', async () => {
    const map = JSON.stringify(await writ.json(['audit', 'map']));
    assert.match(map, /amara/);
    assert.match(map, /orders:GET\|HEAD:\/v1\/orders\/\*\*/);
    const advice = JSON.stringify(await writ.json(['advise', '--subject', 'amara']));
    assert.match(advice, /orders:GET:\/v1\/orders\/\*/);
    assert.doesNotMatch(advice, /DELETE/);
});

const filesBelow = (directory) => readdirSync(directory, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? filesBelow(join(directory, entry.name)) : [join(directory, entry.name)]);

// Stops Writ, lets someone change a copy's files, and asks verify about the copy.
test('verify holds, and finds a changed byte, a lost file, a cut end', async () => {
    assert.equal((await writ.cli(['audit', 'verify'])).code, 0);
    await writ.stop();
    const kept = join(writ.place, 'kept');
    cpSync(writ.data, kept, { recursive: true });
    const restore = () => {
        rmSync(writ.data, { recursive: true, force: true });
        cpSync(kept, writ.data, { recursive: true });
    };
    const verified = async () => {
        await writ.launch();
        const { code, out, err } = await writ.cli(['audit', 'verify']);
        await writ.stop();
        return { code, text: out + err };
    };
    const held = await verified();
    assert.equal(held.code, 0, held.text);

    const segments = () => filesBelow(join(writ.data, 'audit'))
        .filter((file) => file.endsWith('.seg') && readFileSync(file).includes('nightly'));
    restore();
    assert.ok(segments().length > 0, filesBelow(writ.data).join(' '));
    for (const harm of [
        (file) => {
            const bytes = readFileSync(file);
            bytes[bytes.indexOf('nightly')] ^= 1;
            writeFileSync(file, bytes);
        },
        (file) => rmSync(file),
        (file) => truncateSync(file, statSync(file).size >> 1),
    ]) {
        restore();
        harm(segments()[0]);
        const found = await verified().catch((error) => ({ code: 1, text: error.message }));
        assert.equal(found.code, 1, found.text);
    }
    restore();
    await writ.launch();
});
