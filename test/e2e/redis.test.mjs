// Redis behind the gate: redis-cli and ioredis against a real server.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import Redis from 'ioredis';

import { clearPlace, freePort, makePlace, Process, run, SLACK, sleep, until } from './lib/process.mjs';
import { Raw, RedisServer } from './lib/redis.mjs';
import { PROGRAM, Writ } from './lib/writ.mjs';

let server, writ, port, tlsPort, place;
const tokens = {};

const roles = {
    sessions: { allow: ['cache:get|set|del|mget|mset|expire|ttl|incr:session:*', 'cache:blpop|rpush:queue:*'] },
    listener: { allow: ['cache:subscribe|psubscribe|publish:news.*', 'cache:psubscribe:news.%2A'] },
    all: { allow: ['cache:*:*', 'told:*:*'] },
    bounded: { allow: [{ right: 'cache:blpop:*', when: { max_concurrent: 1 } }, 'cache:set:*', { right: 'cache:get:*', when: { max_bytes: '4KiB/1h' } }] },
};

before(async () => {
    place = makePlace('redis-tls');
    for (const name of ['gw', 'client', 'other']) {
        execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
            '-keyout', join(place, `${name}.key`), '-out', join(place, `${name}.pem`), '-subj', '/CN=localhost',
            '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'], { stdio: 'pipe' });
    }
    server = await RedisServer.start();
    port = await freePort();
    tlsPort = await freePort();
    writ = await Writ.start({
        name: 'redis',
        files: { 'secrets/cache': 'hunter2\n' },
        config: { gateway: { redis: { listen: `127.0.0.1:${port}` } } },
        policy: {
            upstreams: {
                cache: { type: 'redis', address: `127.0.0.1:${server.port}`, login: { password_file: 'secrets/cache' } },
                told: {
                    type: 'redis', address: `127.0.0.1:${server.port}`, login: { password_file: 'secrets/cache' }, record: 'full',
                },
                gone: { type: 'redis', address: `127.0.0.1:${await freePort()}` },
            },
            roles: { ...roles, lost: { allow: ['gone:*:*'] } },
            subjects: Object.fromEntries([...Object.keys(roles), 'lost'].map((role) => [role, { type: 'service', roles: [role] }])),
        },
    });
    for (const role of [...Object.keys(roles), 'lost'])
        tokens[role] = (await writ.issue(role)).token;
});

after(async () => {
    await writ?.close();
    await server?.close();
    clearPlace(place);
});

const cli = (role, ...args) => run('redis-cli', ['-h', '127.0.0.1', '-p', String(port), '--no-auth-warning', '--user', 'cache', '--pass',
    tokens[role] ?? role, ...args]);

async function open(role, name = 'cache') {
    const raw = await Raw.open(port);
    raw.send(['AUTH', name, tokens[role] ?? role]);
    await raw.expect('+OK\r\n');
    return raw;
}

const client = (role, more = {}) => new Redis({ host: '127.0.0.1', port, username: 'cache', password: tokens[role] ?? role,
    lazyConnect: true, retryStrategy: null, enableReadyCheck: false, ...more });

test('redis-cli does what the rights say, and no more', async () => {
    assert.equal((await cli('sessions', 'SET', 'session:1', 'ada')).out, 'OK\n');
    assert.equal((await cli('sessions', 'GET', 'session:1')).out, 'ada\n');
    assert.match((await cli('sessions', 'GET', 'other:1')).out, /NOPERM you need cache:get:other:1/);
    assert.match((await cli('sessions', 'MGET', 'session:1', 'other:1')).out, /NOPERM you need cache:mget:other:1/);
    assert.match((await cli('sessions', 'FLUSHALL')).out, /NOPERM you need cache:flushall:-/);
    assert.match((await cli('sessions', 'CONFIG', 'GET', 'requirepass')).out, /NOPERM you need cache:config.get:-/);
    assert.equal((await cli('all', 'CONFIG', 'GET', 'requirepass')).out, 'requirepass\nhunter2\n');
    assert.match((await cli('all', 'NOSUCH', 'x')).out, /ERR unknown command/);
});

