// Redis behind the gate: what is meant to slip past a right, or to outlive it.
import assert from 'node:assert/strict';
import net from 'node:net';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { freePort, until } from './lib/process.mjs';
import { Raw, RedisServer } from './lib/redis.mjs';
import { Writ } from './lib/writ.mjs';

let server, writ, port;
const tokens = {};

const roles = {
    a: { allow: ['cache:*:a*', 'limited:*:a*'] },
    movers: { allow: ['cache:copy|move|set:a*', 'cache:select:5'] },
    all: { allow: ['cache:*:*', 'limited:*:*', 'free:*:*', 'empty:*:*'] },
    tenants: { allow: ['cache:psubscribe:tenant.*.events', 'cache:psubscribe:tenant.%5Bab%5D.events'] },
};

before(async () => {
    server = await RedisServer.start();
    port = await freePort();
    const address = `127.0.0.1:${server.port}`;
    await server.cli('ACL', 'SETUSER', 'limited', 'on', '>lim', '~a*', '&*', '+@all', '-@admin', '+acl|whoami');
    await server.cli('ACL', 'SETUSER', 'free', 'on', 'nopass', '~a*', '+get', '+acl|whoami');
    writ = await Writ.start({
        name: 'redis-hostile',
        files: { 'secrets/cache': 'hunter2\n', 'secrets/limited': 'lim\n', 'secrets/empty': '\n' },
        config: { gateway: { redis: { listen: `127.0.0.1:${port}` } } },
        policy: {
            upstreams: {
                cache: { type: 'redis', address, login: { password_file: 'secrets/cache' } },
                limited: { type: 'redis', address, login: { user: 'limited', password_file: 'secrets/limited' } },
                free: { type: 'redis', address, login: { user: 'free' } },
                empty: { type: 'redis', address, login: { password_file: 'secrets/empty' } },
            },
            roles,
            subjects: Object.fromEntries(Object.keys(roles).map((role) => [role, { type: 'service', roles: [role] }])),
        },
    });
    for (const role of Object.keys(roles))
        tokens[role] = (await writ.issue(role)).token;
});

after(async () => {
    await writ?.close();
    await server?.close();
});

async function open(role, name = 'cache') {
    const raw = await Raw.open(port);
    raw.send(['AUTH', name, tokens[role]]);
    await raw.expect('+OK\r\n');
    return raw;
}

// One command, and all that is answered to it.
async function ask(raw, ...words) {
    raw.send(words, ['ECHO', 'the-end']);
    return (await raw.expect('$7\r\nthe-end\r\n')).slice(0, -'$7\r\nthe-end\r\n'.length);
}

test('an option with a NUL is the option, as Redis reads it', async () => {
    await server.cli('GEOADD', 'a:g', '13', '38', 'P', '15', '37', 'C');
    await server.cli('SET', 'b:out', 'precious');
    await server.cli('SET', 'b:secret', 'swordfish');
    await server.cli('SET', 'a:1', 'mine');
    const raw = await open('a');
    assert.match(await ask(raw, 'GEORADIUS', 'a:g', '15', '37', '200', 'km', 'STORE', 'a:out'), /^:[12]\r\n/);
    for (const word of ['STORE\0', 'store\0x', 'STOREDIST\0']) {
        assert.match(await ask(raw, 'GEORADIUS', 'a:g', '15', '37', '200', 'km', word, 'b:out'), /^-NOPERM you need cache:georadius:b:out/);
        assert.match(await ask(raw, 'GEORADIUSBYMEMBER', 'a:g', 'P', '200', 'km', word, 'b:out'), /^-NOPERM/);
    }
    assert.match(await ask(raw, 'SORT', 'a:l', 'STORE\0', 'b:out'), /^-NOPERM/);
    const reached = [];
    const trap = net.createServer((socket) => socket.on('data', (bytes) => {
        reached.push(bytes.toString('latin1'));
        socket.write('+OK\r\n'.repeat((bytes.toString('latin1').match(/\*/g) ?? []).length));
    }).on('error', () => {}));
    await new Promise((done) => trap.listen(0, '127.0.0.1', done));
    const migrate = (...rest) => ask(raw, 'MIGRATE', '127.0.0.1', String(trap.address().port), '', '0', '1000', 'COPY', ...rest);
    assert.match(await migrate('KEYS\0', 'b:secret', 'KEYS', 'a:1'), /^-NOPERM you need cache:migrate:b:secret/);
    assert.match(await migrate('NOPE', 'KEYS', 'a:1'), /^-ERR the keys of the command/);
    assert.deepEqual(reached, []);
    await migrate('KEYS', 'a:1');
    assert.match(reached.join(''), /mine/);
    assert.equal((await server.cli('GET', 'b:out')).out, 'precious\n');
    trap.close();
    raw.close();
});

