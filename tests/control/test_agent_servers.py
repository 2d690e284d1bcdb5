"""The agent with the servers that it is for: nginx, uWSGI's emperor, and a small site for each account."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.accounts import needs_root
from tests.control.agents import CODEBASE, AgentProcess, agent_of
from tests.control.fleet import Fleet, prepare_fleet
from tests.servers.nginx import accepts as has_listener
from tests.servers.nginx import raw, running_nginx, status_of
from tests.servers.postgres import Postgres
from tests.servers.processes import children, free_port, running, wait_for
from tests.servers.workshop import open_python
from tests.test_docs import DOCS
from wagtail_multihost.control.changes import EditSite
from wagtail_multihost.control.edits import set_value
from wagtail_multihost.control.models import Node
from wagtail_multihost.nodeapi.node_states import AWAY

pytestmark = [pytest.mark.servers, needs_root]
HOW_TO = DOCS / "how-to" / "run-the-agent.md"
#: Accounts that every Debian has, with a group of the same name: the sites are named like them.
SITES = CHANGED, OTHER = ("games", "news")
STUB = """
import json, os

def application(environ, start_response):
    body = json.dumps({"site": os.environ["MULTIHOST_SITE"], "worker": os.getpid()}).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
"""
PLATFORM = """
user = "{{site}}"
group = "{{site}}"
sockets = "{folder}/run"
[platform.nginx]
http = ["127.0.0.1:{port}"]
pid = "{folder}/nginx.pid"
logs = "{folder}/logs"
temp = "{folder}/temp"
cache_path = "{folder}/cache"
"""


class Served:
    """A node with servers below a short ``folder``, asked at the ``port`` of its nginx."""

    def __init__(self, folder: Path, agent: AgentProcess) -> None:
        self.folder, self.agent, self.port = folder, agent, free_port()
        for name, mode in (("logs", 0o755), ("temp", 0o755), ("run", 0o750), ("code", 0o755), ("data", 0o711)):
            (folder / name).mkdir()
            (folder / name).chmod(mode)
        shutil.chown(folder / "run", "root", "www-data")
        (folder / "code" / "stub.py").write_text(STUB)
        for site in SITES:
            (folder / "data" / "sites" / site / "tmp").mkdir(parents=True)
            for path in (folder / "data" / "sites" / site, folder / "data" / "sites" / site / "tmp"):
                shutil.chown(path, site, site)
        self.virtualenv = open_python(folder).parent.parent
        agent.codebase = replace(
            CODEBASE, directory=folder / "code", virtualenv=self.virtualenv, wsgi="stub:application"
        )
        agent.data, agent.output, agent.snapshots = folder / "data", folder / "etc", folder / "sites"
        agent.platform = PLATFORM.format(folder=folder, port=self.port)
        agent.give_key(*SITES)

    def ask(self, host: str) -> str:
        return raw(self.port, "GET / HTTP/1.1", f"Host: {host}")

    def site_of(self, host: str) -> tuple[str, int]:
        """Return which site answers for a host, and by which of its processes."""
        answer = self.ask(host)
        if status_of(answer) != 200:
            return "", 0
        found = json.loads(answer.partition("\r\n\r\n")[2])
        return found["site"], found["worker"]


@pytest.fixture(name="served")
def _served(live_fleet: Fleet, postgres: Postgres, open_folder: Path, tmp_path: Path) -> Iterator[Served]:
    prepare_fleet({"name": "aviary", "origin": "http://{hostname}"})
    with agent_of(postgres, tmp_path, targets=("nginx", "uwsgi")) as agent:
        for site in SITES:
            live_fleet.add(site, uwsgi={"processes": 1})
        folder = open_folder / f"n{free_port()}"
        folder.mkdir()
        yield Served(folder, agent)


@contextlib.contextmanager
def running_servers(served: Served) -> Iterator[None]:
    etc, log = served.folder / "etc", served.folder / "uwsgi.log"
    emperor = ["setpriv", "--no-new-privs", served.virtualenv / "bin/uwsgi", "--ini", etc / "uwsgi-emperor/emperor.ini"]
    with (
        running(emperor, log, {"PATH": "/usr/bin:/bin"}, cwd=Path("/")),
        running_nginx(etc / "nginx" / "nginx.conf", served.folder / "nginx.log", served.port),
    ):
        for site in SITES:
            wait_for(lambda site=site: served.site_of(f"{site}.example.com")[0] == site, f"the site {site}")
        yield


def test_changes_are_answered_over_http_and_restart_no_other_site(live_fleet: Fleet, served: Served) -> None:
    agent, changed = served.agent, live_fleet.site(CHANGED)
    done = agent.once()
    assert done.returncode == 0, done.stderr
    agent.reload_by(f"kill -HUP $(cat {served.folder}/nginx.pid)")
    agent.agent["verify"] = f"http://127.0.0.1:{served.port}/-/generation"
    agent.write()
    with running_servers(served), agent.running():
        first, other = served.site_of(f"{CHANGED}.example.com")[1], served.site_of(f"{OTHER}.example.com")
        assert served.site_of("new.example.com") == ("", 0)
        live_fleet.apply(
            EditSite(changed.uid, set_value(("hostnames",), ["new.example.com", f"{CHANGED}.example.com"]))
        )
        agent.wait_until_applied(live_fleet.revision)
        # A process reads its hostnames when it starts.
        wait_for(lambda: served.site_of("new.example.com")[1] not in (0, first), "the new hostname, and process")
        assert served.site_of("new.example.com")[0] == CHANGED
        live_fleet.apply(EditSite(changed.uid, set_value(("enabled",), False)))
        agent.wait_until_applied(live_fleet.revision)
        for host in ("new.example.com", f"{CHANGED}.example.com"):
            assert served.site_of(host) == ("", 0)
        assert served.site_of(f"{OTHER}.example.com") == other


#: The capabilities that the how-to leaves, by their numbers in linux/capability.h.
BOUNDED = sum(1 << number for number in (0, 1, 3, 4, 5, 6, 7, 10))


def rights_of(pid: int) -> tuple[int, str]:
    """Return which capabilities a process can ever have, and whether it can get no new ones."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(status["CapBnd"], 16), status["NoNewPrivs"].strip()


