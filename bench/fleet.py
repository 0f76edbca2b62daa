"""bench/fleet.py - how long a revocation takes until every node of a fleet enforces it: nodes and
PostgreSQL on this machine, asked by `writ bench fleet`; once with nothing beside it, once while
tokens are issued."""
import argparse
import json
import os
import shutil
import subprocess
import threading

from databases import Programs, free_port, wait_for
import tokens


class Fleet(Programs):
    def node(self, name, upstream):
        place = self.home / name
        place.mkdir()
        api, door = free_port(), free_port()
        first = self.home / "node-0" / "data" / "key"
        if first.exists():
            (place / "data").mkdir(mode=0o700)
            shutil.copy(first, place / "data" / "key")
        (place / "policy.yaml").write_text(json.dumps({
            "upstreams": {"orders": {"type": "http", "url": f"http://127.0.0.1:{upstream}"}},
            "roles": {"reader": {"allow": ["orders:GET:/**"]}, "bench": {"allow": ["writ:tokens.*:**", "orders:GET:/**"]}},
            "subjects": {"tester": {"type": "service", "roles": ["reader"]}, "service-0": {"type": "service", "roles": ["reader"]},
                         "bench": {"type": "service", "roles": ["bench"]}},
        }), encoding="ascii")
        (place / "writ.yaml").write_text(json.dumps({
            "node": name, "data": "./data", "lanes": 1, "policy": ["policy.yaml"],
            "authority": {"listen": f"127.0.0.1:{api}"}, "gateway": {"http": {"listen": f"127.0.0.1:{door}"}},
            "store": {"type": "postgres", "url": f"postgresql://postgres@127.0.0.1:{self.postgres_port}/postgres"},
        }), encoding="ascii")
        self.start(name, [self.writ_binary, "serve", "--config", str(place / "writ.yaml")], door)
        wait_for(api)
        return f"http://127.0.0.1:{api}", f"http://127.0.0.1:{door}"

    def upstream(self):
        port = free_port()
        root = self.home / "www"
        root.mkdir()
        (root / "a").write_text("hello\n", encoding="ascii")
        self.start("upstream", ["python3", "-m", "http.server", "-b", "127.0.0.1", "-d", str(root), str(port)], port)
        return port

    def cli(self, *words):
        return json.loads(subprocess.run([self.writ_binary, *words, "-o", "json", "--config", str(self.home / "node-0" / "writ.yaml")],
                                         check=True, stdout=subprocess.PIPE).stdout)


def issue_beside(socket, stop):
    while not stop.is_set():
        tokens.issue(socket, 100, 1)
        stop.wait(0.1)


def measure(fleet, nodes, count):
    admin = fleet.cli("token", "issue", "--subject", "bench")["token"]
    command = [fleet.writ_binary, "bench", "fleet", "--subject", "tester", "--path", "/orders/a", "--count", str(count), "-o", "json"]
    for api, door in nodes:
        command += ["--node", api, "--gateway", door]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, env={**os.environ, "WRIT_TOKEN": admin}).stdout)


def main():
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--writ", required=True)
    asked.add_argument("--nodes", type=int, default=3)
    asked.add_argument("--count", type=int, default=1000)
    options = asked.parse_args()
    fleet = Fleet(os.path.abspath(options.writ))
    try:
        fleet.postgres()
        upstream = fleet.upstream()
        nodes = [fleet.node(f"node-{i}", upstream) for i in range(options.nodes)]
        print("| load | nodes | revocations | p50 ms | p99 ms | p99.9 ms | max ms | let through |\n|---|---|---|---|---|---|---|---|")
        for load in ("none", "1,000 tokens/s issued beside it"):
            stop = threading.Event()
            beside = threading.Thread(target=issue_beside, args=(fleet.home / "node-0" / "data" / "writ.sock", stop))
            if load != "none":
                beside.start()
            try:
                found = measure(fleet, nodes, options.count)
            finally:
                stop.set()
                if load != "none":
                    beside.join()
            print(f"| {load} | {found['nodes']} | {found['revocations']:,} | {found['p50_ms']:.1f} | {found['p99_ms']:.1f} | "
                  f"{found['p99.9_ms']:.1f} | {found['max_ms']:.1f} | {found['let_through']} |", flush=True)
    finally:
        fleet.close()


if __name__ == "__main__":
    main()
