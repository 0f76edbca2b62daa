#!/usr/bin/env python3
"""bench/compare.py - Writ beside nginx, HAProxy and Caddy, in turn, in one run, in front
of the same small service; prints the table of docs/performance.md.

Each proxy has one processor core to itself, the load and the service share another.
What counts is processor time a request and its ratio to a plain nginx in the same
run: on a machine that others use too, that is far steadier than throughput.
"""
import argparse
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import peers
import tokens
from measure import Cpu, Failed, Sample, cpu_between, cpu_of, load, memory_of

SETTLE = 1.0  # seconds in which work that is put off (sealing of audit lines) is still counted
REFERENCE = "nginx, plain proxy"


@dataclass
class Contender:
    name: str
    url: str
    headers: Path
    pid: int  # 0: no proxy between
    samples: list = field(default_factory=list)


class Bench:
    def __init__(self, options):
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) < 2:
            raise Failed("needs two processor cores: one for the proxy, one for the load")
        self.options = options
        self.proxy_core, self.load_core = cores[0], cores[1]
        self.home = Path(tempfile.mkdtemp(prefix="writ-bench-"))
        os.chmod(self.home, 0o755)  # nginx's worker is another user
        # Tokens are issued where a commit waits for no disk; all runs are on the disk.
        shared = Path("/dev/shm")
        self.memory = Path(tempfile.mkdtemp(prefix="writ-bench-", dir=shared if shared.is_dir() else None))
        self.running = []
        self.sockets = []

    # --- programs -----------------------------------------------------------------

    def free_port(self):
        """Held until all are chosen, so that no two are the same."""
        held = socket.socket()
        held.bind(("127.0.0.1", 0))
        self.sockets.append(held)
        return held.getsockname()[1]

    def place(self, name, keys=(), inside=None):
        home = (inside or self.home) / name
        home.mkdir()
        place = peers.Place(home, self.upstream_port, self.free_port(), self.free_port(),
                            self.home / "cert.pem", self.home / "key.pem", self.free_port(), keys)
        for held in self.sockets:
            held.close()
        self.sockets.clear()
        return place

    def start(self, place, command, core):
        log = place.home / "log"
        process = subprocess.Popen(["taskset", "-c", str(core), *command], cwd=place.home,
                                   stdout=log.open("w"), stderr=subprocess.STDOUT)
        self.running.append(process)
        process.log = log
        return process

    def wait_for(self, process, port, what):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise Failed(f"{what} does not answer:\n{process.log.read_text()[-2000:]}")

    def stop(self, process):
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self.running.remove(process)

    def close(self):
        for process in reversed(self.running[:]):
            self.stop(process)
        shutil.rmtree(self.memory, ignore_errors=True)
        if self.options.keep:
            print(f"kept: {self.home}", file=sys.stderr)
        else:
            shutil.rmtree(self.home, ignore_errors=True)

    # --- the contenders -----------------------------------------------------------

    def start_upstream(self):
        self.upstream_port = 0
        place = self.place("upstream")
        self.upstream_port = place.port
        self.wait_for(self.start(place, peers.upstream(place), self.load_core), place.port, "the service")

    def headers_file(self, name, values):
        path = self.home / f"{name}.headers"
        path.write_text("".join(f"Bearer {value}\n" for value in values))
        return path

    def add(self, name, make, directory, tls=None):
        place = self.place(directory, self.keys)
        process = self.start(place, make(place), self.proxy_core)
        self.wait_for(process, place.port, name)
        self.clear.append(Contender(name, self.url(place.port), self.one_key, process.pid))
        if tls is not None:
            self.secured.append(Contender(tls, self.url(place.tls_port, "https"), self.one_key, process.pid))

    @staticmethod
    def url(port, scheme="http"):
        return f"{scheme}://127.0.0.1:{port}/orders/v1/orders/42"

    def make_certificate(self):
        made = subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
             "-keyout", self.home / "key.pem", "-out", self.home / "cert.pem", "-days", "2",
             "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
            capture_output=True, text=True)
        if made.returncode != 0:
            raise Failed(f"openssl: {made.stderr}")

    def issue_tokens(self, program):
        """Gives the texts and the data directory of a Writ that has stopped again."""
        filling = self.place("filling", inside=self.memory)
        process = self.start(filling, peers.writ(filling, program), self.proxy_core)
        self.wait_for(process, filling.port, "Writ")
        began = time.monotonic()
        issued = tokens.issue(filling.home / "data" / "writ.sock", peers.KEYS, peers.SUBJECTS)
        say(f"Writ issued {peers.KEYS:,} tokens in {time.monotonic() - began:.1f} s")
        self.stop(process)
        return issued, filling.home / "data"

    def start_writ(self, name, program, data, tls):
        place = self.place(name)
        shutil.copytree(data, place.home / "data", ignore=shutil.ignore_patterns("audit", "*.sock", "*.lock"))
        os.chmod(place.home / "data", 0o700)
        began = time.monotonic()
        process = self.start(place, peers.writ(place, program, tls), self.proxy_core)
        self.wait_for(process, place.tls_port if tls else place.port, "Writ")
        say(f"Writ started with them in {time.monotonic() - began:.2f} s")
        return place, process

    def add_writ(self):
        program = Path(self.options.writ).resolve()
        issued, data = self.issue_tokens(program)
        one, many = self.headers_file("token", issued[4711:4712]), self.headers_file("tokens", issued)
        place, process = self.start_writ("writ", program, data, False)
        self.clear += [
            Contender("**Writ**, 100,000 tokens, audit", self.url(place.port), one, process.pid),
            Contender("**Writ**, each request another token", self.url(place.port), many, process.pid)]
        place, process = self.start_writ("writ-tls", program, data, True)
        self.secured.append(Contender("**Writ**, TLS", self.url(place.tls_port, "https"), one, process.pid))

    def prepare(self):
        self.clear, self.secured = [], []
        self.make_certificate()
        self.start_upstream()
        self.keys = peers.api_keys(peers.KEYS)
        self.one_key = self.headers_file("key", self.keys[4711:4712])
        self.clear.append(Contender("direct, no proxy", self.url(self.upstream_port), self.one_key, 0))
        self.add(REFERENCE, peers.nginx_plain, "nginx", tls="nginx, TLS")
        if self.options.writ:
            self.add_writ()
        if not self.options.nginx_alone:
            self.add_other_peers()
        # Warm, and certain that all of them answer, before anything counts.
        for contender in self.clear + self.secured:
            self.measure(contender, 1)

    def add_other_peers(self):
        self.add("nginx, map of 100,000 keys", peers.nginx_map, "nginx-map")
        self.add("nginx, auth_request", peers.nginx_auth_request, "nginx-auth")
        self.add("HAProxy, plain", peers.haproxy_plain, "haproxy", tls="HAProxy, TLS")
        self.add("HAProxy, map of 100,000 keys", peers.haproxy_map, "haproxy-map")
        if not self.options.without_caddy:
            self.add("Caddy, plain", peers.caddy_plain, "caddy", tls="Caddy, TLS")

    # --- measuring ----------------------------------------------------------------

    def measure(self, contender, seconds):
        pid = contender.pid
        before = cpu_of(pid) if pid else None
        figures = load(self.load_core, self.options.connections, seconds, contender.url, contender.headers)
        if figures["refused"] or figures["broken"] or not figures["requests"]:
            raise Failed(f"{contender.name}: {figures}")
        time.sleep(SETTLE if pid else 0)
        spent = cpu_between(before, cpu_of(pid)) if pid else Cpu(0, 0)
        count = figures["requests"]
        return Sample(Cpu(spent.user / count, spent.system / count), count / figures["seconds"],
                      figures["p50"], figures["p99"], memory_of(pid) if pid else 0)

    def run(self):
        for round_number in range(1, self.options.rounds + 1):
            say(f"round {round_number} of {self.options.rounds}")
            for contender in self.clear + self.secured:
                contender.samples.append(self.measure(contender, self.options.seconds))


