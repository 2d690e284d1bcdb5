"""Connections that are open before workers are forked: visitors got other visitors' rows."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest

from tests.servers.accounts import POSTGRES
from tests.servers.postgres import Postgres, running_postgres
from tests.servers.processes import free_port, running, wait_for
from tests.servers.router import emperor, local_plan
from tests.servers.street import make_certificate
from wagtail_multihost.spec.uwsgi import UwsgiOptions

pytestmark = pytest.mark.servers

WORKERS = 3
HOST = "aurora.example.org"
# A project whose app asks the database, and draws a number, while Django loads.
PROJECT = """
import json, os, random, sys
from django.apps import AppConfig
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import JsonResponse
from django.urls import path

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

class Hasty(AppConfig):
    name = "trivial"

    def ready(self):
        from django.db import connection
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        random.random()

def row(request):
    from django.db import connection
    number = int(request.GET["n"])
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::int, pg_backend_pid(), pg_sleep(0.02)", [number])
        got, backend, _ = cursor.fetchone()
    return JsonResponse({"got": got, "backend": backend, "pid": os.getpid(), "drawn": random.random()})

if not settings.configured:
    settings.configure(
        DATABASES={"default": __DATABASE__}, ALLOWED_HOSTS=["*"], SECRET_KEY="k", ROOT_URLCONF="trivial.wsgi",
        INSTALLED_APPS=["wagtail_multihost", "trivial.wsgi.Hasty"], DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    )
    import django
    django.setup()

urlpatterns = [path("", row)]
application = WSGIHandler()
"""
OPTIONS: dict[str, dict[str, object]] = {
    "kept": {"CONN_MAX_AGE": 60},
    "kept with TLS": {"CONN_MAX_AGE": 60, "OPTIONS": {"sslmode": "require"}},
    "pool": {"OPTIONS": {"pool": {"min_size": 1, "max_size": 4, "timeout": 5}}},
}


@pytest.fixture(name="server", scope="module")
def _server() -> Iterator[Postgres]:
    """A PostgreSQL with a certificate."""
    with tempfile.TemporaryDirectory(prefix="mh") as name:
        folder = Path(name)
        folder.chmod(0o755)
        make_certificate(["localhost"], folder)
        for path in folder.iterdir():
            POSTGRES.take(path, 0o600)
        (certificate,) = folder.glob("*.pem")
        key = certificate.with_suffix(".key")
        with running_postgres(folder / "pg", "ssl=on", f"ssl_key_file={key}", f"ssl_cert_file={certificate}") as server:
            yield server


@contextmanager
def served(carrier: str, database: dict[str, object], folder: Path) -> Iterator[int]:
    """Serve the project with a carrier that loads it before it forks, and yield the port."""
    port = free_port()
    plan = local_plan(folder, "pyuwsgi", port, odd="o")
    uwsgi = UwsgiOptions(
        build="pyuwsgi", http=f"127.0.0.1:{port}", processes=WORKERS, freeze=carrier != "uwsgi unfrozen"
    )
    plan = replace(plan, platform=plan.platform.with_options(uwsgi))
    code = plan.codebase.directory
    (code / "trivial/__init__.py").touch()
    (code / "trivial/wsgi.py").write_text(PROJECT.replace("__DATABASE__", repr(database)))
    if carrier.startswith("uwsgi"):
        with emperor(plan, folder, "pyuwsgi"):
            yield port
    else:
        command = [Path(sys.executable).with_name("gunicorn"), "--preload", "--workers", str(WORKERS)]
        command += ["--bind", f"127.0.0.1:{port}", "--no-control-socket", "trivial.wsgi:application"]
        with running(command, folder / "emperor.log", dict(os.environ), cwd=code):
            yield port


def ask(port: int, number: int) -> tuple[int, bytes]:
    with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("GET", f"/?n={number}", headers={"Host": HOST})
        answer = connection.getresponse()
        return answer.status, answer.read()


def row_of(port: int, number: int) -> dict[str, float]:
    status, body = ask(port, number)
    assert status == 200, body[:2000]
    return dict(json.loads(body))


def is_up(port: int) -> bool:
    """Return whether the site answers; its first answer already has to be right, as Django mends a connection after."""
    try:
        status, body = ask(port, 0)
    except (OSError, HTTPException):
        return False
    assert status != 500, body[:2000]
    return status == 200


@pytest.mark.parametrize("carrier", ["uwsgi", "uwsgi unfrozen", "gunicorn"])
@pytest.mark.parametrize("kind", OPTIONS)
def test_each_worker_asks_over_connections_of_its_own(server: Postgres, carrier: str, kind: str) -> None:
    """Every request gets its own row, no two workers share a session of the server, and numbers are drawn anew."""
    database = {"ENGINE": "django.db.backends.postgresql", "HOST": "127.0.0.1", "PORT": server.port}
    database |= {"NAME": "postgres", "USER": "postgres", "PASSWORD": server.password, **OPTIONS[kind]}
    with tempfile.TemporaryDirectory(prefix="mh") as name, served(carrier, database, Path(name)) as port:
        wait_for(lambda: is_up(port), "the site")
        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(lambda number: (number, row_of(port, number)), range(60)))
        assert [answer["got"] for number, answer in answers] == [number for number, _ in answers]
        workers = {answer["pid"] for _, answer in answers}
        assert len(workers) > 1
        owners = {(answer["backend"], answer["pid"]) for _, answer in answers}
        assert len({backend for backend, _ in owners}) == len(owners)
        assert len({answer["drawn"] for _, answer in answers}) == len(answers)
        assert (
            "does not use the connection to the database default that trivial opened before the fork"
            in (Path(name) / "emperor.log").read_text()
        )