test('the log-in: WRONGPASS, NOAUTH, HELLO', async () => {
    const raw = await Raw.open(port);
    raw.send(['GET', 'session:1']);
    await raw.expect('-NOAUTH');
    raw.send(['HELLO', '3']);
    await raw.expect('-NOAUTH');
    raw.send(['AUTH', 'only-one']);
    await raw.expect('-WRONGPASS');
    raw.send(['AUTH', 'cache', 'writ_nonsense']);
    await raw.expect('-WRONGPASS');
    raw.send(['AUTH', 'nowhere', tokens.all]);
    await raw.expect('-WRONGPASS');
    raw.send(['HELLO', '3', 'AUTH', 'cache', tokens.sessions, 'SETNAME', 'me'], ['GET', 'session:1']);
    assert.match(await raw.expect('$3\r\nada\r\n'), /^[^]*%7\r\n\$6\r\nserver/);
    raw.send(['AUTH', 'cache', tokens.all]);
    await raw.expect('-ERR this session has logged in already');
    raw.send(['QUIT']);
    await raw.expect('+OK');
    await raw.closed;
    const lost = await Raw.open(port);
    lost.send(['AUTH', 'gone', tokens.lost]);
    await lost.expect('-ERR upstream: ');
    await lost.closed;
});

test('a pipeline: refusals stand in their place', async () => {
    const raw = await open('sessions');
    raw.send(['SET', 'session:a', '1'], ['GET', 'nope'], ['INCR', 'session:a'], ['FLUSHDB'], ['GET', 'session:a'], ['PING']);
    const text = await raw.expect('+PONG\r\n');
    assert.match(text, /^\+OK\r\n-NOPERM[^\r]*nope[^\r]*\r\n:2\r\n-NOPERM[^\r]*flushdb:-[^\r]*\r\n\$1\r\n2\r\n\+PONG\r\n$/);
    raw.close();
    const redis = client('sessions');
    await redis.connect();
    const many = await redis.pipeline(Array.from({ length: 1000 }, (_, i) => ['set', `session:p${i}`, String(i)])).exec();
    assert.ok(many.every(([error, answer]) => error === null && answer === 'OK'));
    assert.equal(await redis.get('session:p999'), '999');
    await assert.rejects(redis.get('p'), /NOPERM/);
    redis.disconnect();
});

test('MULTI: what is refused while it is queued spoils it', async () => {
    const raw = await open('sessions');
    raw.send(['MULTI'], ['SET', 'session:m', '1'], ['EXEC']);
    await raw.expect('+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n');
    raw.send(['MULTI'], ['SET', 'session:m', '2'], ['SET', 'nope', '2'], ['EXEC'], ['GET', 'session:m']);
    const text = await raw.expect('$1\r\n1\r\n');
    assert.match(text, /^\+OK\r\n\+QUEUED\r\n-NOPERM[^\r]*\r\n-EXECABORT[^\r]*\r\n/);
    raw.send(['MULTI'], ['SET', 'nope', '1'], ['DISCARD'], ['MULTI'], ['SET', 'session:m', '3'], ['EXEC']);
    await raw.expect('*1\r\n+OK\r\n');
    raw.close();
});

