"""Real front servers before the health endpoint: what is closed, whom they let through, and what the site hears."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.emitters.conftest import make_codebase, make_site, written
from tests.emitters.front import SECONDS, Answer, Front, exchange, opened_front
from tests.emitters.test_nginx_content_servers import Application
from tests.emitters.test_nginx_nodes_servers import serving as serving_nodes
from tests.health.samples import endpoint
from tests.servers.applications import application
from tests.servers.processes import accepts, free_port, running, wait_for
from tests.servers.router import emperor, local_plan
from wagtail_multihost.emitters import Plan
from wagtail_multihost.health.middleware import FORWARDED
from wagtail_multihost.health.proof import Prover
from wagtail_multihost.health.wsgi import request_from_environ
from wagtail_multihost.spec.proofs import is_proof, make_nonce, make_probe_key, public_probe_key
from wagtail_multihost.spec.uwsgi import UwsgiOptions

pytestmark = pytest.mark.servers

HOST, OTHER = "aurora.example.org", "borealis.example.org"
#: Loopback addresses: who is named, a proxy, and anybody.
NAMED, PROXY, ANYBODY = "127.0.0.2", "127.0.0.3", "127.0.0.4"
OPEN = ("live", "ready/", "startup", "health", "health.json", "health.html/", "metrics", "site/aurora")
SHUT = (
    "drain",
    "drain/",
    "",
    "x",
    "live/x",
    "site/",
    "%64rain",
    "live/../drain",
    "health/../drain/",
    "/drain",
    "drain?x",
)
ENVIRON = """
import json

def application(environ, start_response):
    body = json.dumps({key: value for key, value in environ.items() if isinstance(value, str)}).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
"""
LIES = dict.fromkeys(("Via", "X_Forwarded_For", "X_Real_IP", "Forwarded"), "10.9.9.9")


@pytest.fixture
def front() -> Iterator[Front]:
    """A folder whose path is short enough for unix sockets."""
    with tempfile.TemporaryDirectory(prefix="mh-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield opened_front(folder)


def ask(port: int, path: str, source: str = ANYBODY, method: str = "GET", host: str = HOST, **headers: str) -> Answer:
    """Send a request as it stands from the address ``source``."""
    with socket.create_connection(("127.0.0.1", port), SECONDS, (source, 0)) as connection:
        return exchange(connection, host, path, method, "", headers)


def spellings(prefix: str) -> list[str]:
    """Return ways of writing a path of the endpoint that a server on the way might read as it."""
    first, rest = prefix[1], prefix[2:]
    return [
        prefix[:-1],
        f"{prefix}live",
        f"/{prefix}live/",
        f"{prefix}/live/",
        f"/%{ord(first):02x}{rest}live/",
        f"/%{ord(first):02X}{rest[:-1]}%2Flive/",
        f"/.{prefix}live",
        f"/x/..{prefix}live/",
        f"/x/%2e%2e{prefix}live/",
        f"/x%2f..{prefix}live/",
        f"/\\{prefix}../..{prefix}live/",
        f"http://{HOST}{prefix}live/",
        f"{prefix}live?x=1",
        f"{prefix}live#x",
        f"{prefix}drain",
    ]


def with_prefix(plan: Plan, prefix: str) -> Plan:
    return replace(plan, codebase=replace(plan.codebase, health_prefix=prefix))


@pytest.mark.parametrize("own", [{}, {"nginx": (("body_size", "1k"),)}])
@pytest.mark.parametrize("prefix", ["/ops/health.d/", "/~probe/"])
def test_stated_prefix_is_closed_in_every_spelling(front: Front, own: dict[str, Any], prefix: str) -> None:
    """No spelling of a path below the project's own prefix, or below /-/, reaches the site; its neighbours do."""
    plan = with_prefix(front.plan(make_site("aurora", **own), make_site("borealis", state="maintenance")), prefix)
    with front.serving(plan, "aurora"):
        for path in [*spellings(prefix), *spellings("/-/")]:
            answer = front.ask(HOST, path)
            assert answer.status in (400, 404) or not is_endpoints(answer.asked["PATH_INFO"], prefix), path
        for path in (f"/x{prefix}live", f"{prefix[:-1]}x/live", "/ops/", "/ops/healthxd/live", "/-x/live"):
            assert front.ask(HOST, path).asked["PATH_INFO"] == path
        # What nginx answers itself goes on.
        assert (front.ask(OTHER).status, "being worked on" in front.ask(OTHER).body) == (503, True)
        assert front.ask(OTHER, f"{prefix}live").status == 503


