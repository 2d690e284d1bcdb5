"""Agents as processes, each with a node file, folders and a login of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tests.control.fleet import OPERATOR
from tests.control.node_roles import NodeLogin, node_login
from tests.control.roles import PASSWORD, Roles
from tests.servers.postgres import HOST, Postgres
from tests.servers.processes import running, wait_for
from wagtail_multihost.control.models import Report
from wagtail_multihost.control.nodes import save_group, save_node
from wagtail_multihost.node.command import run
from wagtail_multihost.nodeapi.node_states import ALL
from wagtail_multihost.registry.release import Release, release_text
from wagtail_multihost.registry.snapshot_formats import FORMATS
from wagtail_multihost.spec.codebase import Codebase
from wagtail_multihost.version import own_version

#: What the project of the sites is; servers' files are made of it, and nothing is started.
CODEBASE = Codebase(
    directory=Path("/srv/project"),
    virtualenv=Path(sys.prefix),
    wsgi="project.wsgi:application",
    settings_module="project.settings",
    static_root=None,
    static_url="/static/",
    media_url="/media/",
)


class AgentProcess:
    """The agent of the node of a ``login``, below a ``folder`` of its own."""

    codebase = CODEBASE

    def __init__(self, folder: Path, login: NodeLogin, targets: tuple[str, ...] = ("uwsgi",), **agent: Any) -> None:
        self.folder, self.login = folder, login
        self.targets, self.agent = targets, agent
        self.server_port = login.server.port
        self.output, self.snapshots = folder / "etc", folder / "sites"
        self.keys: dict[str, str] = {}
        #: Secrets of sites, by the names of their variables, which the node file accepts.
        self.secrets: dict[str, str] = {}
        self.data, self.codebase = folder / "data", CODEBASE
        self.platform = ""
        #: Variables of the agent's process besides its keys.
        self.more: dict[str, str] = {}
        folder.mkdir(exist_ok=True)
        self.write()

    def write(self) -> None:
        """Write the files that only root of the node may change."""
        (self.folder / "pgpass").write_text(f"*:*:*:*:{PASSWORD}\n")
        (self.folder / "pgpass").chmod(0o600)
        release = Release(self.codebase, own_version(), tuple(sorted(FORMATS)))
        (self.folder / "release.json").write_text(release_text(release))
        login = self.login
        url = f"postgres://{login.role}@{HOST}:{self.server_port}/{login.database}?passfile={self.folder}/pgpass"
        agent = {
            "registry": url,
            "node": login.node,
            "targets": list(self.targets),
            "output": str(self.output),
            "release": str(self.folder / "release.json"),
            "poll": 1,
            # Nothing listens where no server is started.
            "start_seconds": 0.1,
            **self.agent,
        }
        lines = ["[platform]", f'data = "{self.data}"', f'snapshots = "{self.snapshots}"', self.platform]
        lines += ["[agent]", *(f"{key} = {json.dumps(value)}" for key, value in agent.items())]
        lines += ["[secrets]", 'variables = "SECRET_{SITE}__"'] if self.secrets else []
        for site in self.keys:
            lines += [f"[sites.{site}]", f'secret_key = "env:{self.variable(site)}"']
        (self.folder / "node.toml").write_text("\n".join(lines))

    def reload_by(self, script: str = "") -> None:
        """Reload by a script, of which each run leaves a line; it fails where ``script`` exits with 1."""
        path = self.folder / "reload.sh"
        path.write_text(f"echo once >> {self.folder}/reloads\n{script}\n")
        self.agent["reload"] = ["sh", str(path)]
        self.write()

    @property
    def reloads(self) -> int:
        """How often the servers were reloaded."""
        path = self.folder / "reloads"
        return len(path.read_text().splitlines()) if path.exists() else 0

    @property
    def files(self) -> dict[str, tuple[bytes, int]]:
        """What is in every file that servers and sites read, and the number of the file, which a new one has not."""
        folders = [self.snapshots, *(path for path in self.output.iterdir() if path.name != ".multihost")]
        found = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
        return {str(path): (path.read_bytes(), path.stat().st_ino) for path in found}

    def give_key(self, *sites: str) -> None:
        """Let the node have a secret key for each of the sites."""
        self.keys |= {site: f"a-secret-key-of-{site}-that-is-long-enough-to-be-accepted" for site in sites}
        self.write()

    def variable(self, site: str) -> str:
        return f"KEY_OF_{site.upper().replace('-', '_')}"

    @property
    def environ(self) -> Mapping[str, str]:
        keys = {self.variable(site): key for site, key in self.keys.items()}
        return {
            **os.environ,
            **keys,
            **self.secrets,
            **self.more,
            "MULTIHOST_NODE_FILE": str(self.folder / "node.toml"),
        }

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-P", "-m", "wagtail_multihost.node"]

    def call(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the command with arguments."""
        return subprocess.run(
            [*self.command, *words], env=self.environ, capture_output=True, text=True, check=False, timeout=60
        )

    def call_here(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the command, which must end by itself and take no signals, in this process: it starts faster."""
        out, err = StringIO(), StringIO()
        with patch.dict(os.environ, self.environ), redirect_stdout(out), redirect_stderr(err):
            code = run(words)
        return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())

    def once(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Let the agent apply what the registry says now."""
        return self.call(*(words or ("--once",)))

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run the agent while the block does; it must end by itself when it is told to."""
        with running(self.command, self.folder / "agent.log", environ=self.environ) as process:
            yield process
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                assert process.wait(30) == 0, self.log

    @property
    def log(self) -> str:
        return (self.folder / "agent.log").read_text()

    @property
    def vassals(self) -> list[str]:
        """The sites that uWSGI is told to run."""
        return sorted(path.stem for path in self.output.glob("uwsgi/*.ini"))

    @property
    def published(self) -> list[str]:
        """The sites that have a snapshot."""
        return sorted(path.name.partition(".")[0] for path in self.snapshots.iterdir() if path.is_file())

    def wait_until_applied(self, revision: int) -> None:
        wait_for(
            lambda: self.report is not None and self.report.applied >= revision, f"revision {revision} on the node"
        )

    @property
    def report(self) -> Report | None:
        return Report.objects.filter(pk=self.login.node).first()

    def condition(self, kind: str) -> dict[str, Any]:
        rows = self.report.conditions if self.report else []
        return next((row for row in rows if row["type"] == kind), {})


@contextmanager
def agent_of(server: Postgres, folder: Path, holds: str = ALL, **agent: Any) -> Iterator[AgentProcess]:
    """Make the node web1, whose group ``holds`` all sites or placed ones, and give its agent."""
    Roles(server).make()
    save_group(OPERATOR, "group", holds)
    save_node(OPERATOR, "web1", "group")
    with node_login(server, "web1") as login:
        yield AgentProcess(folder / "web1", login, **agent)
