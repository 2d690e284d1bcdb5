"""
Machines of a fleet as processes on this one: nodes with an agent, nginx and uWSGI, a front server with an agent and
nginx, and visitors who ask steadily.
"""

from __future__ import annotations

import getpass
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.control.agents import CODEBASE, AgentProcess
from tests.control.node_roles import NodeLogin
from tests.emitters.front import Answer, exchange
from tests.servers.processes import children, free_port, is_running, running, wait_for
from wagtail_multihost.control.models import Node
from wagtail_multihost.registry.release import Release, release_text
from wagtail_multihost.registry.snapshot_formats import FORMATS
from wagtail_multihost.spec.codebase import Codebase
from wagtail_multihost.version import own_version

#: Says which site it is, and on which node; where one process listens for all sites, by the host.
APPLICATION = """
import os

SITE = os.environ.get("MULTIHOST_SITE")


def application(environ, start_response):
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    body = ((SITE or environ["HTTP_HOST"].partition(".")[0]) + " on {node}").encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
"""
#: Starts a server that does not run, with its process id in a file, and has nginx read its files again.
HOOK = """#!/bin/sh
set -e
cd {folder}
runs() {{ test -s $1 && kill -0 $(cat $1) 2>/dev/null; }}
if runs nginx.pid; then
    kill -HUP $(cat nginx.pid)
else
    nginx -e stderr -c {output}/nginx/nginx.conf >>nginx.log 2>&1 </dev/null
fi
{more}
"""
EMPEROR = """
if ! runs uwsgi.pid; then
    setsid {uwsgi} --ini {output}/uwsgi-emperor/emperor.ini >uwsgi.log 2>&1 </dev/null &
    echo $! >uwsgi.pid
fi
"""
#: One small uWSGI that listens for all sites: what is measured is the fleet, and not a thousand masters.
SHARED = """
if ! runs uwsgi.pid; then
    setsid {uwsgi} --socket {folder}/run/shared.sock --chmod-socket=666 --listen 100 --master --processes 1 \\
        --threads 4 --need-app --die-on-term --chdir {folder}/code --module site_of:application \\
        >uwsgi.log 2>&1 </dev/null &
    echo $! >uwsgi.pid
fi
"""
SECONDS = 30