@pytest.mark.parametrize("own", [{}, {"nginx": (("body_size", "1k"),)}])
@pytest.mark.parametrize("prefix", ["/-/", "/ops/health.d/"])
def test_named_network_asks_and_nobody_else(front: Front, own: dict[str, Any], prefix: str) -> None:
    """From a network that is named probes reach the site by GET and HEAD; drains, and others' probes, never."""
    plan = with_prefix(front.plan(make_site("aurora", **own), nginx={"health_from": (NAMED,), "rate": 1}), prefix)
    with front.serving(plan, "aurora"):
        for name in OPEN:
            told = ask(front.http, f"{prefix}{name}", NAMED, Authorization="Bearer x").asked
            assert (told["PATH_INFO"], told["HTTP_AUTHORIZATION"]) == (f"{prefix}{name}", "Bearer x")
            assert (told["REMOTE_ADDR"], told["HTTP_VIA"]) == (NAMED, "1.1 multihost")
            assert ask(front.http, f"{prefix}{name}", ANYBODY).status == 404
            for method in ("POST", "DELETE", "PUT", "PURGE"):
                assert ask(front.http, f"{prefix}{name}", NAMED, method).status == 404
        assert ask(front.http, f"{prefix}live", NAMED, "HEAD").status == 200
        for name in SHUT:
            for method in ("GET", "POST", "DELETE"):
                assert ask(front.http, f"{prefix}{name}", NAMED, method).status == 404, name
        # What nginx says of itself: tests/cases/test_21_load_balancer_health.py.
        assert ask(front.http, f"{prefix}live", NAMED, host="unknown.example.org").body == "pass\n"
        assert ask(front.http, f"{prefix}live", ANYBODY, host="unknown.example.org").status == 0
    log = [json.loads(line)["request"] for line in (front.folder / "logs/access.log").read_text().splitlines()]
    assert f"GET {prefix}drain HTTP/1.1" in log, "What is turned away is logged,"
    assert sum(line == f"GET {prefix}live HTTP/1.1" for line in log) == 2, "and what is let through is not."


def test_address_is_the_visitors_and_not_the_proxys(front: Front) -> None:
    """A trusted proxy's word counts; a proxy that is not named lets nobody in, though its own address is named."""
    nginx = {"health_from": (NAMED, PROXY), "proxies": (PROXY,)}
    with front.serving(front.plan(make_site("aurora"), nginx=nginx), "aurora"):
        statuses = {
            "the proxy's own probe": ask(front.http, "/-/live", PROXY),
            "who is named, through the proxy": ask(front.http, "/-/live", PROXY, X_Forwarded_For=NAMED),
            "a visitor through the proxy": ask(front.http, "/-/live", PROXY, X_Forwarded_For="203.0.113.7"),
            "a visitor who lies": ask(front.http, "/-/live", PROXY, X_Forwarded_For=f"{NAMED}, 203.0.113.7"),
            "a visitor who lies without one": ask(front.http, "/-/live", ANYBODY, X_Forwarded_For=NAMED),
            "a proxy that nobody named": ask(front.http, "/-/live", NAMED, X_Forwarded_For="203.0.113.7"),
            "another one": ask(front.http, "/-/live", NAMED, Via="1.1 balancer"),
        }
    assert [answer.status for answer in statuses.values()] == [200, 200, 404, 404, 404, 404, 404], statuses


def test_accelerated_answer_reaches_no_drain(front: Front) -> None:
    """A site that sends nginx on to the endpoint gets the visitor no further than the visitor may go."""
    there = {"/a": "/-/ready", "/b": "/-/drain", "/-/health": "/-/drain"}
    aurora = Application({path: ("200 OK", {"X-Accel-Redirect": to}, "") for path, to in there.items()})
    plan = front.plan(make_site("aurora"), nginx={"health_from": (NAMED,)})
    with application(front.folder / "run/aurora.sock", aurora), front.serving(plan):
        assert [ask(front.http, path, ANYBODY).status for path in there] == [404, 404, 404]
        assert [ask(front.http, path, NAMED).status for path in there] == [200, 404, 404]
        assert ask(front.http, "/-/live", NAMED).status == 200
    assert "/-/drain" not in {told["PATH_INFO"] for told in aurora.requests}