test('pub/sub in RESP2 and RESP3', async () => {
    const two = await open('listener');
    two.send(['SUBSCRIBE', 'news.a', 'news.b']);
    await two.expect(':1\r\n*3\r\n$9\r\nsubscribe\r\n$6\r\nnews.b\r\n:2\r\n');
    two.send(['SUBSCRIBE', 'secret']);
    await two.expect('-NOPERM');
    const pusher = await open('listener');
    pusher.send(['PUBLISH', 'news.a', 'hello'], ['PUBLISH', 'secret', 'x']);
    await pusher.expect('-NOPERM');
    await two.expect('$7\r\nmessage\r\n$6\r\nnews.a\r\n$5\r\nhello\r\n');
    two.send(['PING'], ['UNSUBSCRIBE'], ['PING']);
    await two.expect('$4\r\npong\r\n');
    await two.expect('+PONG\r\n');
    const three = await Raw.open(port);
    three.send(['HELLO', '3', 'AUTH', 'cache', tokens.listener], ['PSUBSCRIBE', 'news.*'], ['PING']);
    await three.expect('>3\r\n$10\r\npsubscribe\r\n$6\r\nnews.*\r\n:1\r\n');
    await three.expect('+PONG\r\n');
    pusher.send(['PUBLISH', 'news.c', 'again']);
    await three.expect('$8\r\npmessage\r\n');
    three.send(['PUNSUBSCRIBE'], ['PING']);
    await three.expect('+PONG\r\n');
    // In RESP3 an answer may begin with the word "message", and is one.
    const both = await Raw.open(port);
    both.send(['HELLO', '3', 'AUTH', 'cache', tokens.all], ['DEL', 'l'], ['RPUSH', 'l', 'message', 'subscribe', 'x'], ['SUBSCRIBE', 'y'],
        ['LRANGE', 'l', '0', '-1'], ['NOSUCH'], ['MULTI'], ['NOSUCH'], ['EXEC'], ['PING', 'end']);
    const text = await both.expect('$3\r\nend\r\n');
    assert.match(text, /\*3\r\n\$7\r\nmessage\r\n\$9\r\nsubscribe\r\n\$1\r\nx\r\n-ERR unknown[^\r]*\r\n\+OK\r\n-ERR unknown[^\r]*\r\n-EXECABORT/);
    for (const raw of [two, three, pusher, both])
        raw.close();
});

test('client-side caching: invalidations pass', async () => {
    const raw = await Raw.open(port);
    raw.send(['HELLO', '3', 'AUTH', 'cache', tokens.all], ['CLIENT', 'TRACKING', 'ON'], ['GET', 'session:t']);
    await raw.expect('+OK\r\n');
    await raw.expect('_\r\n');
    await server.cli('SET', 'session:t', '1');
    await raw.expect('>2\r\n$10\r\ninvalidate\r\n');
    raw.send(['GET', 'session:t']);
    await raw.expect('$1\r\n1\r\n');
    raw.close();
});

test('revocation cuts a resting, a blocked and a listening session', async () => {
    const { token, id } = await writ.issue('all');
    const resting = await open(token), blocked = await open(token), listening = await open(token);
    blocked.send(['BLPOP', 'queue:never', '0']);
    listening.send(['SUBSCRIBE', 'x']);
    await listening.expect('subscribe');
    await until('the block', async () => /blocked_clients:1/.test((await server.cli('INFO', 'clients')).out));
    const began = Date.now();
    await writ.revoke(id);
    for (const raw of [resting, blocked, listening]) {
        await raw.closed;
        assert.match(raw.text, /-WRONGPASS the token was revoked/);
    }
    assert.ok(Date.now() - began < 500 * SLACK, `${Date.now() - began} ms`);
    await until('the server to be rid of it', async () => /blocked_clients:0/.test((await server.cli('INFO', 'clients')).out));
});

