"""nginx that goes on with an older configuration than the one on the disk is noticed, and reloaded."""

from __future__ import annotations

import getpass
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from tests.node.machine import Machine
from tests.servers.nginx import PROGRAM, running_nginx
from tests.servers.processes import free_port
from wagtail_multihost.node.applying import Applier
from wagtail_multihost.node.comparing import find_drift
from wagtail_multihost.node.conditions import Conditions
from wagtail_multihost.node.integrity import HEALED, Integrity
from wagtail_multihost.nodeapi.drift_kinds import GENERATION
from wagtail_multihost.nodeapi.node_states import DRIFT

pytestmark = pytest.mark.servers


def test_older_generation_is_noticed_and_nginx_reloaded() -> None:
    with tempfile.TemporaryDirectory(prefix="mh-") as name:
        folder, port = Path(name), free_port()
        folder.chmod(0o755)
        for part in ("logs", "temp"):
            (folder / part).mkdir()
        nginx = {
            "http": f'["127.0.0.1:{port}"]',
            "https": '["127.0.0.1:8443"]',
            "user": f'"{getpass.getuser()}"',
            "pid": f'"{folder}/nginx.pid"',
            "logs": f'"{folder}/logs"',
            "temp": f'"{folder}/temp"',
        }
        platform = "\n".join(f"nginx.{key} = {value}" for key, value in nginx.items())
        machine = Machine(folder, "aurora", platform=platform, targets='"nginx"')
        silent = machine.applier
        machine.apply()
        config = folder / "etc" / "nginx" / "nginx.conf"
        with running_nginx(config, folder / "log", port):
            machine.sites["aurora"]["hostnames"].append("more.example.com")
            machine.apply()  # without a hook: nginx does not hear of it
            options = replace(
                silent.options,
                reload=(str(PROGRAM), "-e", "stderr", "-c", str(config), "-s", "reload"),
                verify=f"http://127.0.0.1:{port}/-/generation",
            )
            applier = Applier(options, silent.registry, lambda: False)
            (found,) = find_drift(applier, machine.specs)
            assert found.kind == GENERATION
            conditions = Conditions()
            assert Integrity(applier, 300).look(machine.specs, conditions, (), ())
            assert conditions.found[DRIFT]["reason"] == HEALED
            assert find_drift(applier, machine.specs) == []