def test_front_server_and_node_both_close_and_let_through() -> None:
    """With several machines the visitor's address counts on both, and the node's nginx passes the same on."""
    with tempfile.TemporaryDirectory(prefix="mh-") as name:
        folder, port = Path(name), free_port()
        folder.chmod(0o755)
        http = (f"127.0.0.1:{port}", f"unix:{folder}/http.sock")
        aurora = Application()
        options = {"health_from": (NAMED,), "fronts": ("127.0.0.1",)}
        with serving_nodes(folder, http=http, **options), application(folder / "aurora.sock", aurora):
            assert ask(port, "/-/live", ANYBODY).status == 404
            assert ask(port, "/-/live", ANYBODY, X_Forwarded_For=NAMED).status == 404
            assert ask(port, "/-/drain", NAMED).status == 404
            assert ask(port, "/-/live", NAMED, "POST").status == 404
            assert not aurora.requests
            assert ask(port, "/-/live", NAMED).status == 200
    assert [told["REMOTE_ADDR"] for told in aurora.requests] == [NAMED]


class Proving:
    """The health endpoint of a site with a probe key, as an application."""

    def __init__(self) -> None:
        self.key, self.uid = make_probe_key(), uuid4()
        self.endpoint = endpoint()
        self.endpoint.prove = Prover(self.uid, self.key)

    def __call__(self, variables: dict[str, str]) -> tuple[str, dict[str, str], str]:
        answer = self.endpoint.answer(request_from_environ(variables))
        assert answer is not None
        body = "" if variables["REQUEST_METHOD"] == "HEAD" else answer.body.decode()
        return f"{answer.status} x", dict(answer.all_headers), body

    def has_proven(self, answer: Answer, nonce: str, host: str = HOST) -> bool:
        proof = answer.headers.get("multihost-proof", "")
        return is_proof(proof, public_probe_key(self.key), nonce, host, self.uid, answer.status)


def test_proof_passes_through_and_is_not_kept(front: Front) -> None:
    """Each monitor gets the one for its own nonce and hostname, where pages are kept too."""
    plan = front.plan(make_site("aurora"), nginx={"health_from": (NAMED,), "cache": 60})
    aurora = Proving()
    with application(front.folder / "run/aurora.sock", aurora), front.serving(plan):
        for method in ("GET", "HEAD", "GET"):
            nonce = make_nonce()
            answer = ask(front.http, "/-/ready", NAMED, method, host=HOST.upper(), Multihost_Nonce=nonce)
            assert answer.status == 200
            assert aurora.has_proven(answer, nonce)
            assert not aurora.has_proven(answer, nonce, OTHER)
        assert "multihost-proof" not in ask(front.http, "/-/ready", NAMED).headers
        # Who may not ask for health gets no signature either.
        assert "multihost-proof" not in ask(front.http, "/-/ready", ANYBODY, Multihost_Nonce=make_nonce()).headers


def test_proof_passes_through_two_servers() -> None:
    """From a node through the front server, with the hostname that was asked for."""
    with tempfile.TemporaryDirectory(prefix="mh-") as name:
        folder, port = Path(name), free_port()
        folder.chmod(0o755)
        http = (f"127.0.0.1:{port}", f"unix:{folder}/http.sock")
        options = {"health_from": (NAMED,), "fronts": ("127.0.0.1",)}
        aurora, nonce = Proving(), make_nonce()
        with serving_nodes(folder, http=http, **options), application(folder / "aurora.sock", aurora):
            assert aurora.has_proven(ask(port, "/-/ready", NAMED, Multihost_Nonce=nonce), nonce)


def test_wrong_site_is_known_by_its_proof(front: Front) -> None:
    """Where a hostname leads to another site's process, a 200 of that is no proof by the right site."""
    plan = front.plan(make_site("aurora"), make_site("borealis"), nginx={"health_from": (NAMED,)})
    aurora, borealis, nonce = Proving(), Proving(), make_nonce()
    with application(front.folder / "run/aurora.sock", borealis), front.serving(plan):
        answer = ask(front.http, "/-/ready", NAMED, Multihost_Nonce=nonce)
    assert answer.status == 200
    assert borealis.has_proven(answer, nonce)
    assert not aurora.has_proven(answer, nonce)