test('nothing gets around the gate', async () => {
    await server.cli('SET', 'other:1', 'untouched');
    await server.cli('CONFIG', 'RESETSTAT');
    const attempts = [
        ['EVAL', "return redis.call('get','other:1')", '0'], ['EVAL', 'return 1', '1', 'session:1'], ['EVALSHA', 'a'.repeat(40), '0'],
        ['EVAL_RO', 'return 1', '0'], ['FCALL', 'f', '0'], ['FUNCTION', 'LIST'], ['SCRIPT', 'LOAD', 'return 1'],
        ['SORT', 'session:1', 'BY', 'other:*'], ['SORT', 'session:1', 'GET', '*'], ['SORT', 'session:1', 'STORE', 'other:1'],
        ['COPY', 'session:1', 'other:1'], ['RENAME', 'session:1', 'other:1'], ['MSET', 'session:1', 'a', 'other:1', 'b'],
        ['MGET', 'session:1', 'other:1'], ['DEL', 'session:1', 'other:1'], ['BITOP', 'AND', 'session:x', 'other:1'],
        ['OBJECT', 'ENCODING', 'other:1'], ['MEMORY', 'USAGE', 'other:1'], ['DEBUG', 'OBJECT', 'other:1'], ['DUMP', 'other:1'],
        ['MIGRATE', '127.0.0.1', '1', '', '0', '1', 'KEYS', 'other:1'], ['MIGRATE', '127.0.0.1', '1', 'other:1', '0', '1'],
        ['XREAD', 'COUNT', '1', 'STREAMS', 'other:1', '0'], ['XREADGROUP', 'GROUP', 'streams', 'x', 'STREAMS', 'other:1', '0'],
        ['ZUNIONSTORE', 'session:1', '1', 'other:1'], ['ZUNION', '1', 'other:1'], ['SINTERCARD', '1', 'other:1'],
        ['LMPOP', '1', 'other:1', 'LEFT'], ['BLMPOP', '0', '1', 'other:1', 'LEFT'], ['GEORADIUS', 'session:1', '0', '0', '1', 'm', 'STORE', 'other:1'],
        ['CLIENT', 'REPLY', 'OFF'], ['CLIENT', 'KILL', 'TYPE', 'normal'], ['CLIENT', 'LIST'], ['CLIENT', 'PAUSE', '1'], ['RESET'], ['SYNC'],
        ['PSYNC', '?', '-1'], ['REPLCONF', 'ack', '0'], ['ASKING'], ['READONLY'], ['MONITOR'], ['SLAVEOF', 'NO', 'ONE'], ['REPLICAOF', 'NO', 'ONE'],
        ['SHUTDOWN'], ['SAVE'], ['BGSAVE'], ['CONFIG', 'SET', 'dir', '/'], ['CONFIG', 'REWRITE'], ['ACL', 'LIST'], ['ACL', 'SETUSER', 'x', 'on'],
        ['MODULE', 'LOAD', '/x.so'], ['SLOWLOG', 'GET'], ['LATENCY', 'LATEST'], ['KEYS', '*'], ['SCAN', '0'], ['RANDOMKEY'], ['DBSIZE'],
        ['SELECT', '1'], ['SWAPDB', '0', '1'], ['MOVE', 'other:1', '1'], ['FLUSHDB'], ['SUBSCRIBE', 'x'], ['PUBLISH', 'x', 'y'], ['GeT', 'other:1'],
        ['GET', ''], ['cOnFiG', 'gEt', '*'], ['CONFIG'], ['CONFIG', 'GET\0', 'x'], ['GET.', 'x'], ['config.get', 'x'],
        ['WAIT', '0', '0'], ['CLUSTER', 'INFO'], ['FAILOVER'], ['RESTORE', 'other:1', '0', 'x'], ['HELLO', '3', 'AUTH', 'cache', 'x'],
    ];
    const raw = await open('sessions');
    for (const words of attempts) {
        raw.send(words, ['PING']);
        const answer = await raw.expect('+PONG\r\n');
        assert.match(answer, /^-(NOPERM|ERR)/, words.join(' '));
    }
    raw.close();
    const stats = (await server.cli('INFO', 'commandstats')).out;
    const seen = [...stats.matchAll(/cmdstat_([a-z_|]+):/g)].map((match) => match[1]);
    assert.deepEqual(seen.filter((name) => !['ping', 'auth', 'info', 'config|resetstat', 'client|setinfo', 'command|docs', 'hello'].includes(name)), [],
        'no attempt reached the server');
    assert.equal((await server.cli('GET', 'other:1')).out, 'untouched\n');
});

