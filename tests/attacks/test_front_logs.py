"""nginx's logs, which nginx makes 0644: closed to sites by their folder, and opened again after a rotation."""

from __future__ import annotations

import shutil
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.accounts import needs_root, passable_folder
from tests.emitters.conftest import make_site
from tests.emitters.front import opened_front
from tests.servers.accounts import Account
from tests.servers.processes import accepts, running, wait_for
from wagtail_multihost.spec.nginx import NginxOptions

pytestmark = [pytest.mark.servers, needs_root]


def test_a_site_reads_no_log_of_the_front_and_rotation_goes_on() -> None:
    """Without the folder the log would be open to all; with it, workers still open a new one after a rotation."""
    with passable_folder() as folder:
        front = opened_front(folder)
        plan = front.plan(make_site("aurora"))
        own = replace(plan.options(NginxOptions), user="www-data")
        conf = front.write(replace(plan, platform=plan.platform.with_options(own)))
        shutil.chown(folder / "logs", "root", "www-data")
        (folder / "logs").chmod(0o750)
        with running(["nginx", "-e", "stderr", "-c", conf, "-g", "daemon off;"], folder / "output.log") as process:
            wait_for(lambda: accepts(folder / "http.sock"), "nginx")
            front.ask("aurora.example.org", "/reset/one")
            log = next(path for path in (folder / "logs").iterdir() if path.name.startswith("access"))
            wait_for(lambda: "/reset/one" in log.read_text(), "the log")
            assert log.stat().st_mode & 0o004
            assert read_as_site(log) != 0
            log.rename(log.with_suffix(".1"))
            process.send_signal(signal.SIGUSR1)
            wait_for(log.exists, "the new log")

            def is_logged() -> bool:
                front.ask("aurora.example.org", "/reset/two")
                return "/reset/two" in log.read_text()

            wait_for(is_logged, "the new log's line")
            assert read_as_site(log) != 0


def read_as_site(log: Path) -> int:
    return subprocess.run(Account("games", "games").command("cat", log), capture_output=True, check=False).returncode