class Machine(AgentProcess):
    """A machine of the fleet; ``servers`` is what else the hook starts there."""

    def __init__(
        self, folder: Path, login: NodeLogin, port: int, targets: tuple[str, ...], servers: str, **agent: Any
    ) -> None:
        self.port, self.tls_port = port, free_port()
        for name in ("logs", "temp", "run", "code"):
            (folder / name).mkdir(parents=True)
        self.servers = servers
        self.process: subprocess.Popen[bytes] | None = None
        self.stack = ExitStack()
        hook = folder / "hook"
        verify = f"http://127.0.0.1:{port}/-/generation"
        super().__init__(folder, login, targets, **{"reload": [str(hook)], "verify": verify, "poll": 5, **agent})
        words = {"folder": folder, "output": self.output, "uwsgi": Path(sys.executable).with_name("uwsgi")}
        hook.write_text(HOOK.format(more=servers.format(**words), **words))
        hook.chmod(0o755)
        (folder / "code/site_of.py").write_text(APPLICATION.format(node=login.node))

    def write(self) -> None:
        folder = self.folder
        nginx = {
            "user": getpass.getuser(),
            "pid": folder / "nginx.pid",
            "logs": folder / "logs",
            "temp": folder / "temp",
            "cache_path": folder / "cache",
        }
        lines = [f'sockets = "{folder}/run"', *self.own_platform(), "[platform.nginx]"]
        lines += [*(f'{key} = "{value}"' for key, value in nginx.items()), *self.own_nginx()]
        self.platform = "\n".join(lines)
        super().write()
        release = Release(self.own_codebase(), own_version(), tuple(sorted(FORMATS)))
        (folder / "release.json").write_text(release_text(release))

    def own_codebase(self) -> Codebase:
        return replace(CODEBASE, directory=self.folder / "code", wsgi="site_of:application")

    def own_platform(self) -> Sequence[str]:
        return ()

    def own_nginx(self) -> Sequence[str]:
        return ()

    def start(self) -> None:
        """Start the agent, which has the hook start the servers."""
        self.process = self.stack.enter_context(
            running(self.command, self.folder / "agent.log", environ=self.environ, cwd=Path("/"))
        )

    @property
    def state(self) -> str:
        return str(Node.objects.get(pk=self.login.node).state)

    def wait_until_active(self) -> None:
        wait_for(lambda: self.state == "active" or self.has_ended, f"the node {self.login.node}", 120)
        assert not self.has_ended, self.log

    @property
    def has_ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def pid_of(self, server: str) -> int | None:
        with suppress(OSError, ValueError):
            return int((self.folder / f"{server}.pid").read_text())
        return None

    @property
    def pids(self) -> list[int]:
        """The servers' processes, each before those that it has started."""
        found = []
        for pid in filter(None, map(self.pid_of, ("nginx", "uwsgi"))):
            with suppress(OSError):
                found += [pid, *children(pid)]
        return found

    def leave(self) -> None:
        """Stop as a container is stopped: the agent first, which leaves the fleet, and then the servers."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(SECONDS * 2) == 0, self.log
        self.stop_servers()

    def stop_servers(self) -> None:
        """Let nginx finish what it has begun (SIGQUIT), and then uWSGI."""
        for server, number in (("nginx", signal.SIGQUIT), ("uwsgi", signal.SIGTERM)):
            pid = self.pid_of(server)
            if pid is not None and is_running(pid):
                own = [pid, *children(pid)]
                os.kill(pid, number)
                wait_for(lambda: not any(map(is_running, own)), f"the end of {server}")  # noqa: B023

    def kill(self) -> None:
        """End all processes of the machine at once, as when its power goes."""
        assert self.process is not None
        for pid in (self.process.pid, *self.pids):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(SECONDS)

    def close(self) -> None:
        for pid in self.pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.stack.close()


class FrontMachine(Machine):
    """The front server, which visitors ask."""

    certificates = False

    def __init__(self, folder: Path, login: NodeLogin, **agent: Any) -> None:
        super().__init__(folder, login, free_port(), ("nginx",), "", node_networks=["127.0.0.0/8"], **agent)

    def own_platform(self) -> Sequence[str]:
        if not self.certificates:
            return ()
        names = ", ".join(f'{key} = "{self.folder}/tls/{{hostname}}.{end}"' for key, end in TLS_FILES)
        return (f"tls = {{ {names} }}",)

    def own_nginx(self) -> Sequence[str]:
        return (f'http = ["127.0.0.1:{self.port}"]', f'https = ["127.0.0.1:{self.tls_port}"]')

    def ask(self, host: str, path: str = "/", *, method: str = "GET") -> Answer:
        """Ask as a visitor does; the status is 0 where there is no answer."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), SECONDS) as connection:
                return exchange(connection, host, path, method, "a" if method == "POST" else "", {})
        except OSError:
            return Answer(0)

    def serves(self, host: str, site: str, *nodes: str, path: str = "/") -> bool:
        """Return whether a hostname is answered by a site, on one of the nodes if any are named."""
        answer = self.ask(host, path)
        body = [f"{site} on {node}" for node in nodes]
        return answer.status == 200 and (answer.body in body if nodes else answer.body.startswith(f"{site} on "))


TLS_FILES = (("certificate", "pem"), ("key", "key"))


class Prober:
    """Visitors who ask one site after the other, ``rate`` times a second, each by a connection of its own."""

    def __init__(self, front: FrontMachine, hosts: dict[str, str], rate: float = 50, path: str = "/") -> None:
        self.front, self.hosts, self.rate, self.path = front, hosts, rate, path
        self.failures: list[str] = []
        self.answers: Counter[str] = Counter()
        self.seconds: list[float] = []
        self.ended = threading.Event()
        self.method: Callable[[int], str] = lambda number: "GET"

    @property
    def count(self) -> int:
        return len(self.seconds)

    def ask(self, number: int, host: str, site: str) -> None:
        method, began = self.method(number), time.monotonic()
        answer = self.front.ask(host, self.path, method=method)
        self.seconds.append(time.monotonic() - began)
        whose, _, node = answer.body.partition(" on ")
        if answer.status == 200 and whose == site:
            self.answers[node] += 1
        else:
            self.failures.append(f"{time.time():.3f} {method} {host}: {answer.status} {answer.body[:80]!r}")

    def asked(self, node: str) -> bool:
        """Return whether a node has answered."""
        return self.answers[node] > 0

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self.run)
        thread.start()
        try:
            yield
        finally:
            self.ended.set()
            thread.join()

    def run(self) -> None:
        began, pairs = time.monotonic(), sorted(self.hosts.items())
        with ThreadPoolExecutor(16) as pool:
            number = 0
            while not self.ended.wait(max(0.0, began + number / self.rate - time.monotonic())):
                pool.submit(self.ask, number, *pairs[number % len(pairs)])
                number += 1
