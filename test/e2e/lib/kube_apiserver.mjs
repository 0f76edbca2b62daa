// test/e2e/lib/kube_apiserver.mjs - a real kube-apiserver on an etcd of its own, where one was
// built (lib/kube-apiserver.sh). No kubelet: pods stay pending, and nothing runs in them.
import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

import { clearPlace, freePort, makePlace, Process, run } from './process.mjs';

const PROGRAM = join(process.env.WRIT_KUBERNETES ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'writ/kubernetes'), 'kube-apiserver');

// {server}, or {skip: why}.
export async function tryApiserver() {
    if (!existsSync(PROGRAM) || !existsSync('/usr/bin/etcd'))
        return { skip: 'no kube-apiserver was built here (test/e2e/lib/kube-apiserver.sh, etcd-server)' };
    const server = new Apiserver();
    try {
        await server.launch();
    } catch (error) {
        await server.close();
        throw error;
    }
    return { server, skip: false };
}

class Apiserver {
    async launch() {
        this.place = makePlace('kube');
        const [client, peer, port] = [await freePort(), await freePort(), await freePort()];
        const at = (file) => join(this.place, file);
        this.port = port;
        this.ca = at('apiserver.crt'); // signs itself
        writeFileSync(at('tokens.csv'), 'gateway-token,writ-gateway,1,"system:masters"\n', { mode: 0o600 });
        execFileSync('openssl', ['genrsa', '-out', at('sa.key'), '2048'], { stdio: 'pipe' });
        execFileSync('openssl', ['rsa', '-in', at('sa.key'), '-pubout', '-out', at('sa.pub')], { stdio: 'pipe' });
        this.etcd = new Process('/usr/bin/etcd', ['--data-dir', at('etcd'), '--listen-client-urls', `http://127.0.0.1:${client}`,
            '--advertise-client-urls', `http://127.0.0.1:${client}`, '--listen-peer-urls', `http://127.0.0.1:${peer}`,
            '--initial-advertise-peer-urls', `http://127.0.0.1:${peer}`, '--initial-cluster', `default=http://127.0.0.1:${peer}`],
        { cwd: this.place, env: { ...process.env, ETCD_UNSUPPORTED_ARCH: process.arch } });
        this.process = new Process(PROGRAM, [`--etcd-servers=http://127.0.0.1:${client}`, '--bind-address=127.0.0.1', `--secure-port=${port}`,
            '--insecure-port=0', '--advertise-address=127.0.0.1', `--cert-dir=${this.place}`, `--token-auth-file=${at('tokens.csv')}`,
            '--authorization-mode=RBAC', '--service-account-issuer=https://k', `--service-account-signing-key-file=${at('sa.key')}`,
            `--service-account-key-file=${at('sa.pub')}`, '--service-cluster-ip-range=10.0.0.0/24', '--disable-admission-plugins=ServiceAccount',
            '--anonymous-auth=false', '--allow-privileged=true'], { cwd: this.place });
        await this.process.ready(async () => (await this.kubectl('get', '--raw', '/readyz')).out === 'ok');
    }

    // Not through the gateway, as the gateway itself is known there.
    kubectl(...args) {
        return run('kubectl', ['--kubeconfig', '/dev/null', '--server', `https://127.0.0.1:${this.port}`, '--insecure-skip-tls-verify', '--token', 'gateway-token', ...args]);
    }

    async close() {
        await this.process?.stop('SIGKILL');
        await this.etcd?.stop('SIGKILL');
        clearPlace(this.place);
    }
}