test('after the log-in HELLO changes the protocol and nothing else', async () => {
    const raw = await open('all', 'limited');
    for (const words of [['3', 'AUTH', 'default', 'hunter2'], ['3', 'AUTH\0', 'default', 'hunter2'], ['3', 'auth\0x', 'default', 'wrong'],
        ['3', 'SETNAME', 'x', 'AUTH\0', 'default', 'hunter2'], ['3', 'SETNAME\0', 'x'], ['3\0'], ['9'], ['3', 'SETNAME']])
        assert.match(await ask(raw, 'HELLO', ...words), /^-ERR this session has logged in already/, words.join(' '));
    assert.equal(await ask(raw, 'ACL', 'WHOAMI'), '$7\r\nlimited\r\n');
    assert.match(await ask(raw, 'HELLO', '3', 'SETNAME', 'me'), /^%7\r\n/);
    assert.match(await ask(raw, 'HELLO', '2'), /^\*14\r\n/);
    assert.match(await ask(raw, 'HELLO'), /^\*14\r\n/);
    raw.close();
    await until('the lines', async () => (await writ.audit('--subject', 'all', '--action', 'hello', '--limit', '50'))
        .filter((line) => line.decision === 'deny' && line.status === 400).length >= 8);
});

test('in MULTI neither HELLO nor MONITOR passes', async () => {
    await server.cli('SET', 'k1', 'one');
    const raw = await open('all');
    raw.send(['MULTI'], ['HELLO', '3'], ['EXEC'], ['MULTI'], ['MONITOR'], ['EXEC'], ['NOSUCH'], ['GET', 'k1']);
    const text = await raw.expect('$3\r\none\r\n');
    assert.match(text, /^\+OK\r\n-ERR HELLO within[^\r]*\r\n-EXECABORT[^\r]*\r\n\+OK\r\n-ERR MONITOR within[^\r]*\r\n-EXECABORT[^\r]*\r\n-ERR unknown[^\r]*\r\n\$3/);
    raw.close();
});

test('a user without a password is that user', async () => {
    await server.cli('ACL', 'SETUSER', 'default', 'nopass');
    try {
        const raw = await open('all', 'free');
        raw.send(['ACL', 'WHOAMI']);
        await raw.expect('$4\r\nfree\r\n');
        raw.close();
        const other = await Raw.open(port);
        other.send(['AUTH', 'empty', tokens.all]);
        await other.expect("-ERR upstream: the file of the gateway's own password is empty");
        await other.closed;
    } finally {
        await server.cli('ACL', 'SETUSER', 'default', 'resetpass', '>hunter2');
    }
    assert.match(writ.process.output, /password file is empty[^\n]*empty/);
});

test('another database is a right of its own', async () => {
    await server.cli('SET', 'a1', 'v');
    const raw = await open('movers');
    assert.match(await ask(raw, 'COPY', 'a1', 'a2'), /^:1/);
    assert.match(await ask(raw, 'COPY', 'a1', 'a2', 'DB', '5'), /^:1/);
    assert.match(await ask(raw, 'COPY', 'a1', 'a2', 'REPLACE', 'DB\0', '6'), /^-NOPERM you need cache:select:6/);
    assert.match(await ask(raw, 'MOVE', 'a1', '6'), /^-NOPERM you need cache:select:6/);
    assert.match(await ask(raw, 'MOVE', 'a1', '5'), /^:1/);
    raw.close();
});

test('a pattern whose end is no end does not pass', async () => {
    const raw = await open('tenants');
    for (const pattern of ['tenant.*[^.events', 'tenant.*[a-].events', 'tenant.x\\.events', 'tenant.[\\].events'])
        raw.send(['PSUBSCRIBE', pattern]);
    const text = await raw.expect('psubscribe\r\n');
    assert.match(text, /^-ERR a pattern with an open[^\r]*\r\n-ERR a pattern[^\r]*\r\n\*3\r\n\$10\r\npsubscribe/);
    await raw.expect('-ERR a pattern');
    await server.cli('PUBLISH', 'tenant.acme.secret0', 'xyz');
    await server.cli('PUBLISH', 'tenant.x.events', 'welcome');
    assert.doesNotMatch(await raw.expect('welcome'), /xyz/);
    raw.close();
});

test('before the log-in little is read', async () => {
    for (const [bytes, why] of [['*2\r\n$3\r\nGET\r\n$16000000\r\n', 'bulk'], ['*65536\r\n', 'multibulk']]) {
        const raw = await Raw.open(port);
        raw.socket.write(bytes);
        await raw.closed;
        assert.equal(raw.text, `-ERR Protocol error: unauthenticated ${why} length\r\n`);
    }
    const raw = await open('all');
    raw.send(['SET', 'big', 'x'.repeat(1 << 20)], ['DEL', ...Array.from({ length: 3000 }, (_, i) => `nope${i}`)]);
    await raw.expect('+OK\r\n:0\r\n');
    raw.close();
});
