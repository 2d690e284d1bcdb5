"""Nodes that a test kills, cuts off and edits by hand: real agents and nginx, and uWSGI or what stands in for it."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.control.front_fleet import EMPEROR, SECONDS, Machine
from tests.control.lines import Line
from tests.control.node_roles import NodeLogin
from tests.servers.uwsgi import ask
from wagtail_multihost.node.database import WHOLE
from wagtail_multihost.node.on_disk import digest_of

#: Before the hook reloads: the agent is killed in the middle of an apply, or the servers refuse.
FAULTS = """#!/bin/sh
cd {folder}
if test -e kill; then
    rm kill
    kill -KILL $PPID
fi
test ! -e refuse || exit 1
"""
#: After it: what the servers were told to read.
NOTE = """
cd {output}
find . -path ./.multihost -prune -o -type f -print | LC_ALL=C sort | xargs sha256sum >{folder}/told.new
mv {folder}/told.new {folder}/told
"""
#: Says which site it is, and which snapshot it has read.
APPLICATION = """
import json, os
from pathlib import Path
from wagtail_multihost.node.on_disk import digest_of

SITE = os.environ["MULTIHOST_SITE"]
READ = json.loads(Path("{snapshots}", SITE + ".json").read_text())
BODY = json.dumps({{"site": SITE, "digest": digest_of(READ)}}).encode()


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(BODY)))])
    return [BODY]