@pytest.mark.parametrize("header", [None, ("HTTP_X_FORWARDED_PROTO", "https")])
@pytest.mark.parametrize("runner", ["uwsgi", "gunicorn"])
def test_site_hears_that_it_was_forwarded(front: Front, runner: str, header: Any) -> None:
    """Behind nginx no request looks like one of the machine itself, whatever a client sends, to either runner."""
    plan = front.plan(make_site("aurora"), runner=runner, secure_proxy_ssl_header=header)
    with contextlib.ExitStack() as stack:
        if runner == "gunicorn":
            stack.enter_context(gunicorn(front, plan))
            stack.enter_context(front.serving(plan))
        else:
            stack.enter_context(front.serving(plan, "aurora"))
        told, lied = front.ask(HOST, "/x").asked, front.ask(HOST, "/x", **LIES).asked
    for asked in (told, lied):
        assert asked["REMOTE_ADDR"] == "127.0.0.1"
        assert asked["HTTP_VIA"] == "1.1 multihost"
        assert set(FORWARDED).intersection(asked)


@contextlib.contextmanager
def gunicorn(front: Front, plan: Plan) -> Iterator[None]:
    """Run gunicorn as the emitted configuration says, with an application that shows its environ."""
    (front.folder / "shown.py").write_text(ENVIRON)
    conf = written("systemd", plan) / "systemd/gunicorn.conf.py"
    path = front.folder / "run/aurora.sock"
    words = [sys.executable, "-m", "gunicorn", "-c", conf, "--bind", f"unix:{path}", "--chdir", front.folder]
    environ = {**os.environ, "MULTIHOST_SITE": "aurora"}
    log = front.folder / "gunicorn.log"
    with running([*words, "shown:application"], log, environ, front.folder) as process:
        wait_for(lambda: process.poll() is not None or accepts(path), "gunicorn")
        assert process.poll() is None, log.read_text()
        yield


@pytest.mark.parametrize("build", ["pyuwsgi", "debian"])
@pytest.mark.parametrize("prefix", ["/-/", "/ops/health.d/"])
def test_uwsgis_router_closes_every_spelling(build: str, prefix: str) -> None:
    """Through uWSGI's own HTTP router no path reaches the site as one of the endpoint, and each request says so."""
    with tempfile.TemporaryDirectory(prefix="mh-") as name:
        folder, port = Path(name), free_port()
        plan = with_prefix(local_plan(folder, build, port, odd="x"), prefix)
        platform = plan.platform.with_options(UwsgiOptions(build=build, http=f"127.0.0.1:{port}", processes=1))
        plan = replace(plan, platform=platform)
        (plan.codebase.directory / "trivial/wsgi.py").write_text(ENVIRON)
        with emperor(plan, folder, build):
            wait_for(lambda: responds(port), "the site")
            for path in [*spellings(prefix), *spellings("/-/")]:
                answer = ask(port, path)
                assert answer.status in (400, 404) or not is_endpoints(answer.asked["PATH_INFO"], prefix), path
            for path in (f"/x{prefix}live", f"{prefix[:-1]}x/live", "/ops/"):
                assert ask(port, path).asked["PATH_INFO"] == path
            for asked in (ask(port, "/x").asked, ask(port, "/x", **LIES).asked):
                assert asked["HTTP_VIA"] == "1.1 multihost"
                assert "10.9.9.9" not in asked.values()
                assert set(FORWARDED).intersection(asked)


def is_endpoints(path: str, prefix: str) -> bool:
    """Return whether the endpoint could take a path for its own."""
    return path.startswith((prefix, "/-/"))


def responds(port: int) -> bool:
    try:
        return ask(port, "/").status == 200
    except OSError:
        return False


def test_prefix_of_these_tests_is_one_that_projects_may_have() -> None:
    """The plans above are those of accepted codebases."""
    assert make_codebase(health_prefix="/ops/health.d/").health_prefix == "/ops/health.d/"
