// test/e2e/half_closed.test.mjs - after an upgrade, a client that has said all still gets what comes
// of it; when nothing comes for long, it may be gone altogether, and the session ends.
import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import { after, before, test } from 'node:test';

import { freePort, sleep, until } from './lib/process.mjs';
import { Writ } from './lib/writ.mjs';

let writ, server, token;
const open = new Set();

before(async () => {
    const port = await freePort();
    server = http.createServer().on('upgrade', (asked, socket) => {
        open.add(asked.url);
        socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: tcp\r\nConnection: Upgrade\r\n\r\n');
        const ticks = asked.url.startsWith('/busy') ? setInterval(() => socket.write('tick'), 200) : undefined;
        socket.on('data', () => {}).on('error', () => {}).on('close', () => {
            clearInterval(ticks);
            open.delete(asked.url);
        });
    }).listen(port, '127.0.0.1');
    const url = `http://127.0.0.1:${port}`;
    writ = await Writ.start({
        name: 'half-closed',
        policy: {
            upstreams: { short: { type: 'http', url, timeouts: { idle: '1s' } }, usual: { type: 'http', url } },
            roles: { all: { allow: ['short:*:**', 'usual:*:**'] } },
            subjects: { tester: { type: 'user', roles: ['all'] } },
        },
    });
    token = (await writ.issue('tester')).token;
});

after(async () => {
    await writ.close();
    server.closeAllConnections();
    server.close();
});

// {socket, text, closed}, once it is upgraded.
async function upgrade(path) {
    const one = { text: '', closed: false };
    one.socket = net.connect({ port: writ.port, host: '127.0.0.1', allowHalfOpen: true });
    one.socket.on('data', (bytes) => { one.text += bytes; }).on('error', () => {}).on('close', () => { one.closed = true; });
    one.socket.write(`GET ${path} HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer ${token}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`);
    await until('the upgrade', () => one.text.includes('101'));
    return one;
}

test('a client that is gone ends when nothing moves for as long as is said', async () => {
    const gone = await upgrade('/short/silent');
    const still = await upgrade('/short/silent-too'); /* both sides open: silence is no end */
    gone.socket.end();
    await until('the end', () => gone.closed, { within: 4000 });
    assert.ok(!still.closed);
    still.socket.destroy();
});

test('one that waits for what still comes gets it, however long', async () => {
    const waits = await upgrade('/short/busy');
    waits.socket.end();
    await sleep(3000);
    assert.ok(!waits.closed);
    assert.ok(waits.text.split('tick').length > 8);
    waits.socket.destroy();
    await until('the upstream\'s end', () => !open.has('/busy'), { within: 4000 }); /* as it writes */
});

test('without a limit of its own it is minutes', async () => {
    const waits = await upgrade('/usual/silent');
    waits.socket.end();
    await sleep(3000);
    assert.ok(!waits.closed);
    waits.socket.destroy();
});
