"""
Case 21: a load balancer asks with an address as the host, and cannot send another. nginx answers it itself, in one
word, from networks that are named; no site hears of it, and strangers get no answer.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.emitters.conftest import make_site
from tests.emitters.front import SECONDS, Answer, Front, exchange, opened_front
from tests.emitters.test_nginx_content_servers import Application
from tests.servers.applications import application

pytestmark = pytest.mark.servers

SITE = "aurora.example.org"
#: A balancer, a proxy that it could be, and anybody.
BALANCER, PROXY, ANYBODY = "127.0.0.2", "127.0.0.3", "127.0.0.4"
#: As balancers of Amazon, Google and DigitalOcean send it, as HAProxy may, and as somebody who tries things would.
HOSTS = ("10.0.1.17", "10.0.1.17:80", "[2001:db8::17]", "localhost", "unknown.example.org", "x_y", "AURORA")
PATHS = ("/-/live", "/-/live/", "/-/ready", "/-/ready/")
OTHERS = (
    "/",
    "/-/",
    "/-/health",
    "/-/metrics",
    "/-/site/aurora",
    "/-/drain",
    "/-/ready/x",
    "/static/a.css",
)


@contextmanager
def balanced(folder: Path, site: Any = None, **nginx: Any) -> Iterator[tuple[Front, Application]]:
    """Run nginx with a site, and an application of it that counts what it is asked."""
    folder.chmod(0o755)
    front, asked = opened_front(folder), Application()
    options = {"health_from": (BALANCER,), "drain": folder / "drain", "unhealthy": folder / "unhealthy", **nginx}
    with (
        application(folder / "run/aurora.sock", asked),
        front.serving(front.plan(site or make_site("aurora"), nginx=options)),
    ):
        yield front, asked


def ask(front: Front, host: str, path: str, source: str = BALANCER, method: str = "GET", **headers: str) -> Answer:
    with socket.create_connection(("127.0.0.1", front.http), SECONDS, (source, 0)) as connection:
        return exchange(connection, host, path, method, "", headers)


def ask_without_host(front: Front, path: str, source: str) -> bytes:
    """Ask as the oldest checks do."""
    with socket.create_connection(("127.0.0.1", front.http), SECONDS, (source, 0)) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        return b"".join(iter(lambda: connection.recv(4096), b""))


@pytest.mark.parametrize("own", [{}, {"nginx": (("body_size", "1k"),)}])
def test_balancer_gets_one_word_whatever_the_host(folder: Path, own: dict[str, Any]) -> None:
    """A named network gets 200 under any host, in one word that says nothing of any site, and no site is asked."""
    with balanced(folder, make_site("aurora", **own)) as (front, asked):
        for host in HOSTS:
            for path in PATHS:
                answer = ask(front, host, path, User_Agent="ELB-HealthChecker/2.0")
                assert (answer.status, answer.body) == (200, "pass\n"), (host, path)
                assert answer.headers["cache-control"] == "no-store"
                assert ask(front, host, path, method="HEAD").status == 200
                assert ask(front, host, path, method="POST").status == 0
                assert ask(front, host, path, ANYBODY).status == 0
            assert [ask(front, host, path).status for path in OTHERS] == [0] * len(OTHERS)
        assert ask_without_host(front, "/-/ready", BALANCER).startswith(b"HTTP/1.1 200")
        assert ask_without_host(front, "/-/ready", ANYBODY) == b""
        assert not asked.requests
        # Under the name of a site it is that site's process that answers, as before.
        assert ask(front, SITE, "/-/ready").status == 200
        assert [told["HTTP_HOST"] for told in asked.requests] == [SITE]
        assert ask(front, SITE, "/-/ready", ANYBODY).status == 404
    assert "ELB-HealthChecker" not in (folder / "logs/access.log").read_text()


def test_word_is_the_front_servers_own(folder: Path) -> None:
    """A site that is down or closed changes nothing; a file of the operator's takes the server out, and back."""
    with balanced(folder, make_site("aurora", state="maintenance")) as (front, asked):
        (folder / "run/aurora.sock").unlink()
        assert ask(front, "10.0.1.17", "/-/ready").status == 200
        (folder / "drain").touch()
        assert [ask(front, host, "/-/ready").body for host in HOSTS] == ["draining\n"] * len(HOSTS)
        assert ask(front, "10.0.1.17", "/-/ready/").status == 503
        assert ask(front, "10.0.1.17", "/-/live").status == 200
        assert ask(front, "10.0.1.17", "/-/ready", ANYBODY).status == 0
        (folder / "drain").unlink()
        assert ask(front, "10.0.1.17", "/-/ready").status == 200
    assert not asked.requests


def test_balancer_hears_of_a_node_that_is_to_be_replaced(folder: Path) -> None:
    """The agent makes a file; what people drain is told first."""
    with balanced(folder) as (front, _):
        (folder / "unhealthy").touch()
        answer = ask(front, "10.0.1.17", "/-/ready")
        assert (answer.status, answer.body) == (503, "unhealthy\n")
        assert ask(front, "10.0.1.17", "/-/live").status == 200
        assert ask(front, SITE, "/").status == 200, "visitors who come all the same are served"
        (folder / "drain").touch()
        assert ask(front, "10.0.1.17", "/-/ready").body == "draining\n"
        (folder / "drain").unlink()
        (folder / "unhealthy").unlink()
        assert ask(front, "10.0.1.17", "/-/ready").status == 200


def test_visitors_of_a_balancer_are_strangers(folder: Path) -> None:
    """A balancer that passes visitors on is not taken for one that asks: named as a proxy, or as nobody."""
    with balanced(folder, health_from=(BALANCER, PROXY), proxies=(PROXY,)) as (front, _):
        visitor = "203.0.113.7"
        assert ask(front, "10.0.1.17", "/-/ready", PROXY).status == 200
        assert ask(front, "10.0.1.17", "/-/ready", PROXY, X_Forwarded_For=visitor).status == 0
        assert ask(front, "10.0.1.17", "/-/ready", PROXY, X_Forwarded_For=f"{BALANCER}, {visitor}").status == 0
        assert ask(front, "10.0.1.17", "/-/ready", BALANCER, X_Forwarded_For=visitor).status == 0
        assert ask(front, "10.0.1.17", "/-/ready", BALANCER, Via="1.1 google").status == 0
        assert ask(front, "10.0.1.17", "/-/ready", ANYBODY, X_Forwarded_For=BALANCER).status == 0


def test_nobody_is_answered_where_nobody_is_named(folder: Path) -> None:
    """Without `health_from` every unknown host gets no answer, as before."""
    with balanced(folder, health_from=()) as (front, asked):
        assert [ask(front, host, path).status for host in HOSTS for path in PATHS] == [0] * len(HOSTS) * len(PATHS)
        assert not asked.requests
