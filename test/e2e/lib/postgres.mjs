// test/e2e/lib/postgres.mjs - a PostgreSQL server of one's own, and psql.
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { clearPlace, freePort, makePlace, Process, run, until } from './process.mjs';

const versions = existsSync('/usr/lib/postgresql') ? readdirSync('/usr/lib/postgresql').sort() : [];
const bin = versions.length > 0 ? `/usr/lib/postgresql/${versions.at(-1)}/bin` : null;

// It refuses to run as root: then it runs as postgres.
const asOwner = process.getuid() === 0
    ? ['setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups'] : [];

export const clean = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('PG')));

export class Postgres {
    // hba: lines of pg_hba.conf for connections by TCP. settings: of postgresql.conf.
    static async start({ settings = {}, hba = ['host all all 127.0.0.1/32 scram-sha-256'] } = {}) {
        const server = new Postgres();
        server.place = makePlace('postgres');
        server.data = join(server.place, 'data');
        server.port = await freePort();
        mkdirSync(server.data);
        chmodSync(server.place, 0o755);
        if (asOwner.length > 0) {
            const id = (flag) => Number(execFileSync('id', [flag, 'postgres']).toString());
            chownSync(server.data, id('-u'), id('-g'));
        }
        const [command, ...before] = [...asOwner, join(bin, 'initdb')];
        execFileSync(command, [...before, '-D', server.data, '-U', 'postgres', '-A', 'trust', '--no-sync', '-E',
            'UTF8', '--no-locale'], { cwd: server.data, stdio: 'pipe' });
        server.write('pg_hba.conf', ['local all all trust', 'host all postgres 127.0.0.1/32 trust', ...hba]);
        server.write('postgresql.conf', Object.entries({
            port: server.port,
            listen_addresses: "'127.0.0.1'",
            unix_socket_directories: `'${server.data}'`,
            fsync: 'off',
            log_statement: "'all'",
            max_connections: 300,
            ...settings,
        }).map(([name, value]) => `${name} = ${value}`));
        await server.launch();
        return server;
    }

    write(name, lines) {
        const path = join(this.data, name);
        writeFileSync(path, `${lines.join('\n')}\n`);
        chmodSync(path, 0o644);
    }

    // A hot standby to which every commit is copied before it is answered. The port is fixed, so
    // that clients know it before it is there.
    async standby(port) {
        const server = new Postgres();
        server.place = makePlace('standby');
        server.data = join(server.place, 'data');
        server.port = port;
        chmodSync(server.place, 0o777);
        const [command, ...before] = [...asOwner, join(bin, 'pg_basebackup')];
        await run(command, [...before, '-D', server.data, '-R', '-c', 'fast', '--no-sync', '-d',
            `host=127.0.0.1 port=${this.port} user=postgres application_name=copy`], { cwd: server.place, env: clean });
        server.write('postgresql.auto.conf', [`port = ${port}`, `unix_socket_directories = '${server.data}'`,
            `primary_conninfo = 'host=127.0.0.1 port=${this.port} user=postgres application_name=copy'`,
            "synchronous_standby_names = ''"]);
        await server.launch();
        await this.must("ALTER SYSTEM SET synchronous_standby_names = 'copy'; SELECT pg_reload_conf()");
        await until('the copy to be synchronous', async () =>
            (await this.must("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'")) === '1');
        return server;
    }

    async promote() {
        await this.must('SELECT pg_promote()');
    }

    async launch() {
        const [command, ...before] = [...asOwner, join(bin, 'postgres')];
        this.process = new Process(command, [...before, '-D', this.data], { cwd: this.data });
        await this.process.ready(async () => (await this.sql('SELECT 1')).code === 0);
    }

    // As the superuser, not through the gateway.
    sql(text, database = 'postgres') {
        return run('psql', ['-X', '-A', '-t', '-q', '-v', 'ON_ERROR_STOP=1', '-h', '127.0.0.1', '-p', String(this.port), '-U',
            'postgres', '-d', database], { input: text, env: clean });
    }

    async must(text, database) {
        const { code, out, err } = await this.sql(text, database);
        if (code !== 0)
            throw new Error(err);
        return out.trim();
    }

    // What the server has logged so far.
    get log() { return this.process.output; }

    async logged(text) {
        await until(`"${text}" in the server's log`, () => this.log.includes(text));
    }

    async close() {
        await this.process.stop('SIGINT');
        clearPlace(this.place);
    }
}

// psql against any port: {code, out, err}.
export function psql(port, { database, password, user = 'anybody', args = [], env = {}, input, ...options } = {}) {
    return run('psql', ['-X', '-A', '-t', '-h', '127.0.0.1', '-p', String(port), '-U', user, '-d', database, ...args],
        { input, env: { ...clean, PGPASSWORD: password ?? '', PGCONNECT_TIMEOUT: '10', ...env }, ...options });
}

export const readText = (path) => readFileSync(path, 'utf8');
