// test/e2e/lib/docker.mjs - a Docker daemon of one's own, with an image made on the spot.
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { clearPlace, makePlace, Process, run } from './process.mjs';

export const canDocker = process.getuid() === 0 && existsSync('/usr/sbin/dockerd') && existsSync('/bin/busybox');

export class Docker {
    static async start() {
        const docker = new Docker();
        docker.place = makePlace('docker');
        docker.socket = join(docker.place, 'd.sock');
        docker.process = new Process('/usr/sbin/dockerd', ['-H', `unix://${docker.socket}`,
            '--data-root', join(docker.place, 'data'), '--exec-root', join(docker.place, 'exec'),
            '-p', join(docker.place, 'd.pid'), '--bridge=none', '--iptables=false', '--ip6tables=false',
            '--ip-forward=false', '--storage-driver', 'vfs']);
        await docker.process.ready(async () => (await docker.direct('version')).code === 0);
        docker.makeImage('bb:1');
        docker.makeImage('secret:1');
        return docker;
    }

    makeImage(name) {
        const root = join(this.place, 'root');
        mkdirSync(join(root, 'bin'), { recursive: true });
        copyFileSync('/bin/busybox', join(root, 'bin/busybox'));
        chmodSync(join(root, 'bin/busybox'), 0o755);
        for (const tool of ['sh', 'echo', 'sleep', 'cat', 'ls', 'id', 'env', 'seq', 'true'])
            execFileSync('ln', ['-sf', 'busybox', join(root, 'bin', tool)]);
        execFileSync('sh', ['-c', `tar -C ${root} -c . | docker -H unix://${this.socket} import - ${name}`], { stdio: 'pipe' });
        rmSync(root, { recursive: true });
    }

    // Not through the gateway.
    direct(...args) {
        return run('docker', ['-H', `unix://${this.socket}`, ...args]);
    }

    async must(...args) {
        const { code, out, err } = await this.direct(...args);
        if (code !== 0)
            throw new Error(`docker ${args.join(' ')}: ${err}`);
        return out.trim();
    }

    async close() {
        await this.direct('ps', '-aq').then(({ out }) => (out.trim() ? this.direct('rm', '-f', ...out.trim().split('\n')) : undefined));
        await this.process.stop('SIGTERM', 20000);
        await run('umount', ['-q', join(this.place, 'exec/netns/default')]);
        clearPlace(this.place);
    }
}