test('MONITOR by its right', async () => {
    const raw = await open('all');
    raw.send(['MONITOR']);
    await raw.expect('+OK\r\n');
    await server.cli('SET', 'seen', '1');
    await raw.expect('"SET" "seen" "1"');
    raw.send(['GET', 'x']);
    await raw.expect('-ERR after MONITOR');
    raw.close();
});

test('hostile bytes end one session alone', async () => {
    for (const bytes of ['GET x\r\n', '*1\r\n:1\r\n', '*-1\r\n', '*0\r\n', '*99999999999\r\n', '*1\r\n$99999999999\r\n', '*1\r\n$+3\r\nabc\r\n',
        '*1\r\n$03\r\nabc\r\n', '*2\r\n$3\r\nGET\r\n$1\r\nab\r\n', '\0\0\0\0', '*1\n$4\nPING\n', `*70000\r\n`]) {
        const raw = await open('all');
        raw.socket.write(bytes);
        await raw.closed;
        assert.match(raw.text, /^-ERR Protocol error/, JSON.stringify(bytes));
    }
    const raw = await open('all');
    const value = 'x'.repeat(3 << 20);
    raw.send(['SET', 'session:big', value], ['GET', 'session:big'], ['PING']);
    assert.ok((await raw.expect('+PONG\r\n', 20000)).length > 3 << 20);
    // In the smallest pieces.
    for (const byte of '*2\r\n$3\r\nGET\r\n$9\r\nsession:1\r\n')
        raw.socket.write(byte);
    await raw.expect('$3\r\nada\r\n');
    raw.close();
});

