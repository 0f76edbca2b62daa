// test/e2e/lib/docker.mjs - a Docker daemon of one's own, or Podman's service, with an image made on
// the spot.
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { clearPlace, makePlace, Process, run } from './process.mjs';

// {docker}, or {skip: why} where no daemon can run containers: it takes root and more.
export const tryDocker = () => tryEngine(Docker, '/usr/sbin/dockerd', 'docker.io');
export const tryPodman = () => tryEngine(Podman, '/usr/bin/podman', 'podman, conmon, runc');

async function tryEngine(Engine, program, packages) {
    if (process.getuid() !== 0 || !existsSync(program) || !existsSync('/bin/busybox'))
        return { skip: `${program} can't run here (it takes root, ${packages} and busybox-static)` };
    const docker = new Engine();
    try {
        await docker.launch();
        await docker.must('run', '--rm', '--network', 'host', 'bb:1', '/bin/true');
        return { docker, skip: false };
    } catch (error) {
        await docker.close();
        return { skip: `${program} does not run containers here: ${error.message.split('\n')[0]}` };
    }
}

export class Docker {
    async launch() {
        this.place = makePlace('docker');
        this.socket = join(this.place, 'd.sock');
        this.process = new Process('/usr/sbin/dockerd', ['-H', `unix://${this.socket}`,
            '--data-root', join(this.place, 'data'), '--exec-root', join(this.place, 'exec'),
            '-p', join(this.place, 'd.pid'), '--bridge=none', '--iptables=false', '--ip6tables=false',
            '--ip-forward=false', '--storage-driver', 'vfs']);
        await this.process.ready(async () => (await this.direct('version')).code === 0);
        this.makeImage('bb:1');
        this.makeImage('secret:1');
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
        this.endWatchers();
        /* A daemon that was killed leaves its mounts behind. */
        for (const line of readFileSync('/proc/mounts', 'utf8').split('\n').reverse()) {
            if (line.split(' ')[1]?.startsWith(`${this.place}/`))
                await run('umount', ['-l', line.split(' ')[1]]);
        }
        clearPlace(this.place);
    }

    endWatchers() {}
}

// Podman's service, which speaks the Engine's API besides its own under /libpod. The limits are for
// places where they can't be raised.
export class Podman extends Docker {
    async launch() {
        this.place = makePlace('podman');
        this.socket = join(this.place, 'p.sock');
        writeFileSync(join(this.place, 'containers.conf'), `[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
`);
        this.process = new Process('/usr/bin/podman', ['--root', join(this.place, 'data'), '--runroot', join(this.place, 'run'),
            '--storage-driver', 'vfs', 'system', 'service', '--time', '0', `unix://${this.socket}`],
        { env: { ...process.env, CONTAINERS_CONF: join(this.place, 'containers.conf') } });
        await this.process.ready(async () => (await this.direct('version')).code === 0);
        this.makeImage('bb:1');
        this.makeImage('secret:1');
    }

    // Each exec leaves one, which five minutes later would tidy up where nothing is any more.
    endWatchers() {
        for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
            let line = '';
            try {
                line = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
            } catch { /* it has ended */ }
            if (line.startsWith('/usr/bin/conmon\0') && line.includes(`${this.place}/`))
                process.kill(Number(pid), 'SIGKILL');
        }
    }
}
