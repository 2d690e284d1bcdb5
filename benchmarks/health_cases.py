"""
The process that ``benchmarks.health`` measures: a Django project with every endpoint, called without a server.

``python -m benchmarks.health_cases ROUNDS`` prints JSON; ``BENCHMARK_DATABASES`` has the project's databases.
"""

from __future__ import annotations

import gc
import importlib.util
import io
import json
import os
import random
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import django
from django.conf import settings
from django.http import HttpRequest, HttpResponse

OURS = "wagtail_multihost.health.middleware.HealthMiddleware"
STOCK = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
PEERS = ("health_check", "watchman", "dockerflow", "lb_health_check")
PROBES = "wagtail_multihost.health.probes"
COPIES = 20
CALLS = 50  # in a round, or as many as there is time for
SECONDS = 0.01
FLOOD = 5_000  # requests in a second

Handler = Callable[[dict[str, Any], Callable[..., Any]], Any]
Case = tuple[Handler, str]


def hello(request: HttpRequest) -> HttpResponse:
    return HttpResponse("hello")


def is_installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def configure() -> None:
    settings.configure(
        SECRET_KEY="not-a-secret",  # of a project that is never served
        ALLOWED_HOSTS=["testserver"],
        DATABASES=json.loads(os.environ["BENCHMARK_DATABASES"]),
        CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
        INSTALLED_APPS=[
            "wagtail_multihost",
            "django.contrib.contenttypes",
            "django.contrib.auth",
            "django.contrib.sessions",
            "django.contrib.messages",
            *(name for name in ("health_check", "watchman") if is_installed(name)),
        ],
        MIDDLEWARE=[OURS, *STOCK],
        ROOT_URLCONF="benchmarks.health_urls",
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
        LOGGING_CONFIG=None,
        USE_TZ=True,
        ALIVENESS_URL="/alive",
        WATCHMAN_CHECKS=("watchman.checks.databases", "watchman.checks.caches"),
        MULTIHOST_HEALTH={
            "PROBES": {
                "database": {"BACKEND": f"{PROBES}.database.DatabaseProbe"},
                "cache": {"BACKEND": f"{PROBES}.cache.CacheProbe"},
            }
        },
    )
    django.setup()
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE empty (id integer)")  # SQLite's file is there from now on


def handler_with(*middleware: str) -> Handler:
    """Return Django's handler with this middleware."""
    from django.core.handlers.wsgi import WSGIHandler

    settings.MIDDLEWARE = list(middleware)
    return WSGIHandler()


def cases() -> Iterator[tuple[str, Case]]:
    """Yield what is compared: a name, a handler and a path."""
    ours, stock = handler_with(OURS, *STOCK), handler_with(*STOCK)
    yield "live", (ours, "/-/live")
    yield "ready, cached", (ours, "/-/ready")
    wrapper = wrapped(ours)
    yield "live, WSGI wrapper", (wrapper, "/-/live")
    yield "ready, cached, WSGI wrapper", (wrapper, "/-/ready")
    if is_installed("lb_health_check"):
        yield "django-lb-health-check", (handler_with("lb_health_check.middleware.AliveCheck", *STOCK), "/alive")
    if is_installed("dockerflow"):
        middleware = "dockerflow.django.middleware.DockerflowMiddleware"
        yield "dockerflow lbheartbeat", (handler_with(middleware, *STOCK), "/__lbheartbeat__")
    if is_installed("watchman"):
        yield "django-watchman ping", (stock, "/watchman/ping/")
        yield "django-watchman, database and cache", (stock, "/watchman/")
    if is_installed("health_check"):
        yield "django-health-check, database and cache", (stock, "/health-check/?format=text")


def stacks() -> Iterator[tuple[str, Case]]:
    """Yield an ordinary request without middleware, with the usual one, and with many copies of ours."""
    yield "no middleware", (handler_with(), "/hello")
    yield f"{COPIES} copies", (handler_with(*[OURS] * COPIES), "/hello")
    yield "usual middleware", (handler_with(*STOCK), "/hello")


def wrapped(application: Handler) -> Handler:
    from wagtail_multihost.health.wsgi import HealthApplication

    return HealthApplication(lambda: application, background=False)


