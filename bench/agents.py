#!/usr/bin/env python3
"""bench/agents.py - the MCP and Docker doors beside the plain HTTP door of the same Writ, in one
run: what it costs to decide a call by its body, to prune nothing, to pass a stream.

The server behind them is nginx with constant answers. The proxy has one processor core, the load
and the server share another.
"""
import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import Failed, cpu_between, cpu_of

ID = "f" * 64  # of the container
STREAM = 4 << 20
CONNECTIONS, PAUSE = 64, 21  # some 3,000 calls a second


def free_port():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


def wait_for(port):
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise Failed(f"nobody listens on {port}")


def call_body():
    """A tools/call of 1 KiB."""
    params = {"name": "search_issues", "arguments": {"repo": "acme/shop", "query": "x" * 860, "page": 1}}
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}, separators=(",", ":"))


class Bench:
    def __init__(self, options):
        self.options = options
        self.home = Path(tempfile.mkdtemp(prefix="writ-bench-"))
        self.home.chmod(0o755)
        self.running = []
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) < 2:
            raise Failed("needs two processor cores: one for the proxy, one for the load")
        self.proxy_core, self.load_core = cores[0], cores[1]

    def start(self, core, command):
        log = (self.home / f"log-{len(self.running)}").open("w")
        process = subprocess.Popen(["taskset", "-c", str(core), *map(str, command)], cwd=self.home,
                                   stdout=log, stderr=subprocess.STDOUT)
        self.running.append(process)
        return process

    def close(self):
        for process in reversed(self.running):
            process.send_signal(signal.SIGTERM)
            process.wait()

    def start_server(self):
        self.server = free_port()
        (self.home / "stream").write_bytes(b"x" * STREAM)
        answer = json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "text", "text": "y" * 400}]}})
        inspected = json.dumps({"Id": ID, "Name": "/web"})
        (self.home / "nginx.conf").write_text(f"""daemon off; worker_processes 1; pid {self.home}/nginx.pid; error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
    access_log off; keepalive_requests 1000000000; client_body_temp_path {self.home}; sendfile on;
    server {{
        listen 127.0.0.1:{self.server};
        location = /mcp {{ default_type application/json; return 200 '{answer}'; }}
        location = /containers/web/json {{ default_type application/json; return 200 '{inspected}'; }}
        location = /containers/{ID}/logs {{ alias {self.home}/stream; }}
        location = /containers/web/logs {{ alias {self.home}/stream; }}
    }}
}}
""")
        self.start(self.load_core, ["nginx", "-p", self.home, "-c", self.home / "nginx.conf"])
        wait_for(self.server)

    def start_writ(self):
        self.port = free_port()
        url = f"http://127.0.0.1:{self.server}"
        (self.home / "policy.yaml").write_text(f"""upstreams:
  plain: {{type: http, url: "{url}"}}
  tools: {{type: mcp, url: "{url}/mcp"}}
  prod: {{type: docker, url: "{url}"}}
roles:
  agent:
    allow:
      - plain:POST:/mcp
      - plain:GET:/containers/**
      - tools:tools.list:-
      - right: tools:tools.call:search_issues
        when: {{arguments: {{repo: "acme/*", page: {{max: 100}}}}}}
      - prod:containers.logs:web
subjects:
  copilot: {{type: agent, roles: [agent]}}
""")
        (self.home / "writ.yaml").write_text(f"""data: ./data
lanes: 1
authority: {{listen: 127.0.0.1:{free_port()}}}
gateway: {{http: {{listen: 127.0.0.1:{self.port}}}}}
policy: [policy.yaml]
audit: {{mode: strict}}
""")
        program = Path(self.options.writ).resolve()
        self.writ = self.start(self.proxy_core, [program, "serve", "--config", self.home / "writ.yaml"])
        wait_for(self.port)
        issued = subprocess.run([program, "token", "issue", "--subject", "copilot", "--config", self.home / "writ.yaml", "-o", "json"],
                                capture_output=True, text=True, check=True)
        self.token = json.loads(issued.stdout)["token"]
        (self.home / "body").write_text(call_body())

    def load(self, path, post, pause, port=None):
        """CPU of the proxy (seconds, the second after the load included) and wrk's figures."""
        before = cpu_of(self.writ.pid)
        command = ["taskset", "-c", str(self.load_core), "wrk", "-t1", f"-c{CONNECTIONS if post else 4}",
                   f"-d{self.options.seconds}s", "--timeout", "5s", "-s", Path(__file__).parent / "call.lua",
                   f"http://127.0.0.1:{port or self.port}{path}", "--", self.token,
                   self.home / "body" if post else "-", str(pause)]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        if done.returncode != 0:
            raise Failed(f"wrk: {done.stderr.strip() or done.stdout.strip()}")
        figures = json.loads(done.stdout.strip().splitlines()[-1])
        if figures["refused"] or figures["broken"] or not figures["requests"]:
            raise Failed(f"{path}: {figures}")
        time.sleep(1)
        return cpu_between(before, cpu_of(self.writ.pid)).total, figures

    def run(self):
        calls = {"http": [], "mcp": []}
        streams = {"http": [], "docker": []}
        waits = {"direct": [], "http": [], "mcp": []}
        for round_number in range(1, self.options.rounds + 1):
            print(f"round {round_number} of {self.options.rounds}", file=sys.stderr, flush=True)
            for name, path in (("http", "/plain/mcp"), ("mcp", "/tools")):
                cpu, figures = self.load(path, True, 0)
                calls[name].append((cpu / figures["requests"] * 1e6, figures["requests"] / figures["seconds"]))
                waits[name].append(self.load(path, True, PAUSE)[1])
            waits["direct"].append(self.load("/mcp", True, PAUSE, self.server)[1])
            for name, path in (("http", "/plain/containers/web/logs"), ("docker", "/prod/containers/web/logs")):
                cpu, figures = self.load(path, False, 0)
                streams[name].append((cpu / (figures["bytes"] / 1e6) * 1e6, figures["bytes"] / figures["seconds"] / 1e6))
        return calls, waits, streams


