// test/e2e/crash.test.mjs - killed under load, Writ keeps what it answered: every
// token, every revocation, and a line for every response that a client saw.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, test } from 'node:test';

import { sleep, until } from './lib/process.mjs';
import { Orders } from './lib/upstream.mjs';
import { policy, Writ } from './lib/writ.mjs';

const ROUNDS = Number(process.env.WRIT_E2E_KILLS || (process.env.WRIT_SOAK ? 40 : 5));
let orders, writ;

before(async () => {
    orders = await Orders.start();
    writ = await Writ.start({ policy: policy(orders.port), config: { lanes: 2 }, name: 'crash' });
});

after(async () => {
    await writ.close();
    await orders.close();
});

// Requests and changes until the process dies. What was answered is kept.
async function load(seen) {
    const hits = Array.from({ length: 6 }, async (_, client) => {
        const { id, token } = await writ.issue('tester');
        const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
        try {
            for (let i = 0; ; i++) {
                const path = `/v1/orders/${client}-${i}-${id}`;
                if ((await writ.get(`/orders${path}`, token, { agent })).status === 200)
                    seen.responses.push({ id, path });
            }
        } catch {
            agent.destroy();
        }
    });
    const changes = (async () => {
        try {
            for (;;) {
                const made = (await writ.api('POST', '/v1/tokens', { subject: 'tester' })).json;
                seen.issued.push(made);
                if (Math.random() < 0.5 && (await writ.api('DELETE', `/v1/tokens/${made.id}`)).status === 200)
                    seen.revoked.add(made.id);
            }
        } catch { /* killed */ }
    })();
    return Promise.allSettled([...hits, changes]);
}

test(`${ROUNDS} kills under load`, { timeout: 60000 + ROUNDS * 30000 }, async (t) => {
    let responses = 0, changes = 0;
    for (let round = 0; round < ROUNDS; round++) {
        const seen = { responses: [], issued: [], revoked: new Set() };
        const loading = load(seen);
        await sleep(400 + Math.random() * 400);
        await writ.stop('SIGKILL');
        await loading;
        await writ.launch();

        for (const { id, token } of seen.issued) {
            const { status } = await writ.get('/orders/v1/orders/1', token);
            if (seen.revoked.has(id))
                assert.equal(status, 401, `the revocation of ${id} was answered and is undone`);
            else
                assert.ok([200, 401].includes(status)); /* its revocation may have come through unheard */
            assert.equal((await writ.api('GET', `/v1/tokens/${id}`)).status, 200, `${id} was answered and is gone`);
        }
        for (const id of new Set(seen.responses.map((one) => one.id))) {
            const mine = seen.responses.filter((one) => one.id === id);
            const objects = new Set((await until('the lines', async () => {
                const lines = await writ.audit('--token', id, '--resource', 'orders', '--limit', '10000');
                return lines.length >= mine.length && lines;
            })).map((line) => line.object));
            for (const { path } of mine)
                assert.ok(objects.has(path), `${path} was answered and has no line`);
        }
        assert.equal((await writ.cli(['audit', 'verify'])).code, 0);
        responses += seen.responses.length;
        changes += seen.issued.length + seen.revoked.size;
    }
    assert.ok(responses > 0 && changes > 0);
    t.diagnostic(`${ROUNDS} kills, ${responses} responses and ${changes} changes, all there`);
});
