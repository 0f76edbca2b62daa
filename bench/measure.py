"""bench/measure.py - what a program costs: its processor time, its memory, its answers.

Processor time comes from the kernel's own books of every thread of every process
that belongs to the program, so that no thread's work is left out.
"""
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def descendants(pid):
    """The process and all that it started, by their ids."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    return found


@dataclass
class Cpu:
    """Seconds on a processor since the start."""
    user: float
    system: float

    def __sub__(self, other):
        return Cpu(self.user - other.user, self.system - other.system)

    @property
    def total(self):
        return self.user + self.system


def cpu_of(pid):
    """The total is exact (nanoseconds of the scheduler); how it divides into user and
    system time is counted by the clock's ticks."""
    total = user = system = 0
    for process in descendants(pid):
        for task in Path(f"/proc/{process}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0]) / 1e9
            fields = (task / "stat").read_text().rpartition(")")[2].split()
            user += int(fields[11]) / TICK
            system += int(fields[12]) / TICK
    return total, user, system


def cpu_between(before, after):
    total, user, system = (b - a for a, b in zip(before, after))
    ticks = user + system or 1
    return Cpu(total * user / ticks, total * system / ticks)


def memory_of(pid):
    """Proportional set size in bytes: shared pages are counted once."""
    size = 0
    for process in descendants(pid):
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                size += int(line.split()[1]) * 1024
    return size


@dataclass
class Sample:
    cpu: Cpu  # seconds a request
    rate: float  # requests a second
    p50: int  # microseconds
    p99: int
    memory: int


class Failed(Exception):
    """A run whose figures would mean nothing."""


def load(core, connections, seconds, url, headers_file):
    """Runs wrk and gives its last line."""
    here = Path(__file__).parent
    command = ["taskset", "-c", str(core), "wrk", "-t1", f"-c{connections}", f"-d{seconds}s",
               "--timeout", "5s", "-s", str(here / "load.lua"), url, "--", str(headers_file)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"wrk: {done.stderr.strip() or done.stdout.strip()}")
    return json.loads(done.stdout.strip().splitlines()[-1])
