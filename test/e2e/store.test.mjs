// test/e2e/store.test.mjs - the store as an operator meets it: a copy, a second
// process, a full disk, a disk that can't be written.
import assert from 'node:assert/strict';
import { closeSync, copyFileSync, existsSync, mkdirSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { Process, run, until } from './lib/process.mjs';
import { Orders } from './lib/upstream.mjs';
import { policy, PROGRAM, Writ } from './lib/writ.mjs';

let orders, writ;

before(async () => {
    orders = await Orders.start();
    writ = await Writ.start({ policy: policy(orders.port), name: 'store' });
});

after(async () => {
    await writ.close();
    await orders.close();
});

const backup = (path) => writ.api('POST', '/v1/backup', { path });

test('a copy made while running is a store: its tokens live, its revocations hold', async () => {
    const kept = await writ.issue('amara'), gone = await writ.issue('amara');
    await writ.revoke(gone.id);
    const path = join(writ.place, 'copy.db');
    const made = await backup(path);
    assert.ok(made.status < 300, made.body);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.equal((await backup(path)).status, 409);
    assert.ok((await backup(join(writ.place, 'nowhere/copy.db'))).status >= 400);
    const later = await writ.issue('amara');

    const other = await Writ.start({ policy: policy(orders.port), name: 'copy' });
    await other.stop();
    rmSync(other.data, { recursive: true });
    mkdirSync(other.data, { mode: 0o700 });
    copyFileSync(path, join(other.data, 'writ.db'));
    copyFileSync(join(writ.data, 'key'), join(other.data, 'key')); /* which is in no copy */
    await other.launch();
    const status = async (token) => (await other.get('/orders/v1/orders/1', token)).status;
    assert.deepEqual([await status(kept.token), await status(gone.token), await status(later.token)],
        [200, 401, 401]);
    await other.close();
});

test('a second process on the same data is refused and told which has it', async () => {
    const second = new Process(PROGRAM, ['serve', '--config', writ.configPath], { cwd: writ.place });
    const { code } = await second.exited;
    assert.notEqual(code, 0);
    assert.match(second.output, new RegExp(`${writ.process.child.pid}|in use`));
});

// A Writ whose data is a small disk of its own; needs root.
async function onSmallDisk(t, use) {
    const made = await Writ.start({ policy: policy(orders.port), name: 'disk' });
    await made.stop();
    const mounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=64m,mode=700', 'none', made.data]);
    if (mounted.code !== 0) {
        await made.close();
        t.skip('mounting needs root');
        return;
    }
    try {
        await made.launch();
        await use(made);
    } finally {
        await made.stop();
        await run('umount', [made.data]);
        await made.close();
    }
}

function fillDisk(path) {
    const file = openSync(path, 'w', 0o600);
    try {
        for (let size = 1 << 20; size >= 1;) {
            try {
                writeSync(file, Buffer.alloc(size));
            } catch {
                size >>= 1;
            }
        }
    } finally {
        closeSync(file);
    }
}

test('on a full disk a revocation is refused loudly, the gateway goes on, and room mends it', async (t) => {
    await onSmallDisk(t, async (small) => {
        const { id, token } = await small.issue('amara'), doomed = await small.issue('amara');
        const filler = join(small.data, 'filler');
        fillDisk(filler);
        const status = async (one) => (await small.get('/orders/v1/orders/1', one)).status;
        /* What the log has in hand may still fit; soon nothing does. */
        const refused = await until('a refusal', async () => {
            const answer = await small.api('POST', '/v1/tokens', { subject: 'amara', name: 'x'.repeat(100) });
            return answer.status >= 500 && answer;
        });
        assert.match(refused.headers['content-type'], /problem\+json/);
        assert.match(refused.body, /space|full/i);
        const revoke = await small.api('DELETE', `/v1/tokens/${doomed.id}`);
        if (revoke.status >= 500)
            assert.equal(await status(doomed.token), 200);
        else
            assert.equal(await status(doomed.token), 401);
        assert.equal(await status(token), 200);
        assert.equal(await status('writ_nonsense'), 401);

        rmSync(filler);
        await until('room', async () => (await small.api('DELETE', `/v1/tokens/${id}`)).status === 200);
        assert.equal(await status(token), 401);
        await small.restart();
        assert.equal(await status(token), 401);
    });
});

test('a start on a disk that can\'t be written says so', async (t) => {
    await onSmallDisk(t, async (small) => {
        await small.stop();
        await run('mount', ['-o', 'remount,ro', small.data]);
        const start = new Process(PROGRAM, ['serve', '--config', small.configPath], { cwd: small.place });
        const { code } = await start.exited;
        await run('mount', ['-o', 'remount,rw', small.data]);
        assert.equal(code, 1);
        assert.match(start.output, /read-only/i);
        assert.ok(existsSync(join(small.data, 'writ.db')));
        await small.launch();
    });
});

test('a damaged store is not started, and says so', async () => {
    await writ.issue('amara');
    await writ.stop();
    const db = join(writ.data, 'writ.db'), kept = join(writ.place, 'whole.db');
    copyFileSync(db, kept);
    const file = openSync(db, 'r+');
    for (let at = 4096; at < statSync(db).size; at += 4096)
        writeSync(file, Buffer.alloc(512, 0x5a), 0, 512, at);
    closeSync(file);
    const start = new Process(PROGRAM, ['serve', '--config', writ.configPath], { cwd: writ.place });
    const { code } = await start.exited;
    assert.equal(code, 1);
    assert.match(start.output, /damaged|malformed|corrupt/i);
    copyFileSync(kept, db);
    await writ.launch();
});
