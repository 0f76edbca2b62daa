// Redis behind the gate: what is meant to slip past a right, or to outlive it.
import assert from 'node:assert/strict';
import net from 'node:net';
import { after, before, test } from 'node:test';

import { freePort, sleep, until } from './lib/process.mjs';
import { Raw, RedisServer } from './lib/redis.mjs';
import { Writ } from './lib/writ.mjs';

let server, odd, writ, port, rules;
const tokens = {};

const roles = {
    a: { allow: ['cache:*:a*', 'limited:*:a*'] },
    movers: { allow: ['cache:copy|move|set:a*', 'cache:select:5'] },
    all: { allow: ['cache:*:*', 'limited:*:*', 'free:*:*', 'empty:*:*', 'odd:*:*'] },
    late: { allow: ['cache:*:*'] },
    bounded: { allow: ['cache:set:*', { right: 'cache:get:*', when: { max_bytes: '4KiB/1h' } }, { right: 'cache:incr:*', when: { max_concurrent: 1 } }] },
    tenants: { allow: ['cache:psubscribe:tenant.*.events', 'cache:psubscribe:*.public.*'] },
};

// A server that answers DISCARD with a push in front, in two pieces.
async function oddServer() {
    const server = net.createServer((socket) => socket.setNoDelay().on('error', () => {}).on('data', async (bytes) => {
        for (const [, word] of bytes.toString('latin1').matchAll(/\*\d+\r\n\$\d+\r\n(\w+)/g)) {
            if (word === 'DISCARD') {
                socket.write('>');
                await sleep(50);
                socket.write('2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n');
                await sleep(50);
            }
            socket.write(word === 'HELLO' ? '%1\r\n+a\r\n+b\r\n' : '+OK\r\n');
        }
    }));
    await new Promise((done) => server.listen(0, '127.0.0.1', done));
    return server;
}