def middle(values):
    return statistics.median(values)


def ratio(rows, name):
    return middle([one[0] / other[0] for one, other in zip(rows[name], rows["http"])])


def report(calls, waits, streams):
    print("A call of 1 KiB, decided by its body\n")
    print("| door | CPU µs/call | of the http door's | calls/s |\n|---|---|---|---|")
    for name, rows in calls.items():
        print(f"| {name} | {middle([row[0] for row in rows]):.1f} | {ratio(calls, name):.2f} | {middle([row[1] for row in rows]):,.0f} |")
    print("\nThe same, paced\n\n| | calls/s | p50 µs | p99 µs | p99 added µs |\n|---|---|---|---|---|")
    for name, rows in waits.items():
        added = middle([row["p99"] - direct["p99"] for row, direct in zip(rows, waits["direct"])])
        print(f"| {name} | {middle([row['requests'] / row['seconds'] for row in rows]):,.0f} | {middle([row['p50'] for row in rows]):,.0f} | "
              f"{middle([row['p99'] for row in rows]):,.0f} | {added:,.0f} |")
    print(f"\nA container's log of {STREAM >> 20} MiB\n\n| door | CPU µs/MB | of the http door's | MB/s |\n|---|---|---|---|")
    for name, rows in streams.items():
        print(f"| {name} | {middle([row[0] for row in rows]):.0f} | {ratio(streams, name):.2f} | {middle([row[1] for row in rows]):,.0f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--writ", default="build/writ")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    bench = Bench(parser.parse_args())
    try:
        bench.start_server()
        bench.start_writ()
        report(*bench.run())
        return 0
    except Failed as failed:
        print(f"bench: {failed}", file=sys.stderr)
        return 1
    finally:
        bench.close()
        subprocess.run(["rm", "-rf", str(bench.home)], check=False)


if __name__ == "__main__":
    sys.exit(main())
