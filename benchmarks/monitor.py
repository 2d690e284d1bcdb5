"""
What ``multihost-monitor`` costs: how many hostnames it asks in a second of one core's time, with DNS, a connection with
TLS for each, proofs that are checked, and results that are stored in a PostgreSQL server of its own; and its memory.
Compared with the package's other HTTP client in threads, which only asks.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from io import StringIO
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from benchmarks.control import start_django
from benchmarks.fuse import server
from benchmarks.measuring import print_machine
from benchmarks.monitor_stub import HOST, key_of, serve
from tests.health.certificates import make
from tests.servers.processes import free_port, wait_for

SITES, PERIOD, SECONDS = 6000, 10, 30
TARGET_RATE = 500
#: Below one name, so that one certificate is all sites'.
DOMAIN = "sites.example"
TICKS = os.sysconf("SC_CLK_TCK")
LONGEST = 600


class Use(NamedTuple):
    """What a process has used at a moment, and how many answers the servers had given."""

    at: float
    cpu: float
    answers: int


def main() -> None:
    options = parse_options()
    with server() as (folder, socket, user):
        start_django(socket, user)
        uids = make_sites(options.sites)
        print_machine()
        database = f"postgresql://multihost_monitor@/{user}_site?host={socket}"
        with serving(folder, uids) as stub:
            baseline = measure_threads(stub, options.seconds)
            measure_monitor(folder, database, stub, options, baseline)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = partial(parser.add_argument, type=int)
    add("--sites", default=SITES, help=f"with one hostname each (default: {SITES})")
    add("--period", default=PERIOD, help=f"seconds in which each is asked once (default: {PERIOD})")
    add("--seconds", default=SECONDS, help=f"how long is measured (default: {SECONDS})")
    return parser.parse_args()


class Stub(NamedTuple):
    """The servers that are asked: their ports, whose certificates they have, and how many answers they gave."""

    port: int
    name_port: int
    authority: Path
    answers: Synchronized[int]


@contextmanager
def serving(folder: Path, uids: dict[str, UUID]) -> Iterator[Stub]:
    authority = make("authority", 30)
    certificate = make(f"*.{DOMAIN}", 30, authority).write(folder, "sites")
    context = multiprocessing.get_context("spawn")
    answers, ready = context.Value("q", 0), context.Value("q", 0)
    stub = Stub(free_port(), free_port(), authority.write(folder, "authority"), answers)
    process = context.Process(
        target=serve, args=(certificate, (stub.port, stub.name_port), uids, answers, ready), daemon=True
    )
    process.start()
    try:
        wait_for(lambda: bool(ready.value), "the servers that are asked")
        yield stub
    finally:
        process.kill()
        process.join()


def hostname(number: int) -> str:
    return f"s{number:05}.{DOMAIN}"


def make_sites(count: int) -> dict[str, UUID]:
    """Make the platform and the sites, with the keys that the servers sign by; return their uids by hostname."""
    from django.core.management import call_command
    from django.db import connection

    from wagtail_multihost.control.authority import operator_authority
    from wagtail_multihost.control.changes import CreateSite, EditPlatform
    from wagtail_multihost.control.edits import merge_patch
    from wagtail_multihost.control.registration import apply_changes

    call_command("multihost_control_roles", "--apply", stdout=StringIO(), stderr=StringIO())
    made = [CreateSite(f"s{number:05}", {"hostnames": [hostname(number)]}) for number in range(count)]
    change = EditPlatform(merge_patch({"name": "aviary"}))
    apply_changes(operator_authority("benchmark"), [change, *made], at_once=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, site_id FROM control_hostname")
        uids = dict(cursor.fetchall())
        keys = [(key_of(name).public_key().public_bytes_raw(), uid) for name, uid in uids.items()]
        # Only the operator process writes them otherwise.
        cursor.execute("SET session_replication_role = replica")
        cursor.executemany("UPDATE control_site SET probe_key = %s WHERE uid = %s", keys)
        cursor.execute("SET session_replication_role = origin")
        cursor.execute("ALTER ROLE multihost_monitor LOGIN")
    return uids


def measure_threads(stub: Stub, seconds: int) -> float:
    """Return how many requests the other client makes in a second of processor time."""
    url = f"https://{hostname(0)}:{stub.port}"
    command = [sys.executable, "-m", "benchmarks.monitor_threads", url, str(stub.authority), str(seconds)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    answers, cpu = done.stdout.split()
    rate = int(answers) / float(cpu)
    print(f"\nbaseline, http_client in threads: {int(answers) / seconds:.0f} requests a second, {rate:.0f} of one core")
    return rate


def measure_monitor(folder: Path, database: str, stub: Stub, options: argparse.Namespace, baseline: float) -> None:
    words = ["--outside", "--development", "--database", database, "--period", str(options.period)]
    words += ["--resolver", f"{HOST}:{stub.name_port}", "--allow", "127.0.0.0/8", "--ca-file", str(stub.authority)]
    words += ["--ports", f"1,{stub.port}"]
    log = folder / "monitor.log"
    with log.open("wb") as written:
        process = subprocess.Popen([sys.executable, "-m", "wagtail_multihost.monitor", *words], stderr=written)
    try:
        wait_for(lambda: b"have been looked at" in log.read_bytes(), "the first look at all", LONGEST)
        before = use_of(process.pid, stub)
        time.sleep(options.seconds)
        after = use_of(process.pid, stub)
        memory = peak_of(process.pid)
    finally:
        process.terminate()
        process.wait()
    print_figures(before, after, options, baseline, memory)
    print(f"stored: {stored()}")


def use_of(pid: int, stub: Stub) -> Use:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return Use(time.monotonic(), (int(fields[11]) + int(fields[12])) / TICKS, stub.answers.value)


def peak_of(pid: int) -> float:
    """Return the most memory in MiB that a process has had."""
    (line,) = (one for one in Path(f"/proc/{pid}/status").read_text().splitlines() if one.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def print_figures(before: Use, after: Use, options: argparse.Namespace, baseline: float, memory: float) -> None:
    seconds, cpu, answers = (later - former for later, former in zip(after, before, strict=True))
    wanted, rate = options.sites / options.period, answers / cpu
    print(f"\n{options.sites} hostnames, once in {options.period} s: {wanted:.0f} a second wanted")
    print(f"asked {answers / seconds:.0f} a second with {cpu / seconds * 100:.0f} % of a core, {memory:.0f} MiB")
    print(f"ratio: multihost-monitor / http_client in threads = {rate / baseline:.3f} of requests a second of one core")
    held = "held" if rate >= TARGET_RATE else "MISSED"
    print(f"target: probes a second of one core {rate:.0f}, at least {TARGET_RATE}: {held}")


def stored() -> str:
    """Return what the database has of it."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT state, count(*) FROM control_probe_latest GROUP BY state ORDER BY state")
        states = ", ".join(f"{count} {state}" for state, count in cursor.fetchall())
        cursor.execute("SELECT count(*) FROM control_probe_hour")
        return f"{states or 'no states'}; {cursor.fetchone()[0]} hours of latencies"


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    main()