before(async () => {
    server = await RedisServer.start();
    port = await freePort();
    odd = await oddServer();
    const address = `127.0.0.1:${server.port}`;
    await server.cli('ACL', 'SETUSER', 'limited', 'on', '>lim', '~a*', '&*', '+@all', '-@admin', '+acl|whoami');
    await server.cli('ACL', 'SETUSER', 'free', 'on', 'nopass', '~a*', '+get', '+acl|whoami');
    writ = await Writ.start({
        name: 'redis-hostile',
        files: { 'secrets/cache': 'hunter2\n', 'secrets/limited': 'lim\n', 'secrets/empty': '\n' },
        config: { gateway: { redis: { listen: `127.0.0.1:${port}` } } },
        policy: rules = {
            upstreams: {
                cache: { type: 'redis', address, login: { password_file: 'secrets/cache' } },
                limited: { type: 'redis', address, login: { user: 'limited', password_file: 'secrets/limited' } },
                odd: { type: 'redis', address: `127.0.0.1:${odd.address().port}` },
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
    odd?.close();
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

// The role `late` may do this from now on.
async function allow(...rights) {
    rules.roles.late.allow = rights;
    writ.writePolicy(rules);
    const { code, err } = await writ.cli(['apply', '-f', 'policy.yaml']);
    assert.equal(code, 0, err);
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
    for (const pattern of ['*[^.public.]*', 'tenant.*[^.events]'])
        raw.send(['PSUBSCRIBE', pattern]);
    await raw.expect('-NOPERM you need cache:psubscribe:%2A%3F%2A');
    await raw.expect('-NOPERM you need cache:psubscribe:tenant.%2A%3F');
    raw.send(['PSUBSCRIBE', 'tenant.[a-c].events']);
    await raw.expect('tenant.[a-c].events\r\n:2\r\n');
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

test('what EXEC answers counts for max_bytes', async () => {
    await server.cli('SET', 'big', 'x'.repeat(5000));
    const raw = await open('bounded');
    raw.send(['MULTI'], ['GET', 'big'], ['DISCARD']);
    await raw.expect('+QUEUED\r\n+OK\r\n');
    raw.send(['MULTI'], ['GET', 'big'], ['SET', 'small', '1'], ['EXEC']);
    await raw.expect(`+QUEUED\r\n+QUEUED\r\n*2\r\n$5000\r\n${'x'.repeat(5000)}\r\n+OK\r\n`);
    raw.send(['MULTI'], ['GET', 'big'], ['EXEC'], ['SET', 'small', '1'], ['GET', 'big']);
    assert.match(await raw.expect('-EXECABORT'), /^\+OK\r\n-ERR the right's max_bytes is used up/);
    await raw.expect("+OK\r\n-ERR the right's max_bytes is used up");
    raw.close();
});

test('max_concurrent is given back by EXEC, by DISCARD and by the end', async () => {
    const raw = await open('bounded');
    for (const end of ['EXEC', 'DISCARD', 'EXEC']) {
        raw.send(['MULTI'], ['INCR', 'n']);
        await raw.expect('+QUEUED');
        const other = await open('bounded');
        assert.match(await ask(other, 'INCR', 'n'), /^-ERR as many calls are open/);
        raw.send([end]);
        await raw.expect(end === 'EXEC' ? '*1\r\n' : '+OK\r\n');
        assert.match(await ask(other, 'INCR', 'n'), /^:\d+/);
        other.send(['MULTI'], ['INCR', 'n']);
        await other.expect('+QUEUED');
        other.close();
        await until('the place', async () => /^:\d+/.test(await ask(raw, 'INCR', 'n').catch(() => '')));
    }
    raw.close();
});

test('EXEC runs by the rights of then', async () => {
    await allow('cache:*:*');
    await server.cli('SET', 'b1', 'b-SECRET');
    const raw = await open('late'), kept = await open('late');
    raw.send(['MULTI'], ['GET', 'b1'], ['SET', 'b9', 'late']);
    kept.send(['MULTI'], ['GET', 'a1'], ['PING']);
    await raw.expect('+QUEUED\r\n+QUEUED\r\n');
    await kept.expect('+QUEUED\r\n+QUEUED\r\n');
    await allow('cache:get:a*');
    raw.send(['EXEC'], ['GET', 'a1'], ['MULTI'], ['GET', 'a1'], ['EXEC'], ['PING']);
    assert.match(await raw.expect('+PONG'), /^-EXECABORT[^\r]*\r\n(\$-1|\$\d+\r\n[^\r]*)\r\n\+OK\r\n\+QUEUED\r\n\*1\r\n/);
    kept.send(['EXEC']);
    await kept.expect('+PONG');
    assert.doesNotMatch(raw.text + kept.text, /SECRET/);
    assert.equal((await server.cli('EXISTS', 'b9')).out, '0\n');
    const lines = await writ.audit('--subject', 'late', '--action', 'get', '--decision', 'deny', '--limit', '20');
    assert.ok(lines.some((line) => line.object === 'b1' && line.statement === 'GET b1'), JSON.stringify(lines));
    raw.close();
    kept.close();
});

test('what stands ends with its right', async () => {
    await allow('cache:*:*');
    const standing = {};
    for (const [name, ...words] of [['subscribed', 'SUBSCRIBE', 'open', 'secret'], ['patterns', 'PSUBSCRIBE', 'secret*'], ['monitor', 'MONITOR'],
        ['blocked', 'BLPOP', 'bq', '0'], ['stream', 'XREAD', 'BLOCK', '0', 'STREAMS', 'bx', '$'], ['gone', 'SUBSCRIBE', 'secret'],
        ['left', 'SUBSCRIBE', 'open', 'secret'], ['kept', 'SUBSCRIBE', 'open'], ['waits', 'BLPOP', 'aq', '0']]) {
        standing[name] = await open('late');
        standing[name].send(words);
    }
    standing.gone.send(['UNSUBSCRIBE']);
    standing.left.send(['UNSUBSCRIBE', 'secret', 'never']);
    standing.tracking = await Raw.open(port);
    standing.tracking.send(['HELLO', '3', 'AUTH', 'cache', tokens.late], ['CLIENT', 'TRACKING', 'ON', 'BCAST']);
    standing.untracked = await Raw.open(port);
    standing.untracked.send(['HELLO', '3', 'AUTH', 'cache', tokens.late], ['CLIENT', 'TRACKING', 'ON'], ['CLIENT', 'TRACKING', 'off']);
    await standing.untracked.expect('+OK\r\n+OK\r\n');
    await standing.tracking.expect('+OK\r\n');
    await until('all to wait', async () => /blocked_clients:3/.test((await server.cli('INFO', 'clients')).out));
    await standing.gone.expect(':0\r\n');
    await standing.left.expect('never\r\n');
    await allow('cache:subscribe:open', 'cache:blpop:a*');
    for (const [name, right] of [['subscribed', 'subscribe:secret'], ['patterns', 'psubscribe:secret%2A'], ['monitor', 'monitor:-'],
        ['blocked', 'blpop:bq'], ['stream', 'xread:bx'], ['tracking', 'client.tracking:-']]) {
        await standing[name].closed;
        assert.ok(standing[name].text.includes(`-NOPERM you need cache:${right}`), `${name}: ${standing[name].text}`);
    }
    await server.cli('PUBLISH', 'secret', 'payload');
    await server.cli('PUBLISH', 'open', 'welcome');
    await server.cli('RPUSH', 'aq', 'item');
    await server.cli('RPUSH', 'bq', 'precious');
    for (const name of ['kept', 'left'])
        assert.doesNotMatch(await standing[name].expect('welcome'), /payload/);
    await standing.waits.expect('item');
    assert.match(await ask(standing.gone, 'GET', 'x'), /^-NOPERM/);
    assert.match(await ask(standing.untracked, 'GET', 'x'), /^-NOPERM/);
    assert.equal((await server.cli('LLEN', 'bq')).out, '1\n');
    for (const raw of Object.values(standing))
        raw.close();
});

test('what breaks the protocol is answered after what came before it', async () => {
    for (const bytes of ['GET x\r\n', '*1\r\n:1\r\n', '*0\r\n*1\r\n$4\r\nPING\r\n']) {
        const raw = await open('all');
        raw.send(['SET', 'n', '1'], ['NOSUCH'], ['GET', 'n'], ['BLPOP', 'nothing', '0.2']);
        raw.socket.write(bytes);
        raw.send(['SET', 'n', '2']);
        await raw.closed;
        assert.match(raw.text, /^\+OK\r\n-ERR unknown[^\r]*\r\n\$1\r\n1\r\n\*-1\r\n-ERR Protocol error[^\r]*\r\n$/);
        assert.equal((await server.cli('GET', 'n')).out, '1\n');
    }
    // One that is waited for does not outlive its client.
    const raw = await open('all');
    raw.send(['BLPOP', 'nothing', '0']);
    raw.socket.write('*0\r\n');
    await until('the block', async () => /blocked_clients:1/.test((await server.cli('INFO', 'clients')).out));
    raw.close();
    await until('its end', async () => /blocked_clients:0/.test((await server.cli('INFO', 'clients')).out));
});

test('messages amid other answers', async () => {
    const raw = await Raw.open(port);
    raw.send(['HELLO', '3', 'AUTH', 'cache', tokens.all], ['SUBSCRIBE', 'y'], ['MULTI'], ['PUBLISH', 'y', 'hi'], ['EXEC'], ['NOSUCH'], ['PING']);
    assert.match(await raw.expect('+PONG\r\n'), /\*1\r\n(>3\r\n\$7\r\nmessage[^>]*hi\r\n)?:1\r\n(>3\r\n\$7\r\nmessage[^>]*hi\r\n)?-ERR unknown[^\r]*\r\n\+PONG/);
    raw.close();
    const split = await Raw.open(port);
    split.send(['HELLO', '3', 'AUTH', 'odd', tokens.all], ['MULTI'], ['NOSUCH'], ['EXEC'], ['PING']);
    assert.match(await split.expect('-EXECABORT'), />2\r\n\$10\r\ninvalidate\r\n\*1\r\n\$1\r\nk\r\n-EXECABORT$/);
    await split.expect('+OK\r\n');
    split.close();
});

test('an answer that is nested too deeply ends the session, and the log says why', async () => {
    const raw = await open('all');
    raw.send(['EVAL', 'local t={} local r=t for i=1,40 do t[1]={} t=t[1] end return r', '0']);
    await raw.closed;
    await until('the words', () => /nested deeper/.test(writ.process.output));
    const flat = await open('all');
    assert.match(await ask(flat, 'EVAL', 'local t={} local r=t for i=1,20 do t[1]={} t=t[1] end return r', '0'), /^(\*1\r\n)+\*0\r\n$/);
    flat.close();
});
