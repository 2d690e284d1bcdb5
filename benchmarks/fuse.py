"""What the identity fuse adds to a new connection, on a PostgreSQL server of its own at a unix socket."""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measuring import environment, print_machine, print_target, spread

WITHOUT, WITH = "a connection without the comparison", "a connection with the comparison"
TARGET = 1.0  # milliseconds
SERVER_SECONDS = 30
REGISTRY = """\
[platform]
name = "aviary"
data = "{folder}/data"
secret_key = "not-a-secret-not-a-secret-not-a-secret"

[sites.aurora]
hostnames = ["aurora.example.org"]
database = {{ engine = "postgresql", host = "{socket}", name = "{user}_site", user = "{user}" }}
"""
SETTINGS = """\
from wagtail_multihost.resolver import resolve

INSTALLED_APPS = ["wagtail_multihost", "django.contrib.postgres"]
MIDDLEWARE = ["wagtail_multihost.health.middleware.HealthMiddleware"]
USE_TZ = True
resolve().apply(globals())
"""
# Every round opens a connection of each kind, the first of which changes from round to round.
CHILD = """
import gc, sys, time
import django
django.setup()
from django.core.management import call_command
from django.db import connection
from django.db.backends.signals import connection_created
from wagtail_multihost.identity.comparison import compare_identity, identity_of
call_command("migrate", verbosity=0)
connection.close()
def measured(is_compared):
    connection_created.disconnect(dispatch_uid="wagtail_multihost.identity")
    if is_compared:
        connection_created.connect(compare_identity, dispatch_uid="wagtail_multihost.identity")
    start, cpu = time.perf_counter(), time.process_time()
    connection.ensure_connection()
    seconds = time.perf_counter() - start, time.process_time() - cpu
    assert identity_of(connection) is not None
    connection.close()
    return seconds
measured(False), measured(True)
gc.collect()
gc.disable()
for number in range(int(sys.argv[1])):
    kinds = (False, True) if number % 2 else (True, False)
    seconds = dict((kind, measured(kind)) for kind in kinds)
    print(*seconds[False], *seconds[True])
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=400)
    options = parser.parse_args()
    with server() as (folder, socket, user):
        (folder / "sites.toml").write_text(REGISTRY.format(folder=folder, socket=socket, user=user))
        (folder / "fuse_settings.py").write_text(SETTINGS)
        own = {"DJANGO_SETTINGS_MODULE": "fuse_settings", "MULTIHOST_SITE": "aurora"}
        variables = environment(folder, MULTIHOST_REGISTRY=str(folder / "sites.toml"), **own)
        command = [sys.executable, "-c", CHILD, str(options.rounds)]
        done = subprocess.run(command, env=variables, cwd=folder, check=True, capture_output=True, text=True)
    rounds = [[float(word) * 1000 for word in line.split()] for line in done.stdout.splitlines()]
    print_machine()
    for name, wall, cpu in ((WITHOUT, 0, 1), (WITH, 2, 3)):
        figures = [f"{shown([row[column] for row in rounds])} ms" for column in (wall, cpu)]
        print(f"{name}: {figures[0]}, of which CPU time of the client {figures[1]}")
    ratio = statistics.median(row[3] for row in rounds) / statistics.median(row[1] for row in rounds)
    print(f"ratio: {WITH} / {WITHOUT} = {ratio:.3f} of CPU time")
    added = statistics.median(row[2] - row[0] for row in rounds)
    print_target("added to a new connection", added, TARGET, "ms")


def shown(values: list[float]) -> str:
    return f"{statistics.median(values):.3f} ± {spread(values) / 2:.3f}"


@contextlib.contextmanager
def server() -> Iterator[tuple[Path, Path, str]]:
    """Serve a new cluster; yield a folder, the folder of the socket, and a role that has a database of its own."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))[-1]
    is_root = os.geteuid() == 0
    with tempfile.TemporaryDirectory(prefix="mh-fuse-") as name:
        folder = Path(name)
        cluster = folder / "cluster"
        cluster.mkdir()
        if is_root:  # PostgreSQL refuses to run as root
            folder.chmod(0o711)
            shutil.chown(cluster, "postgres", "postgres")
        account = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"] if is_root else []
        data = cluster / "data"
        run([*account, programs / "initdb", "-D", data, "-U", "fuse", "--auth=trust", "--no-sync"])
        options = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={cluster}", "-c", "fsync=off"]
        process = subprocess.Popen(
            [*account, programs / "postgres", "-D", data, *options],
            cwd="/",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_for(cluster / ".s.PGSQL.5432")
            run([*account, programs / "createdb", "-h", cluster, "-U", "fuse", "fuse_site"])
            yield folder, cluster, "fuse"
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(SERVER_SECONDS)


def run(command: list[str | Path]) -> None:
    subprocess.run(command, cwd="/", check=True, stdout=subprocess.DEVNULL)


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + SERVER_SECONDS
    while not path.exists():
        if time.monotonic() > deadline:
            raise SystemExit("PostgreSQL does not start.")
        time.sleep(0.05)


if __name__ == "__main__":
    main()