"""
#: What differs from one snapshot to the next although the site is the same: the digest is of these, too.
PASSING = ("created", "revision", "digest")
SOCKET = re.compile(r"^socket = (.+)$", re.MULTILINE)


def told_at(path: Path) -> Any:
    """Return what the process at a socket says; None where there is none."""
    try:
        return json.loads(ask(path, "/").partition("\r\n\r\n")[2])
    except OSError:
        return None


class StandIn:
    """Listens at the sockets of the sites that uWSGI is told to run, as its emperor would have them do."""

    def __init__(self, vassals: Path) -> None:
        self.vassals = vassals
        self.listeners: dict[Path, socket.socket] = {}
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def work(self) -> None:
        while not self.ended.wait(0.05):
            wanted = set(sockets_of(self.vassals).values())
            for path in wanted - self.listeners.keys():
                self.listen(path)
            for path in self.listeners.keys() - wanted:
                self.listeners.pop(path).close()
                path.unlink()

    def listen(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self.listeners[path] = socket.socket(socket.AF_UNIX)
        self.listeners[path].bind(str(path))
        self.listeners[path].listen()

    def close(self) -> None:
        self.ended.set()
        self.thread.join()
        for listener in self.listeners.values():
            listener.close()


def sockets_of(vassals: Path) -> dict[str, Path]:
    """Return the sockets of the sites that uWSGI is told to run; what is edited by hand has none."""
    found = {}
    for path in vassals.glob("*.ini"):
        with suppress(FileNotFoundError):
            if match := SOCKET.search(path.read_text()):
                found[path.stem] = Path(match[1])
    return found


class RandomNode(Machine):
    """A node behind a ``line`` to the registry; ``is_served`` by a real uWSGI or not."""

    def __init__(self, folder: Path, login: NodeLogin, port: int, line: Line, *, is_served: bool) -> None:
        self.line, self.is_served, self.starts = line, is_served, 0
        super().__init__(
            folder, login, port, ("nginx", "uwsgi"), EMPEROR if is_served else "", poll=2, integrity=1, start_seconds=30
        )
        self.server_port = line.port
        words = {"folder": folder, "output": self.output}
        hook = folder / "hook"
        hook.write_text(FAULTS.format(**words) + hook.read_text() + NOTE.format(**words))
        (folder / "code/site_of.py").write_text(APPLICATION.format(snapshots=self.snapshots))
        self.stand_in = None if is_served else StandIn(self.output / "uwsgi")

    # What happens to it

    @property
    def runs(self) -> bool:
        return self.process is not None and not self.has_ended

    def start(self) -> None:
        """Start the agent; the log of the one before is kept."""
        with suppress(FileNotFoundError):
            (self.folder / "agent.log").rename(self.folder / f"agent.{self.starts}.log")
        self.starts += 1
        super().start()

    def kill_agent(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(SECONDS)

    def stop(self) -> int:
        """
        Stop the agent, which finishes or undoes what it has begun; return its exit code. It may wait for the answer to
        its first question, with everything, on a line that fell silent.
        """
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(SECONDS + WHOLE)

    def kill_in_reload(self) -> None:
        """Let the next reload kill the agent."""
        (self.folder / "kill").touch()

    def refuse(self, *, does: bool) -> None:
        """Let the servers refuse everything, or take it again."""
        path = self.folder / "refuse"
        path.touch() if does else path.unlink(missing_ok=True)

    def edit(self, what: str, number: int) -> None:
        """Do something to one of the files by hand."""
        found = sorted(self.files_of(what))
        if found:
            path = found[number % len(found)]
            with suppress(FileNotFoundError):  # the agent works on it at this moment
                if number % 3 == 0:
                    path.unlink()
                elif number % 3 == 1:
                    path.write_text("# By hand.\n")
                else:
                    path.chmod(0o666)

    def files_of(self, what: str) -> Iterator[Path]:
        yield from self.snapshots.glob("*.json") if what == "sites" else self.output.glob(f"{what}/*.*")

    def mend(self) -> None:
        """Take all faults back, and start the agent if it does not run."""
        self.refuse(does=False)
        (self.folder / "kill").unlink(missing_ok=True)
        self.line.mend()
        if not self.runs:
            self.start()

    def close(self) -> None:
        self.kill_agent()  # which would start servers again
        super().close()
        if self.stand_in is not None:
            self.stand_in.close()

    # What it is

    @property
    def documents(self) -> dict[str, dict[str, Any]]:
        """The snapshots by the sites' ids."""
        return {path.stem: json.loads(path.read_text()) for path in self.snapshots.glob("*.json")}

    @property
    def left_over(self) -> list[Path]:
        """What an apply or a write has left behind."""
        found = self.folder.glob("*/**/*")
        return [path for path in found if path.suffix == ".tmp" or path.name.startswith(("journal", "pending"))]

    def is_told(self) -> bool:
        """Return whether the servers were last told to read what the files are now."""
        told = (self.folder / "told").read_text().splitlines()
        found = {line.partition("  ./")[2]: line.partition(" ")[0] for line in told}
        paths = [path for path in self.output.rglob("*") if path.is_file() and ".multihost" not in path.parts]
        now = {str(path.relative_to(self.output)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
        return found == now

    def serves(self) -> bool:
        """Return whether there are the processes of the sites that there should be, with their newest snapshots."""
        sockets = sockets_of(self.output / "uwsgi")
        wanted = {path: {"site": site, "digest": digest_of(self.documents[site])} for site, path in sockets.items()}
        return {path: told for path in (self.folder / "run").iterdir() if (told := told_at(path))} == wanted

    def contents(self) -> dict[str, object]:
        """Return all that an agent has made, less what counts how often: the agent compares that with nginx itself."""
        found: dict[str, object] = {
            name: {key: value for key, value in document.items() if key not in PASSING}
            for name, document in self.documents.items()
        }
        for path in self.output.rglob("*"):
            if path.is_file() and ".multihost" not in path.parts and path.name != "generation.conf":
                found[str(path.relative_to(self.output))] = (path.read_text(), path.stat().st_mode, path.stat().st_gid)
        return found

    def contents_anew(self) -> dict[str, object]:
        """Return what an agent makes of the registry on an empty disk, in the same place; the servers are not told."""
        for path in (self.output, self.snapshots, self.data):
            shutil.move(path, path.with_name(f"{path.name}.was"))
        for option in ("reload", "verify"):
            self.agent.pop(option)
        self.agent["start_seconds"] = 0.1
        self.write()
        done = subprocess.run(
            [*self.command, "--once"], env=self.environ, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return self.contents()
