"""Nodes for ``benchmarks.agent``: agents as processes, each with files of its own, and no servers to reload."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.measuring import environment
from tests.servers.processes import is_running

TOUCHED, REREADING = "touched sites", "all sites at each bell"
LONGEST = 600  # seconds, on a busy machine
#: The agent, with times and each statement in its log; and one that reads everything and writes everything each time.
PROGRAM = f"""
import logging, sys
logging.basicConfig(level=logging.INFO, format="%(created).6f %(message)s")
logging.getLogger("wagtail_multihost.node").setLevel(logging.DEBUG)
from wagtail_multihost.node import agent, database

class Known(agent.Agent):
    def turn(self):
        seconds = super().turn()
        logging.info("Revision %s is known", self.planner.applied)
        return seconds

class Rereading(Known):
    def turn(self):
        self.has_read, self.planner.owed.is_whole = False, True
        return super().turn()

def ask(self, statement, *others, ask=database.NodeDatabase.ask):
    logging.info("asked")
    return ask(self, statement, *others)

database.NodeDatabase.ask = ask
agent.Agent = Rereading if sys.argv[1] == {REREADING!r} else Known
from wagtail_multihost.node.command import run
sys.exit(run([]))
"""
LINE = re.compile(r"^(\d+\.\d+) (.*)$", re.MULTILINE)
SPECS, APPLIED = re.compile(r"The specs of revision (\d+) "), re.compile(r"Revision (\d+) is (?:applied|known)")
QUIET = re.compile(r"It was quiet after (\d+\.\d+) s")


class Moment(NamedTuple):
    """That a ``revision`` was reached, and ``at`` which second of the clock."""

    revision: int
    at: float


class Node:
    """A node below a ``folder`` of its own, with a login, whose ``sites`` are the placed ones."""

    def __init__(self, folder: Path, socket: Path, database: str, name: str, sites: Sequence[str]) -> None:
        self.folder, self.socket, self.database, self.name, self.sites = folder / name, socket, database, name, sites
        self.role = f"multihost_node_{name}"
        self.folder.mkdir(mode=0o755)
        (self.folder / "run").mkdir()
        self.hook = self.folder / "hook"
        self.reloads = self.folder / "reloads"
        self.write()

    def write(self) -> None:
        from tests.control.agents import CODEBASE
        from wagtail_multihost.registry.release import own_release, release_text

        (self.folder / "release.json").write_text(release_text(own_release(CODEBASE)))
        self.hook.write_text(f"#!/bin/sh\necho reloaded >> {self.reloads}\n")
        self.hook.chmod(0o755)
        agent = {
            "registry": f"postgres://{self.role}@{str(self.socket).replace('/', '%2F')}/{self.database}",
            "node": self.name,
            "targets": ["uwsgi"],
            "output": str(self.folder / "etc"),
            "release": str(self.folder / "release.json"),
            "reload": [str(self.hook)],
            # Nothing listens where no server is started.
            "start_seconds": 0.1,
        }
        places = {"data": "data", "snapshots": "sites", "sockets": "run"}
        lines = ["[platform]", *(f'{key} = "{self.folder / name}"' for key, name in places.items()), "[agent]"]
        lines += [f"{key} = {json.dumps(value)}" for key, value in agent.items()]
        lines += [f'[sites.{site}]\nsecret_key = "env:{key_name(site)}"' for site in self.sites]
        (self.folder / "node.toml").write_text("\n".join(lines))

    @contextmanager
    def running(self, side: str) -> Iterator[Process]:
        """Run the agent of a side while the block does."""
        keys = {key_name(site): f"a-secret-key-of-{site}-that-is-long-enough-to-be-accepted" for site in self.sites}
        own = environment(self.folder.parent, MULTIHOST_NODE_FILE=str(self.folder / "node.toml"), **keys)
        with open(self.folder / "log", "wb") as log:
            started = time.time()
            process = subprocess.Popen([sys.executable, "-c", PROGRAM, side], env=own, stdout=log, stderr=log)
        try:
            yield Process(self, process.pid, started)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(LONGEST)
            except subprocess.TimeoutExpired:
                process.kill()

    @property
    def vassals(self) -> Path:
        return self.folder / "etc" / "uwsgi"

    @property
    def reload_count(self) -> int:
        return self.reloads.read_text().count("reloaded") if self.reloads.exists() else 0

    def has(self, site: str, alias: str, harakiri: int) -> bool:
        """Return whether what was said last of a site is what its files say."""
        snapshot, ini = self.folder / "sites" / f"{site}.json", self.vassals / f"{site}.ini"
        if not (snapshot.exists() and ini.exists()):
            return False
        document = json.loads(snapshot.read_text())
        return document["site"].get("aliases") == [alias] and f"harakiri = {harakiri + 2}\n" in ini.read_text()


class Process(NamedTuple):
    """The agent of a ``node`` as a process, since when it was ``started``."""

    node: Node
    pid: int
    started: float

    @property
    def text(self) -> str:
        return (self.node.folder / "log").read_text()

    def moments(self, pattern: re.Pattern[str]) -> list[Moment]:
        """Return when each revision was reached."""
        lines = ((float(at), pattern.search(words)) for at, words in LINE.findall(self.text))
        return [Moment(int(found[1]), at) for at, found in lines if found]

    def quiet(self) -> list[tuple[float, float]]:
        """Return from when until when the agent waited for others to end."""
        lines = ((float(at), QUIET.search(words)) for at, words in LINE.findall(self.text))
        return [(at - float(found[1]), at) for at, found in lines if found]

    def wait_for(self, revision: int) -> float:
        """Wait until a revision is applied; return when it was."""
        deadline = time.time() + LONGEST
        while time.time() < deadline and is_running(self.pid):
            if found := [one.at for one in self.moments(APPLIED) if one.revision >= revision]:
                return found[0]
            time.sleep(0.1)
        raise SystemExit(f"The node {self.node.name} does not apply revision {revision}:\n{self.text[-2000:]}")

    @property
    def cpu(self) -> float:
        """Seconds of CPU, of the agent and of the programs that it has started."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")

    @property
    def peak(self) -> float:
        """The highest resident memory, in MiB."""
        found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{self.pid}/status").read_text())
        return int(found[1]) / 1024 if found else 0.0


def key_name(site: str) -> str:
    return f"KEY_{site.upper().replace('-', '_')}"
