#!/usr/bin/env python3
"""bench/databases.py - the PostgreSQL and Redis doors beside PgBouncer and HAProxy, in one run.

Each proxy is one thread; figures of one round are taken one after the other, and the rounds are
repeated, so that a noisy machine is noisy for all. CPU is the proxy's own, by the kernel's count.
"""
import argparse
import json
import os
import pwd
import re
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
BIN = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def free_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def wait_for(port):
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"nobody listens on {port}")


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(encoding="ascii"))[1])


class Programs:
    """What runs for the time of the bench."""

    def __init__(self, writ):
        self.writ_binary = writ
        self.home = Path(tempfile.mkdtemp(prefix="writ-bench-"))
        self.home.chmod(0o755)
        self.running = {}

    def start(self, name, command, port, user=None, cwd=None):
        log = open(self.home / f"{name}.log", "wb")
        self.running[name] = subprocess.Popen(command, stdout=log, stderr=log, user=user, cwd=cwd or self.home, env=CLEAN)
        wait_for(port)

    def pid(self, name):
        return self.running[name].pid

    def close(self):
        for process in reversed(self.running.values()):
            process.send_signal(signal.SIGINT if process.args[0].endswith("postgres") else signal.SIGTERM)
        for process in self.running.values():
            process.wait()
        shutil.rmtree(self.home, ignore_errors=True)

    # --- servers -------------------------------------------------------------------

    def postgres(self):
        data = self.home / "data"
        data.mkdir()
        owner = None
        if os.getuid() == 0:
            account = pwd.getpwnam("postgres")
            os.chown(data, account.pw_uid, account.pw_gid)
            owner = "postgres"
        subprocess.run([BIN / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--no-locale"],
                       check=True, user=owner, stdout=subprocess.DEVNULL, cwd=data)
        self.postgres_port = free_port()
        self.start("postgres", [str(BIN / "postgres"), "-D", str(data), "-p", str(self.postgres_port), "-c", "listen_addresses=127.0.0.1",
                                "-c", f"unix_socket_directories={data}", "-c", "fsync=off", "-c", "max_connections=300",
                                "-c", "shared_buffers=256MB"], self.postgres_port, user=owner, cwd=data)
        time.sleep(0.5)
        subprocess.run([BIN / "pgbench", "-i", "-q", "-s", "5", "-h", "127.0.0.1", "-p", str(self.postgres_port), "-U", "postgres", "postgres"],
                       check=True, stderr=subprocess.DEVNULL, env=CLEAN)

    def redis(self):
        self.redis_port = free_port()
        self.start("redis", ["redis-server", "--port", str(self.redis_port), "--bind", "127.0.0.1", "--save", "", "--maxclients", "12000"],
                   self.redis_port)

    # --- proxies --------------------------------------------------------------------

    def pgbouncer(self, mode):
        port = free_port()
        ini = self.home / f"{mode}.ini"
        users = self.home / "users.txt"
        users.write_text('"postgres" ""\n', encoding="ascii")
        ini.write_text(f"""[databases]
bench = host=127.0.0.1 port={self.postgres_port} dbname=postgres user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
auth_type = any
auth_file = {users}
pool_mode = {mode}
default_pool_size = 100
max_client_conn = 2000
unix_socket_dir =
""", encoding="ascii")
        if os.getuid() == 0:
            shutil.chown(ini, "postgres")
            shutil.chown(users, "postgres")
        self.start(f"pgbouncer {mode}", ["/usr/sbin/pgbouncer", str(ini)], port, user="postgres" if os.getuid() == 0 else None)
        return port

    def haproxy(self):
        port = free_port()
        conf = self.home / "haproxy.cfg"
        conf.write_text(f"""global
    nbthread 1
    maxconn 2000
defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
listen redis
    bind 127.0.0.1:{port}
    server one 127.0.0.1:{self.redis_port}
""", encoding="ascii")
        self.start("haproxy", ["haproxy", "-db", "-f", str(conf)], port)
        return port

    def writ(self):
        self.writ_postgres, self.writ_redis = free_port(), free_port()
        api = free_port()
        (self.home / "policy.yaml").write_text(json.dumps({
            "upstreams": {
                "bench": {"type": "postgres", "address": f"127.0.0.1:{self.postgres_port}", "database": "postgres", "login": {"user": "postgres"}},
                "pooled": {"type": "postgres", "address": f"127.0.0.1:{self.postgres_port}", "database": "postgres", "login": {"user": "postgres"},
                           "pool": {"mode": "transaction", "size": 100}},
                "cache": {"type": "redis", "address": f"127.0.0.1:{self.redis_port}"},
            },
            "roles": {"bench": {"allow": ["bench:select:public.*", "bench:call:**", "pooled:select:public.*", "pooled:call:**", "cache:get|set:*", "cache:config.get:-"]}},
            "subjects": {"bench": {"type": "service", "roles": ["bench"]}},
        }), encoding="ascii")
        (self.home / "writ.yaml").write_text(json.dumps({
            "data": "./writ", "lanes": 1, "authority": {"listen": f"127.0.0.1:{api}"}, "policy": ["policy.yaml"],
            "gateway": {"postgres": {"listen": f"127.0.0.1:{self.writ_postgres}"}, "redis": {"listen": f"127.0.0.1:{self.writ_redis}"}},
        }), encoding="ascii")
        self.start("writ", [self.writ_binary, "serve", "--config", str(self.home / "writ.yaml")], self.writ_postgres)
        wait_for(api)
        issued = subprocess.run([self.writ_binary, "token", "issue", "--subject", "bench", "-o", "json", "--config", str(self.home / "writ.yaml")],
                                check=True, stdout=subprocess.PIPE)
        self.token = json.loads(issued.stdout)["token"]


# --- measuring -------------------------------------------------------------------------


def pgbench(port, database, password, clients, mode, seconds):
    out = subprocess.run([BIN / "pgbench", "-n", "-S", "-M", mode, "-c", str(clients), "-j", "2", "-T", str(seconds), "-h", "127.0.0.1",
                          "-p", str(port), "-U", "postgres", database], env={**CLEAN, "PGPASSWORD": password}, capture_output=True, text=True,
                         check=False)
    if out.returncode != 0:
        raise SystemExit(out.stderr)
    return {"count": int(re.search(r"transactions actually processed: (\d+)", out.stdout)[1]),
            "latency_us": float(re.search(r"latency average = ([\d.]+) ms", out.stdout)[1]) * 1000,
            "rate": float(re.search(r"tps = ([\d.]+)", out.stdout)[1])}


def with_cpu(programs, name, run):
    before = cpu_seconds(programs.pid(name)) if name else 0
    figures = run()
    figures["cpu_us"] = (cpu_seconds(programs.pid(name)) - before) * 1e6 / figures["count"] if name else 0
    return figures


def copy_out(port, database, password, megabytes):
    query = f"COPY (SELECT repeat('x', 1000) FROM generate_series(1, {megabytes * 1000})) TO STDOUT"
    began = time.monotonic()
    subprocess.run(["psql", "-X", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres", "-d", database, "-c", query], check=True,
                   env={**CLEAN, "PGPASSWORD": password}, stdout=subprocess.DEVNULL)
    return {"count": megabytes, "rate": megabytes / (time.monotonic() - began)}


def redis_benchmark(port, token, pipeline, requests):
    login = ["--user", "cache", "-a", token] if token else []
    out = subprocess.run(["redis-benchmark", "-h", "127.0.0.1", "-p", str(port), *login, "-t", "get", "-n", str(requests), "-c", "50",
                          "-P", str(pipeline), "--csv"], capture_output=True, text=True, check=True)
    row = [line for line in out.stdout.splitlines() if line.startswith('"GET"')][0]
    return {"count": requests, "rate": float(row.split(",")[1].strip('"'))}


def median(rounds, key):
    return statistics.median(figures[key] for figures in rounds)


def show(title, columns, rows):
    print(f"\n### {title}\n\n| | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}")
    for name, cells in rows:
        print(f"| {name} | {' | '.join(cells)} |")


def bench_postgres(programs, options):
    ways = {"direct": (None, programs.postgres_port, "postgres", ""),
            "PgBouncer, session": ("pgbouncer session", programs.pgbouncer("session"), "bench", ""),
            "PgBouncer, transaction": ("pgbouncer transaction", programs.pgbouncer("transaction"), "bench", ""),
            "Writ": ("writ", programs.writ_postgres, "bench", programs.token),
            "Writ, transaction": ("writ", programs.writ_postgres, "pooled", programs.token)}
    for mode in ("simple", "prepared"):
        for clients in (8, 64):
            rounds = {name: [] for name in ways}
            for _ in range(options.rounds):
                for name, (program, port, database, password) in ways.items():
                    if mode == "prepared" and name == "PgBouncer, transaction":
                        continue  # this PgBouncer has no prepared statements there
                    rounds[name].append(with_cpu(programs, program, lambda p=port, d=database, w=password:
                                                 pgbench(p, d, w, clients, mode, options.seconds)))
            direct, peer = rounds["direct"], rounds["PgBouncer, session"]
            rows = []
            for name, figures in rounds.items():
                if not figures:
                    continue
                added = median(figures, "latency_us") - median(direct, "latency_us")
                cpu, base = median(figures, "cpu_us"), median(peer, "cpu_us")
                rows.append((name, [f"{median(figures, 'rate'):,.0f}", f"{median(figures, 'latency_us'):.0f}", f"{added:.0f}", f"{cpu:.1f}",
                                    f"{cpu / base:.2f}" if cpu else "–"]))
            show(f"pgbench -S, {mode}, {clients} clients", ["queries/s", "latency µs", "added µs", "CPU µs/query", "of PgBouncer's"], rows)
    rounds = {name: [with_cpu(programs, program, lambda p=port, d=database, w=password: copy_out(p, d, w, options.copy))
                     for _ in range(options.rounds)] for name, (program, port, database, password) in ways.items()}
    base = median(rounds["PgBouncer, session"], "rate")
    show(f"COPY of {options.copy} MB", ["MB/s", "of PgBouncer's", "CPU ms/GB"],
         [(name, [f"{median(figures, 'rate'):.0f}", f"{median(figures, 'rate') / base:.2f}", f"{median(figures, 'cpu_us'):.0f}"])
          for name, figures in rounds.items()])


def bench_redis(programs, options):
    ways = {"direct": (None, programs.redis_port, ""), "HAProxy, TCP": ("haproxy", programs.haproxy(), ""),
            "Writ": ("writ", programs.writ_redis, programs.token)}
    for pipeline in (1, 16):
        requests = options.requests * (4 if pipeline > 1 else 1)
        rounds = {name: [] for name in ways}
        for _ in range(options.rounds):
            for name, (program, port, token) in ways.items():
                rounds[name].append(with_cpu(programs, program, lambda p=port, t=token: redis_benchmark(p, t, pipeline, requests)))
        base = median(rounds["HAProxy, TCP"], "cpu_us")
        show(f"redis-benchmark GET, 50 clients, pipeline of {pipeline}", ["commands/s", "CPU µs/command", "of HAProxy's"],
             [(name, [f"{median(figures, 'rate'):,.0f}", f"{median(figures, 'cpu_us'):.2f}",
                      f"{median(figures, 'cpu_us') / base:.2f}" if median(figures, "cpu_us") else "–"]) for name, figures in rounds.items()])


def bench_memory(programs, count):
    command = "".join(f"${len(word)}\r\n{word}\r\n" for word in ("AUTH", "cache", programs.token))
    before = resident(programs.pid("writ"))
    clients = []
    for _ in range(count):
        client = socket.create_connection(("127.0.0.1", programs.writ_redis))
        client.sendall(f"*3\r\n{command}".encode())
        clients.append(client)
    for client in clients:
        if client.recv(64) != b"+OK\r\n":
            raise SystemExit("a log-in failed")
    print(f"\n{count} idle clients: {(resident(programs.pid('writ')) - before) / count:.1f} KiB each")
    for client in clients:
        client.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--writ", default="build-bench/src/app/writ", type=os.path.abspath)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--copy", type=int, default=1024, help="megabytes")
    parser.add_argument("--requests", type=int, default=200000)
    parser.add_argument("--only", choices=["postgres", "redis", "memory"])
    parser.add_argument("--idle", type=int, default=5000)
    options = parser.parse_args()
    programs = Programs(options.writ)
    try:
        programs.postgres()
        programs.redis()
        programs.writ()
        if options.only in (None, "postgres"):
            bench_postgres(programs, options)
        if options.only in (None, "redis"):
            bench_redis(programs, options)
        if options.only in (None, "memory"):
            bench_memory(programs, options.idle)
    finally:
        programs.close()


if __name__ == "__main__":
    main()
