"""A real monitor, outside, with the control app's own tables, a name server and a front server."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection

from tests.control.fleet import Fleet
from tests.control.restarts import Restarts
from tests.monitor.front import HOSTILE_WORD, Front, front, wait_until
from tests.monitor.servers import Site
from tests.operations.dns_server import Zone, running_name_server
from tests.servers.processes import children
from wagtail_multihost.control.changes import EditPlatform
from wagtail_multihost.control.edits import merge_patch
from wagtail_multihost.control.models import Event, Monitor, ProbeHour, ProbeLatest
from wagtail_multihost.nodeapi.probe_states import DOWN, UP, WRONG_SITE

ROLE, PASSWORD = "multihost_monitor", "a-password-of-tests"
AURORA, BOREAL = "aurora.example.com", "boreal.example.com"


@pytest.fixture(name="signers")
def _signers(live_fleet: Fleet) -> dict[str, Site]:
    """Two sites with probe keys, as the operator process states them, by hostname."""
    found: dict[str, Site] = {}
    for hostname in (AURORA, BOREAL):
        row = live_fleet.add(hostname.partition(".")[0])
        found[hostname] = site = Site(row.identifier, stated_uid=row.uid)
        with connection.cursor() as cursor:
            public = site.key.public_key().public_bytes_raw()
            cursor.execute("UPDATE control_site SET probe_key = %s WHERE uid = %s", [public, row.uid])
    live_fleet.apply(EditPlatform(merge_patch({"origin": "http://{hostname}"})))
    return found


@pytest.fixture(name="database")
def _database(live_fleet: Fleet, tmp_path: Path) -> Iterator[str]:
    """The URL of the control database for the monitor's role."""
    call_command("multihost_control_roles", "--apply", stdout=io.StringIO(), stderr=io.StringIO())
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER ROLE {ROLE} LOGIN PASSWORD '{PASSWORD}'")
    known = connection.settings_dict
    passfile = tmp_path / "pgpass"
    passfile.write_text(f"*:*:*:{ROLE}:{PASSWORD}\n")
    passfile.chmod(0o600)
    yield f"postgresql://{ROLE}@{known['HOST']}:{known['PORT']}/{known['NAME']}?passfile={passfile}"


@contextmanager
def running(database: str, zone: Zone, url: str) -> Iterator[subprocess.Popen[str]]:
    """A monitor that asks this front server, whatever the name; its log is of the process."""
    host, port = zone.server
    words = ["--outside", "--development", "--database", database, "--resolver", f"{host}:{port}", "--period", "5"]
    words += ["--allow", "127.0.0.0/8", "--ports", f"{url.rpartition(':')[2]},1"]
    command = [sys.executable, "-P", "-m", "wagtail_multihost.monitor", *words]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "PGPASSFILE": ""})
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def state(hostname: str) -> str:
    return ProbeLatest.objects.filter(hostname=hostname, place="outside").values_list("state", flat=True).first() or ""


@contextmanager
def world(signers: dict[str, Site]) -> Iterator[tuple[Zone, str, type[Front]]]:
    """A name server and a front server for the two sites."""
    with running_name_server(Zone()) as zone, front() as (url, handler):
        for hostname in signers:
            zone.answers[hostname] = ["A 127.0.0.1"]
        handler.signers.update(signers)
        yield zone, url, handler


def test_monitor_tells_what_happens_to_hostnames(live_fleet: Fleet, signers: dict[str, Site], database: str) -> None:
    """Up, down, up, another site, wrong DNS; without a revision or an event, and nothing that a site has written."""
    before = live_fleet.revision, Event.objects.count()
    with world(signers) as (zone, url, handler), running(database, zone, url) as process:
        wait_until(lambda: (state(AURORA), state(BOREAL)) == (UP, UP))
        handler.signers[AURORA] = None
        wait_until(lambda: state(AURORA) == DOWN)
        handler.signers[AURORA] = signers[AURORA]
        wait_until(lambda: state(AURORA) == UP)
        handler.signers[BOREAL] = signers[AURORA]
        wait_until(lambda: state(BOREAL) == WRONG_SITE)
        assert ProbeLatest.objects.get(hostname=BOREAL, place="outside").seen_uid == signers[AURORA].uid
        zone.answers[AURORA] = ["A 10.0.0.1"]
        wait_until(lambda: ProbeLatest.objects.filter(hostname=AURORA, state=DOWN, reason="dns").exists())
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=30)
    assert process.returncode == 0
    assert HOSTILE_WORD not in log and "\x1b" not in log and "Traceback" not in log
    assert ProbeHour.objects.filter(hostname=AURORA, place="outside").exists()
    assert (live_fleet.revision, Event.objects.count()) == before


def test_one_monitor_asks_in_the_whole_fleet(signers: dict[str, Site], database: str) -> None:
    """Another one waits, and goes on when the first is stopped."""
    with world(signers) as (zone, url, _), running(database, zone, url) as first:
        wait_until(lambda: state(AURORA) == UP)
        boot = Monitor.objects.get(place="outside").boot
        with running(database, zone, url) as second:
            assert second.stderr is not None and "waits for its turn" in second.stderr.readline()
            assert Monitor.objects.get(place="outside").boot == boot
            first.send_signal(signal.SIGTERM)
            first.wait(30)
            wait_until(lambda: Monitor.objects.get(place="outside").boot != boot)


def test_database_may_restart(signers: dict[str, Site], database: str, restarts: Restarts) -> None:
    """Asking goes on meanwhile, and what happened is told afterwards, by the same monitor."""
    with world(signers) as (zone, url, handler), running(database, zone, url) as process:
        wait_until(lambda: state(AURORA) == UP)
        boot = Monitor.objects.get(place="outside").boot
        server = [restarts.pid, *children(restarts.pid)]
        os.kill(restarts.pid, signal.SIGINT)
        handler.signers[AURORA] = None
        asked = len(handler.asked)
        wait_until(lambda: len(handler.asked) > asked + 6)
        restarts.start_after(*server)
        wait_until(lambda: state(AURORA) == DOWN)
        assert Monitor.objects.get(place="outside").boot == boot
        assert process.poll() is None
