// The gateway's own log-in at a PostgreSQL server: as the server asks for it, over TLS and not.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { Postgres, psql } from './lib/postgres.mjs';
import { clearPlace, freePort, makePlace } from './lib/process.mjs';
import { Writ } from './lib/writ.mjs';

let server, writ, port, place;

const upstreams = () => {
    const base = { type: 'postgres', address: `localhost:${server.port}`, database: 'postgres' };
    const login = (user) => ({ user, password_file: 'password' });
    const tls = { ca: join(place, 'ca.pem'), server_name: 'localhost' };
    return {
        scram: { ...base, address: `127.0.0.1:${server.port}`, login: login('scram') },
        plus: { ...base, login: login('plus'), tls },
        md5: { ...base, address: `127.0.0.1:${server.port}`, login: login('md5') },
        clear: { ...base, login: login('clear'), tls },
        'clear-without-tls': { ...base, address: `127.0.0.1:${server.port}`, login: login('clear') },
        cert: { ...base, login: { user: 'cert' }, tls: { ...tls, cert: join(place, 'cert.pem'), key: join(place, 'cert.key') } },
        wrong: { ...base, address: `127.0.0.1:${server.port}`, login: { user: 'scram', password_file: 'other' } },
        'wrong-name': { ...base, login: login('plus'), tls: { ...tls, server_name: 'elsewhere' } },
        'wrong-ca': { ...base, login: login('plus'), tls: { ca: join(place, 'other.pem'), server_name: 'localhost' } },
        'no-tls': { ...base, login: login('plus'), tls: { ca: join(place, 'ca.pem'), server_name: 'localhost' } },
    };
};

const openssl = (...args) => execFileSync('openssl', args, { cwd: place, stdio: 'pipe' });

function certificates() {
    for (const name of ['ca', 'other'])
        openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-keyout', `${name}.key`, '-out',
            `${name}.pem`, '-subj', `/CN=${name}`);
    for (const [name, more] of [['server', ['-addext', 'subjectAltName=DNS:localhost']], ['cert', []]]) {
        openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj',
            `/CN=${name}`, ...more);
        openssl('x509', '-req', '-in', `${name}.csr`, '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-copy_extensions', 'copy',
            '-out', `${name}.pem`);
    }
}

before(async () => {
    place = makePlace('postgres-upstream');
    certificates();
    server = await Postgres.start({
        hba: ['host all scram 127.0.0.1/32 scram-sha-256', 'hostssl all plus all scram-sha-256', 'host all md5 127.0.0.1/32 md5',
            'host all clear all password', 'hostssl all cert all cert'],
    });
    for (const [from, to] of [['server.pem', 'server.crt'], ['server.key', 'server.key'], ['ca.pem', 'root.crt']]) {
        copyFileSync(join(place, from), join(server.data, to));
        chmodSync(join(server.data, to), 0o600);
        if (process.getuid() === 0) {
            const id = (flag) => Number(execFileSync('id', [flag, 'postgres']).toString());
            chownSync(join(server.data, to), id('-u'), id('-g'));
        }
    }
    await server.must(`CREATE ROLE scram LOGIN PASSWORD 'hunter2'; CREATE ROLE plus LOGIN PASSWORD 'hunter2'; CREATE ROLE clear LOGIN PASSWORD 'hunter2';
        CREATE ROLE cert LOGIN; SET password_encryption = md5; CREATE ROLE md5 LOGIN PASSWORD 'hunter2';
        ALTER SYSTEM SET ssl = on; ALTER SYSTEM SET ssl_ca_file = 'root.crt';`.split(';').map((line) => line.trim()).filter(Boolean).join(';\n'));
    await server.process.stop('SIGINT');
    await server.launch();
    port = await freePort();
    writ = await Writ.start({
        name: 'postgres-upstream',
        files: { password: 'hunter2\n', other: 'wrong\n' },
        config: { gateway: { postgres: { listen: `127.0.0.1:${port}` } } },
        policy: { upstreams: upstreams(), roles: { all: { allow: ['*:*:**'] } }, subjects: { me: { type: 'user', roles: ['all'] } } },
    });
});

after(async () => {
    await writ?.close();
    await server?.close();
    clearPlace(place);
});

const ask = async (upstream) => psql(port, { database: upstream, password: (await writ.issue('me')).token,
    input: "SELECT current_user || ' ' || ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()" });

for (const [name, wanted] of [['scram', 'scram false'], ['plus', 'plus true'], ['md5', 'md5 false'], ['clear', 'clear true'], ['cert', 'cert true']]) {
    test(`${name}: the gateway logs in`, async () => {
        const { out, err } = await ask(name);
        assert.equal(out, `${wanted}\n`, err);
        assert.equal((await ask(name)).out, `${wanted}\n`, 'and again');
    });
}

test('what does not hold is an error of the connection, and says nothing of the credential', async () => {
    for (const name of ['wrong', 'wrong-name', 'wrong-ca', 'clear-without-tls']) {
        const { out, err } = await ask(name);
        assert.equal(out, '');
        assert.match(err, /FATAL: /, name);
        assert.doesNotMatch(err, /hunter2|scram"|"plus/, name);
    }
    const lines = await writ.audit('--resource', 'wrong', '--limit', '3');
    assert.ok(lines.some((line) => line.action === 'login' && line.status === 502));
    assert.doesNotMatch(writ.process.output, /hunter2/);
});

test('a server that has lost its TLS is not spoken to in the clear', async () => {
    await server.must('ALTER SYSTEM SET ssl = off');
    await server.process.stop('SIGINT');
    await server.launch();
    const { err } = await ask('no-tls');
    assert.match(err, /no TLS/);
    assert.equal((await ask('scram')).out, 'scram false\n');
});