def say(text):
    print(text, file=sys.stderr, flush=True)


def median(contender, what):
    return statistics.median(what(sample) for sample in contender.samples)


def least(contender):
    """Neighbours on the machine can only add: the least of all rounds had the fewest."""
    return min(sample.cpu.total for sample in contender.samples)


def ratios(contender, reference):
    """Of each round, so that the machine's own drift falls out."""
    pairs = zip(contender.samples, reference.samples)
    return sorted(one.cpu.total / other.cpu.total for one, other in pairs)


def table(contenders, reference):
    lines = ["| program | user µs | system µs | total µs | ratio to nginx plain (spread) | ratio, quietest | "
             "requests/s | p50 µs | p99 µs | memory MB |",
             "|---|---|---|---|---|---|---|---|---|---|"]
    for contender in contenders:
        row = [contender.name]
        if contender.pid:
            ratio = ratios(contender, reference)
            row += [f"{median(contender, lambda s: s.cpu.user) * 1e6:.1f}",
                    f"{median(contender, lambda s: s.cpu.system) * 1e6:.1f}",
                    f"{median(contender, lambda s: s.cpu.total) * 1e6:.1f}",
                    f"**{statistics.median(ratio):.2f}** ({ratio[0]:.2f}–{ratio[-1]:.2f})",
                    f"{least(contender) / least(reference):.2f}"]
        else:
            row += ["–"] * 5
        row += [f"{median(contender, lambda s: s.rate):,.0f}", f"{median(contender, lambda s: s.p50):,.0f}",
                f"{median(contender, lambda s: s.p99):,.0f}",
                f"{median(contender, lambda s: s.memory) / 1e6:.0f}" if contender.pid else "–"]
        lines.append("| " + " | ".join(row) + " |")
    return "\n".join(lines)


def options_read():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--writ", default="build/writ", help="the program; empty: the peers alone")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=1, help="of load, for each program in each round")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--without-caddy", action="store_true")
    parser.add_argument("--nginx-alone", action="store_true", help="Writ beside plain nginx, no other peer")
    parser.add_argument("--keep", action="store_true", help="leave the directory with logs and configurations")
    return parser.parse_args()


def main():
    # A termination passes through the exit below, so that nothing stays behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    bench = None
    try:
        bench = Bench(options_read())
        bench.prepare()
        bench.run()
        reference = next(one for one in bench.clear if one.name == REFERENCE)
        print("HTTP/1.1, keep-alive\n")
        print(table(bench.clear, reference))
        print("\nTLS 1.3, keep-alive\n")
        print(table(bench.secured, reference))
        return 0
    except Failed as failed:
        say(f"bench: {failed}")
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        if bench is not None:
            bench.close()


if __name__ == "__main__":
    sys.exit(main())
