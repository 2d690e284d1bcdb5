"""A minimal Django project that answers probes and reports its threads, and servers that run it."""

from __future__ import annotations

import http.client
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BIN = Path(sys.executable).parent
SETTINGS = """
SECRET_KEY = "x" * 50
ALLOWED_HOSTS = ["www.example.org"]
INSTALLED_APPS = []
MIDDLEWARE = [
    "wagtail_multihost.health.middleware.HealthMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
]
SECURE_SSL_REDIRECT = True
SECURE_PROXY_SSL_HEADER = ("HTTP_X_TEST_PROTO", "https")
ROOT_URLCONF = "pages"
DATABASES = {}
USE_TZ = True
MULTIHOST_HEALTH = {
    "PROBES": {"one": {"BACKEND": "pages.Counted", "OPTIONS": {"timeout": 60}}},
    "BUDGET": 30_000,
    "INTERVAL": 1,
    "RETRY": 1,
}
"""
PAGES = """
import os
import threading
import time
from dataclasses import dataclass

from django.http import JsonResponse
from django.urls import path

from wagtail_multihost.health.probe import Probe, passed

RUNS = []


@dataclass(frozen=True, kw_only=True)
class Counted(Probe):
    def measure(self):
        RUNS.append(os.getpid())
        yield passed()


def threads(request):
    time.sleep(0.1)  # so that another worker takes the next request
    names = [thread.name for thread in threading.enumerate() if thread.is_alive()]
    runs = sum(pid == os.getpid() for pid in RUNS)
    return JsonResponse({"pid": os.getpid(), "samplers": names.count("multihost-sampler"), "runs": runs})


urlpatterns = [path("threads", threads)]
"""
PLAIN = """
import os
import threading

os.environ["DJANGO_SETTINGS_MODULE"] = "project"
from django.core.wsgi import get_wsgi_application
from django.core.asgi import get_asgi_application

application = get_wsgi_application()
asgi = get_asgi_application()
"""
WRAPPED = """
import os
import time
from pathlib import Path

os.environ["DJANGO_SETTINGS_MODULE"] = "project"
from wagtail_multihost.health.{kind} import HealthApplication

GO = Path(__file__).with_name("go")


def load():
    while not GO.exists():
        time.sleep(0.02)
    from django.core.{kind} import get_{kind}_application

    return get_{kind}_application()


application = HealthApplication(load)
"""


def make_project(folder: Path) -> None:
    files = {"project": SETTINGS, "pages": PAGES, "plain": PLAIN}
    files |= {f"wrapped_{kind}": WRAPPED.format(kind=kind) for kind in ("wsgi", "asgi")}
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)


def environment(folder: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "PYTHONPATH": str(folder), "HOME": str(folder)}


@dataclass(frozen=True)
class Answered:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Server:
    """
    A server on a loopback port: the process id of its first process, the folder with its project, and how many of its
    processes answer.
    """

    port: int
    pid: int
    folder: Path
    workers: int = 2

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def ask(self, path: str, method: str = "GET", host: str = "10.0.0.7:8000") -> Answered:
        """Send a request over a new connection."""
        connection = self.connection()
        try:
            return asked(connection, path, method, host)
        finally:
            connection.close()

    def answers(self, path: str = "/-/live", status: int = 200) -> bool:
        try:
            return self.ask(path).status == status
        except (OSError, http.client.HTTPException):
            return False

    def threads(self) -> dict[str, Any]:
        """Return what the worker that gets the request reports about itself."""
        connection = self.connection()
        try:
            headers = {"Host": "www.example.org", "X-Test-Proto": "https", "Connection": "close"}
            connection.request("GET", "/threads", headers=headers)
            return json.loads(connection.getresponse().read())  # type: ignore[no-any-return]
        finally:
            connection.close()


def asked(connection: http.client.HTTPConnection, path: str, method: str, host: str) -> Answered:
    connection.request(method, path, headers={"Host": host})
    response = connection.getresponse()
    return Answered(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