def environ_of(path: str) -> dict[str, Any]:
    path, _, query = path.partition("?")
    return {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SCRIPT_NAME": "",
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "testserver",
        "HTTP_ACCEPT": "*/*",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }


def call(handler: Handler, environ: dict[str, Any]) -> str:
    """Make one request to its end, and return the status line."""
    environ = {**environ, "wsgi.input": io.BytesIO()}
    lines: list[str] = []
    response = handler(environ, lambda status, headers, info=None: lines.append(status))
    b"".join(response)
    if hasattr(response, "close"):
        response.close()
    return lines[0]


def measured(chosen: dict[str, Case], rounds: int) -> dict[str, list[float]]:
    """
    Return the median of each round's microseconds. In a round the cases take turns, in another order each time: what
    else the machine does falls on all of them.
    """
    environs = {name: environ_of(path) for name, (_, path) in chosen.items()}
    for name, (handler, _) in chosen.items():
        status = call(handler, environs[name])
        if not status.startswith("200"):
            raise SystemExit(f"{name}: {status}")
    times: dict[str, list[float]] = {name: [] for name in chosen}
    gc.collect()
    gc.freeze()
    for _ in range(rounds):
        for name in random.sample(list(chosen), len(chosen)):
            times[name].append(statistics.median(timed(chosen[name][0], environs[name])))
    return times


def timed(handler: Handler, environ: dict[str, Any]) -> Iterator[float]:
    deadline = time.perf_counter() + SECONDS
    for _ in range(CALLS):
        start = time.perf_counter()
        call(handler, environ)
        end = time.perf_counter()
        yield (end - start) * 1e6
        if end > deadline:
            return


def flood(seconds: float) -> dict[str, float]:
    """Ask ``ready`` many times a second; count the queries of who asks, and those of the sampler meanwhile."""
    from django.db.backends.utils import CursorWrapper

    handler, environ = handler_with(OURS, *STOCK), environ_of("/-/ready")
    threads: list[bool] = []
    execute = CursorWrapper.execute

    def counted(*arguments: Any, **options: Any) -> Any:
        threads.append(threading.current_thread() is threading.main_thread())
        return execute(*arguments, **options)

    call(handler, environ)
    CursorWrapper.execute = counted  # type: ignore[method-assign]
    begin, number = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - begin) < seconds:
        if number < elapsed * FLOOD:
            call(handler, environ)
            number += 1
    CursorWrapper.execute = execute  # type: ignore[method-assign]
    return {"rate": number / seconds, "requests": sum(threads), "sampler": len(threads) - sum(threads)}


def sampling(seconds: float, sites: int = 300) -> dict[str, float]:
    """Return the share of a processor that a sampler of three probes for each site takes, which do nothing."""
    from benchmarks.health_probe import Idle
    from wagtail_multihost.health.options import HealthOptions
    from wagtail_multihost.health.report import ProbeEntry
    from wagtail_multihost.health.sampler import Sampler

    names = [f"site{number}" for number in range(sites)]
    entries = [ProbeEntry(kind, Idle(), name) for name in names for kind in ("database", "migrations", "cache")]
    sampler = Sampler(entries, names, HealthOptions(budget=60_000))
    begin = time.perf_counter()
    sampler.wait(60)
    first = time.perf_counter() - begin
    # The first runs are due together; jitter spreads the later ones.
    wall, cpu = time.perf_counter(), time.process_time()
    while time.perf_counter() - wall < seconds:
        sampler.ask()
        time.sleep(0.5)
    share = (time.process_time() - cpu) / (time.perf_counter() - wall)
    sampler.stop()
    return {"share": share * 100, "first": first, "sites": sites}


def main() -> None:
    rounds = int(sys.argv[1])
    configure()
    chosen = dict(cases())
    figures = {
        "cases": measured(chosen, rounds),
        "stacks": measured(dict(stacks()), rounds),
        "flood": flood(min(2, rounds / 10)),
        "missing": [name for name in PEERS if not is_installed(name)],
    }
    if "--sampling" in sys.argv:
        figures["sampling"] = sampling(25 if rounds > 10 else 0.5)
    from django.db import connections

    connections.close_all()
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