test('many sessions, and a server that drops', async () => {
    const all = await Promise.all(Array.from({ length: 300 }, () => open('sessions')));
    for (const raw of all)
        raw.send(['GET', 'session:1']);
    await Promise.all(all.map((raw) => raw.expect('ada')));
    await server.cli('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await Promise.all(all.map((raw) => raw.closed));
    assert.match(all[0].text, /^\r\n(-ERR upstream closed.*)?$/s);
    assert.equal((await cli('sessions', 'GET', 'session:1')).out, 'ada\n');
});

test('TLS, and a token that is bound to a certificate', async () => {
    await writ.stop();
    writ.configure({ gateway: { redis: { listen: `127.0.0.1:${tlsPort}`, tls: { cert: join(place, 'gw.pem'), key: join(place, 'gw.key'), client_cert: 'request' } } } });
    await writ.launch();
    const { token } = await writ.issue('sessions', '--bind-cert', join(place, 'client.pem'));
    const tls = (name) => run('redis-cli', ['-h', 'localhost', '-p', String(tlsPort), '--no-auth-warning', '--user', 'cache', '--pass', token, '--tls',
        '--cacert', join(place, 'gw.pem'), ...(name ? ['--cert', join(place, `${name}.pem`), '--key', join(place, `${name}.key`)] : []), 'GET', 'session:1']);
    assert.equal((await tls('client')).out, 'ada\n');
    assert.match((await tls('other')).out + (await tls('other')).err, /WRONGPASS|NOAUTH/);
    assert.match((await tls(null)).out + (await tls(null)).err, /WRONGPASS|NOAUTH/);
    const key = join(writ.place, 'me.key');
    await writ.json(['key', 'new', key]);
    const mine = (await writ.issue('sessions', '--bind-jwk', key)).token;
    const local = await freePort();
    const connect = new Process(PROGRAM, ['connect', 'cache', '--gateway', `redis://localhost:${tlsPort}`, '--ca', join(place, 'gw.pem'), '--key', key,
        '--port', String(local)], { cwd: writ.place, env: { ...process.env, WRIT_TOKEN: mine } });
    await connect.ready(async () => (await run('redis-cli', ['-p', String(local), 'GET', 'session:1'])).out === 'ada\n');
    assert.match((await run('redis-cli', ['-p', String(local), 'GET', 'nope'])).out, /NOPERM/);
    await connect.stop();
    await writ.stop();
    writ.configure({ gateway: { redis: { listen: `127.0.0.1:${port}` } } });
    await writ.launch();
    const clear = await Raw.open(port);
    clear.send(['AUTH', 'cache', token]);
    await clear.expect('-WRONGPASS the token is bound to a certificate, and none was shown');
    clear.close();
});

test('the same command in one pipeline is one line, with its count', async () => {
    const { token, id } = await writ.issue('sessions');
    const raw = await open(token);
    raw.send(...Array.from({ length: 40 }, () => ['GET', 'session:fold']), ['GET', 'session:other'], ['GET', 'session:fold'], ['GET', 'nope'], ['PING']);
    const answer = await raw.expect('+PONG\r\n');
    assert.equal(answer.match(/\$-1\r\n/g).length, 42);
    const lines = await until('the lines', async () => {
        const found = await writ.audit('--token', id, '--action', 'get', '--limit', '100');
        const sum = found.reduce((total, line) => total + (line.count ?? 1), 0);
        return sum === 43 && found;
    });
    assert.ok(lines.length < 20, `${lines.length} lines`);
    assert.ok(lines.some((line) => line.object === 'session:other' && line.count === undefined));
    assert.ok(lines.some((line) => line.object === 'nope' && line.decision === 'deny'));
    assert.equal((await writ.cli(['audit', 'verify'])).code, 0);
    raw.close();
});

test('the audit names commands and keys, not values', async () => {
    await cli('sessions', 'SET', 'session:1', 'a-secret-value');
    const line = await until('the line', async () => (await writ.audit('--subject', 'sessions', '--action', 'set', '--limit', '20'))
        .find((found) => found.object === 'session:1' && found.statement === 'SET session:1 ?'));
    assert.equal(line.object, 'session:1');
    assert.equal(line.statement, 'SET session:1 ?');
    assert.equal(line.status, 200);
    assert.equal(line.resource, 'cache');
    assert.doesNotMatch(JSON.stringify(await writ.audit('--limit', '1000')), /a-secret-value|hunter2/);
    await sleep(1);
});

test('record: full names the values too, but no password', async () => {
    const raw = await open('all', 'told');
    raw.send(['SET', 'k', 'first value'], ['SET', 'k', 'second'], ['SET', 'k', 'second'], ['CONFIG', 'SET', 'masterauth', 'swordfish']);
    await raw.expect('+OK\r\n+OK\r\n+OK\r\n+OK\r\n');
    raw.close();
    const lines = await until('the lines', async () => {
        const found = await writ.audit('--subject', 'all', '--resource', 'told', '--limit', '20');
        return found.filter((line) => line.status === 200).reduce((sum, line) => sum + (line.count ?? 1), 0) >= 4 && found;
    });
    const words = lines.map((line) => line.statement);
    assert.ok(words.includes('SET k first%20value'), words.join());
    assert.ok(words.includes('SET k second'), words.join());
    assert.doesNotMatch(JSON.stringify(lines), /swordfish/);
});

test('budgets: commands at once, and bytes', async () => {
    const first = await open('bounded'), second = await open('bounded');
    try {
        first.send(['BLPOP', 'nothing', '30']);
        await until('the block', async () => /blocked_clients:1/.test((await server.cli('INFO', 'clients')).out));
        second.send(['BLPOP', 'other', '0.01']);
        await second.expect("-ERR as many calls are open as the right's max_concurrent allows");
        first.close();
        await until('the place', async () => {
            second.send(['BLPOP', 'other', '0.01']);
            return second.expect('*-1\r\n', 100).then(() => true, () => false);
        });
        second.text = '';

        second.send(['SET', 'big', 'x'.repeat(5000)], ['GET', 'big']);
        await second.expect(`+OK\r\n$5000\r\n${'x'.repeat(5000)}\r\n`);
        second.send(['GET', 'big'], ['SET', 'small', 'x']);
        await second.expect("-ERR the right's max_bytes is used up for now");
        await second.expect('+OK\r\n');
    } finally {
        first.close();
        second.close();
    }
});
