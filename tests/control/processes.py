"""
Processes of the control app that race or are killed: ``python -m tests.control.processes TASK OPTIONS``, with the
address of the database in the variable ``CONTROL_DATABASE``. What it found is JSON on stdout.

Each is forked from one that has loaded Django, and has a connection of its own.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import django
from django.db import connection, connections

ROOT = Path(__file__).parents[2]
WRITERS, ROUNDS = 8, 12
SHARED = "shared.example.com"
MOST_STATEMENTS = 200
KILLED = -signal.SIGKILL


def run_task(name: str, **options: Any) -> Any:
    """Run a task in a process of its own, on the database of this one; return what it found."""
    address = {key: connection.settings_dict[key] for key in ("NAME", "HOST", "PORT", "USER", "PASSWORD")}
    environ = {
        **os.environ,
        "CONTROL_DATABASE": json.dumps(address),
        "DJANGO_SETTINGS_MODULE": "tests.control.settings",
    }
    command = [sys.executable, "-m", "tests.control.processes", name, json.dumps(options)]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def fork(work: Callable[[], None]) -> int:
    """Start a process that does the ``work`` and ends; its exit code is 1 if that raises."""
    pid = os.fork()
    if pid:
        return pid
    try:
        connections.close_all()
        work()
        connections.close_all()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def wait(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def digest() -> dict[str, Any]:
    """Return all that a change writes, as it is now."""
    queries = {
        "head": "SELECT revision, oldest FROM control_head",
        "platform": "SELECT record, generation FROM control_platform",
        "sites": "SELECT id, record, generation, enabled, retired_at IS NULL FROM control_site ORDER BY uid",
        "hostnames": "SELECT name, site_id, role FROM control_hostname ORDER BY name",
        "claims": "SELECT what, name, site_id FROM control_claim ORDER BY what, name",
        "events": "SELECT revision, type, site, generation FROM control_event ORDER BY revision",
        "records": "SELECT revision, generation, record FROM control_record ORDER BY revision",
        "audit": "SELECT label, action, data FROM wagtailcore_modellogentry ORDER BY id",
    }
    found = {}
    for name, query in queries.items():
        with connection.cursor() as cursor:
            cursor.execute(query)
            found[name] = [list(map(str, row)) for row in cursor.fetchall()]
    connections.close_all()
    return found


def race() -> dict[str, Any]:
    """Let writers change the fleet at once, and read the events as a node does meanwhile."""
    from tests.control.fleet import Fleet

    for name in ("left", "right"):
        Fleet().add(name)
    connections.close_all()  # a forked process would use and close the same connection
    gate, opened = os.pipe()
    ready = {fork(lambda number=number: write_much(number, gate, opened)): number for number in range(WRITERS)}
    os.close(opened)
    os.close(gate)
    read, gaps, waiting = [], 0, set(ready)
    codes = []
    while waiting:
        gaps += read_more(read)
        for pid in list(waiting):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                waiting.discard(pid)
                codes.append(os.waitstatus_to_exitcode(status))
    gaps += read_more(read)
    return {"codes": codes, "read": read, "gaps": gaps, **digest()}


def read_more(read: list[int]) -> int:
    """Read the events after the last one that was read; return how many were skipped."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT revision FROM control_event WHERE revision > %s ORDER BY 1", [read[-1] if read else 0])
        found = [row[0] for row in cursor.fetchall()]
    before = read[-1] if read else found[0] - 1 if found else 0
    read += found
    return sum(second != first + 1 for first, second in zip([before, *found], found, strict=False))


def write_much(number: int, gate: int, opened: int) -> None:
    """Make sites, wish for a hostname that all wish for, and change two sites in the order that others do not."""
    from tests.control.fleet import Fleet
    from wagtail_multihost.control.changes import CreateSite, EditSite
    from wagtail_multihost.control.edits import add_hostname, set_value
    from wagtail_multihost.exceptions import ConfigurationError

    os.close(opened)
    os.read(gate, 1)  # all start when the last one is ready
    fleet = Fleet()
    own = fleet.add(f"writer{number}")
    try:
        fleet.apply(EditSite(own.uid, add_hostname(SHARED, "alias")))
    except ConfigurationError as error:
        if "belongs to the site" not in str(error):
            raise
    pair = [fleet.site(name) for name in (("left", "right") if number % 2 else ("right", "left"))]
    for turn in range(ROUNDS):
        fleet.apply(CreateSite(f"w{number}-{turn}", {"hostnames": [f"w{number}-{turn}.example.com"]}))
        fleet.apply(*(EditSite(site.uid, set_value(("labels", f"w{number}"), str(turn))) for site in pair))


def kill() -> dict[str, Any]:
    """Kill the same change before each of its statements and its commit, until it is done; return what was left."""
    from tests.control.fleet import Fleet

    old, keep = Fleet().add("old"), Fleet().add("keep")
    before, states = digest(), []
    for number in range(MOST_STATEMENTS):
        code = wait(fork(lambda number=number: change_until(number, old.uid, keep.uid)))
        states.append({"code": code, "state": digest()})
        if code != KILLED:
            break
    return {"before": before, "states": states}


def change_until(number: int, retired: Any, edited: Any) -> None:
    """Change everything that there is to change, and be killed before the statement ``number``."""
    from tests.control.fleet import Fleet
    from wagtail_multihost.control.changes import CreateSite, EditPlatform, EditSite, RetireSite
    from wagtail_multihost.control.edits import merge_patch

    count = 0

    def step() -> None:
        nonlocal count
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)
        count += 1

    def wrapper(execute: Any, *arguments: Any) -> Any:
        step()
        return execute(*arguments)

    connection.ensure_connection()
    commit = connection.commit

    def stepped_commit() -> None:
        step()
        commit()

    connection.commit = stepped_commit  # type: ignore[method-assign]
    with ExitStack() as stack:
        stack.enter_context(connection.execute_wrapper(wrapper))
        Fleet().apply(
            EditPlatform(merge_patch({"origin": "https://{hostname}"})),
            CreateSite("new", {"hostnames": ["new.example.com"]}),
            EditSite(edited, merge_patch({"hostnames": ["other.example.com"], "enabled": False})),
            RetireSite(retired),
            confirmed=2,
        )


TASKS: dict[str, Callable[[], Any]] = {"race": race, "kill": kill}


def main() -> None:
    name, options = sys.argv[1:]
    django.setup()
    connections["default"].settings_dict.update(json.loads(os.environ["CONTROL_DATABASE"]))
    sys.stdout.write(json.dumps(TASKS[name](**json.loads(options))))


if __name__ == "__main__":
    main()