def test_container_is_ready_drains_and_stops_in_order(live_fleet: Fleet, served: Served) -> None:
    """One container with agent, nginx and emperor, under supervisord by the example's files, and with their rights."""
    agent, etc, ready = served.agent, served.folder / "etc", served.folder / "ready"
    own = served.folder / "multihost"
    own.mkdir()
    for name in ("supervisord.conf", "serve-when-there.sh", "reload-servers.sh"):
        text = (DOCS / "examples" / name).read_text()
        for old, new in (
            ("/etc/multihost/nginx", f"{etc}/nginx"),
            ("/etc/multihost/uwsgi-emperor", f"{etc}/uwsgi-emperor"),
            ("/etc/multihost/", f"{own}/"),
            ("/run/multihost/", f"{own}/"),
            ("/srv/venv/bin/multihost-agent", " ".join(agent.command)),
            ("/srv/venv/", f"{served.virtualenv}/"),
        ):
            text = text.replace(old, new)
        (own / name).write_text(text)
    agent.agent |= {
        "reload": ["sh", str(own / "reload-servers.sh")],
        "verify": f"http://127.0.0.1:{served.port}/-/generation",
        "drains": True,
        "drain_seconds": 2,
        "ready": str(ready),
    }
    agent.write()
    added = re.findall("--cap-add=(\\w+)", HOW_TO.read_text())
    bounding = ",".join(["-all", *(f"+{name.lower()}" for name in added)])
    words = ["setpriv", "--no-new-privs", f"--bounding-set={bounding}"]
    words += ["/usr/bin/supervisord", "-c", str(own / "supervisord.conf")]
    with running(words, served.folder / "container.log", agent.environ, cwd=Path("/")) as container:
        wait_for(ready.exists, "the container to be ready")
        for site in SITES:
            wait_for(lambda site=site: served.site_of(f"{site}.example.com")[0] == site, f"the site {site}")
        assert {rights_of(pid) for pid in (container.pid, *children(container.pid))} == {(BOUNDED, "1")}
        container.send_signal(signal.SIGTERM)
        # There is no front server that could still ask it: test_fronts_servers.py has some.
        wait_for(lambda: Node.objects.get(pk="web1").state == AWAY, "the node to be away")
        assert not ready.exists()
        assert container.wait(60) == 0
        assert not has_listener(served.port)
    log = (served.folder / "container.log").read_text()
    stopped = [line.rpartition("stopped: ")[2].split()[0] for line in log.splitlines() if " stopped: " in line]
    assert stopped == ["agent", "nginx", "emperor"]
