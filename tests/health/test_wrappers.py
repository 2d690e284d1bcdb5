"""The endpoint in front of applications that are still being loaded."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.health.samplers import GO, SECONDS, until
from wagtail_multihost import running
from wagtail_multihost.exceptions import BuildModeError, ConfigurationError
from wagtail_multihost.health import asgi, loading, process, server, wsgi
from wagtail_multihost.running import Running

BELOW = ("startup", "ready", "drain", "health", "health.json", "metrics", "site/aurora")


@pytest.fixture(autouse=True)
def no_probes(settings: Any) -> Iterator[None]:
    """Have an endpoint without probes, and end its sampler."""
    settings.MULTIHOST_HEALTH = {"PROBES": {}, "BUDGET": 60_000}
    yield
    process.forget_endpoint()


class Load:
    """Loads ``application`` when it is let go on."""

    def __init__(self, application: Any = None, error: BaseException | None = None) -> None:
        self.application, self.error = application, error
        self.go = threading.Event()
        self.threads: list[threading.Thread] = []

    def __call__(self) -> Any:
        self.threads.append(threading.current_thread())
        assert self.go.wait(SECONDS)
        if self.error:
            raise self.error
        return self.application


def hello(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [("X-From", "application")])
    return [b"hello"]


async def ahello(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        raise ValueError("Django can only handle ASGI/HTTP connections, not lifespan.")
    await send({"type": f"{scope['type']}.hello"})


def get(application: wsgi.HealthApplication, path: str, method: str = "GET", **environ: str) -> tuple[int, bytes, dict]:
    started: list[Any] = []
    body = b"".join(
        application(
            {"REQUEST_METHOD": method, "PATH_INFO": path, **environ}, lambda *arguments: started.extend(arguments)
        )
    )
    return int(started[0].split()[0]), body, dict(started[1])


def aget(application: asgi.HealthApplication, path: str, method: str = "GET", **scope: Any) -> list[Any]:
    return asyncio.run(exchange(application, {"type": "http", "path": path, "method": method, "headers": [], **scope}))


async def exchange(application: Any, scope: Any) -> list[Any]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError

    await application(scope, receive, send)
    return sent


def loaded_wsgi() -> wsgi.HealthApplication:
    application = wsgi.HealthApplication(lambda: hello)
    until(lambda: application.loading.is_done)
    return application


def loaded_asgi() -> asgi.HealthApplication:
    application = asgi.HealthApplication(lambda: ahello)
    until(lambda: application.loading.is_done)
    return application


def test_probes_are_answered_while_the_application_loads() -> None:
    """The process lives and is not ready; when the application is there, all of it is answered."""
    load = Load(hello)
    application = wsgi.HealthApplication(load)
    try:
        assert get(application, "/-/live/")[:2] == (200, b"pass")
        assert [get(application, f"/-/{name}")[:2] for name in BELOW] == [(503, b"starting")] * len(BELOW)
    finally:
        load.go.set()
    until(lambda: application.loading.is_done)
    assert [get(application, f"/-/{name}")[:2] for name in ("live", "startup", "ready")] == [(200, b"pass")] * 3
    assert load.threads[0] is not threading.current_thread()


def test_probes_are_answered_while_an_asgi_application_loads() -> None:
    """The same under ASGI."""
    load = Load(ahello)
    application = asgi.HealthApplication(load)
    try:
        assert aget(application, "/-/live/")[0]["status"] == 200
        for name in BELOW:
            start, body = aget(application, f"/-/{name}/")
            assert (start["status"], body["body"]) == (503, b"starting")
    finally:
        load.go.set()
    until(lambda: application.loading.is_done)
    assert [aget(application, f"/-/{name}")[0]["status"] for name in ("live", "startup", "ready")] == [200] * 3


def test_requests_wait_for_the_application() -> None:
    """A visitor who comes early gets the page, later."""
    load, answers = Load(hello), []
    application = wsgi.HealthApplication(load)
    visitor = threading.Thread(target=lambda: answers.append(get(application, "/")))
    visitor.start()
    try:
        assert get(application, "/-/live")[0] == 200
        assert answers == []
    finally:
        load.go.set()
        visitor.join(SECONDS)
    assert answers == [(200, b"hello", {"X-From": "application"})]


def test_asgi_requests_wait_without_holding_up_the_loop() -> None:
    """While a visitor waits for the application, the same loop answers probes."""
    load = Load(ahello)
    application = asgi.HealthApplication(load)

    async def visit() -> tuple[list[Any], list[Any]]:
        visitor = asyncio.ensure_future(exchange(application, {"type": "websocket", "path": "/-/live"}))
        await asyncio.sleep(0.05)
        probe = await exchange(application, {"type": "http", "path": "/-/live", "method": "GET", "headers": []})
        assert not visitor.done()
        load.go.set()
        return await visitor, probe

    visited, probe = asyncio.run(visit())
    assert visited == [{"type": "websocket.hello"}]
    assert probe[0]["status"] == 200


@pytest.mark.parametrize("error", [ZeroDivisionError("secret"), SystemExit("secret")])
def test_application_that_cannot_be_loaded_fails_liveness(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    """The reason is logged and nowhere else; live fails, so that the process is started anew; visitors get an error."""
    load = Load(error=error)
    with caplog.at_level(logging.ERROR):
        application = wsgi.HealthApplication(load)
        load.go.set()
        until(lambda: application.loading.is_done)
    assert [get(application, f"/-/{name}")[:2] for name in ("live", *BELOW)] == [(503, b"failed")] * (len(BELOW) + 1)
    with pytest.raises(RuntimeError) as caught:
        get(application, "/")
    assert caught.value.__cause__ is error and "secret" not in str(caught.value)
    (record,) = caplog.records
    assert record.exc_info and record.exc_info[1] is error


def test_application_whose_registry_is_broken_is_logged_by_its_report(caplog: pytest.LogCaptureFixture) -> None:
    """A mistake of the registry is a sentence, and no frame says more."""
    error = ConfigurationError.because("It is broken.", where="sites.toml")
    load = Load(error=error)
    with caplog.at_level(logging.ERROR):
        application = wsgi.HealthApplication(load)
        load.go.set()
        until(lambda: application.loading.is_done)
    (record,) = caplog.records
    assert str(error) in record.getMessage() and record.exc_info is None


@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT"])
def test_other_methods_are_refused_while_loading(method: str) -> None:
    """Nothing can be drained, and no token compared, before there are settings."""
    load = Load(hello)
    application = wsgi.HealthApplication(load)
    try:
        assert get(application, "/-/drain", method)[0] == 405
        assert get(application, "/-/live", method)[2]["Allow"] == "GET, HEAD"
    finally:
        load.go.set()


@pytest.mark.parametrize("is_loaded", [False, True])
def test_head_has_the_headers_of_get_and_no_body(is_loaded: bool) -> None:
    """HEAD is answered as GET is, less the body, before and after loading."""
    load = Load(hello)
    application, aload = wsgi.HealthApplication(load), Load(ahello)
    aapplication = asgi.HealthApplication(aload)
    if is_loaded:
        load.go.set(), aload.go.set()
        until(lambda: application.loading.is_done and aapplication.loading.is_done)
    try:
        for path in ("/-/live", "/-/ready/"):
            head, full = get(application, path, "HEAD"), get(application, path)
            assert (head[0], head[1], head[2]) == (full[0], b"", full[2])
            assert head[2]["Content-Length"] == str(len(full[1]))
            start, body = aget(aapplication, path, "HEAD")
            assert (start, body["body"]) == (aget(aapplication, path)[0], b"")
            assert dict(start["headers"])[b"content-length"] == str(len(full[1])).encode()
    finally:
        load.go.set(), aload.go.set()


@pytest.mark.parametrize("path", ["/", "/-", "/-/", "/-/unknown", "/-/LIVE", "/x/-/live", "/-/live//"])
def test_other_paths_reach_the_application(path: str) -> None:
    """Only the endpoint's own paths are answered here."""
    assert get(loaded_wsgi(), path)[1] == b"hello"
    assert aget(loaded_asgi(), path) == [{"type": "http.hello"}]


def test_path_below_the_servers_own_is_the_applications() -> None:
    """A server that mounts the application at a path of its own has probes below it."""
    assert aget(loaded_asgi(), "/mounted/-/live", root_path="/mounted")[0]["status"] == 200


def test_wrappers_and_middleware_share_the_endpoint() -> None:
    """One process has one endpoint and one sampler, whoever answers; nothing of it is kept by a wrapper."""
    from wagtail_multihost.health.middleware import HealthMiddleware

    HealthMiddleware(lambda request: None)
    own = process.own_endpoint()
    assert loaded_wsgi().loading.endpoint() is own
    assert loaded_asgi().loading.endpoint() is own
    process.forget_endpoint()
    assert process.own_endpoint() is not own


def test_headers_are_read() -> None:
    """A wrong token is refused, and the address of who asks and what a proxy adds are seen."""
    headers = [(b"authorization", b"Bearer wrong"), (b"accept", b"text/html"), (b"accept", b"text/plain")]
    assert aget(loaded_asgi(), "/-/health", headers=headers)[0]["status"] == 401
    assert get(loaded_wsgi(), "/-/health", HTTP_AUTHORIZATION="Bearer wrong")[0] == 401
    more = [(b"via", b"x"), (b"host", b"a.localhost:1"), (b"multihost-nonce", b"n")]
    scope = {"path": "/", "method": "GET", "headers": [*headers, *more], "client": ("192.0.2.1", 5)}
    question = asgi.request_from_scope({**scope, "query_string": b"refresh=off"})
    assert question[3:] == ("text/html,text/plain", "192.0.2.1", True, "refresh=off", "a.localhost:1", "n")
    assert not asgi.request_from_scope({**scope, "headers": headers, "client": None}).forwarded
    environ = {"PATH_INFO": "/", "REMOTE_ADDR": "192.0.2.1", "HTTP_VIA": "x", "HTTP_HOST": "a:1", "QUERY_STRING": "b"}
    environ["HTTP_MULTIHOST_NONCE"] = "n"
    assert wsgi.request_from_environ(environ)[4:] == ("192.0.2.1", True, "b", "a:1", "n")


def test_first_report_is_awaited_under_asgi_without_holding_up_the_loop(settings: Any) -> None:
    """A question that waits for the first report leaves the loop to others."""
    settings.MULTIHOST_HEALTH = {"PROBES": {"slow": {"BACKEND": "tests.health.samplers.Gated"}}, "BUDGET": 60_000}
    application = loaded_asgi()
    ready = {"type": "http", "path": "/-/ready", "method": "GET", "headers": []}

    async def visit() -> tuple[Any, Any]:
        first = asyncio.ensure_future(exchange(application, ready))
        await asyncio.sleep(0.05)
        other = await exchange(application, {**ready, "path": "/-/live"})
        assert not first.done()
        GO.set()
        return (await first)[1]["body"], other[1]["body"]

    GO.clear()
    try:
        assert asyncio.run(visit()) == (b"pass", b"pass")
    finally:
        GO.set()


def test_other_prefix_than_the_settings_is_a_failure(settings: Any) -> None:
    """A wrapper that answers elsewhere than the settings say is a mistake that nobody can overlook."""
    settings.MULTIHOST_HEALTH = {"PROBES": {}, "PREFIX": "/health/", "BUDGET": 60_000}
    with pytest.raises(ConfigurationError, match="PREFIX"):
        wsgi.HealthApplication(lambda: hello, background=False)
    application = wsgi.HealthApplication(lambda: hello)
    until(lambda: application.loading.is_done)
    assert get(application, "/-/live")[:2] == (503, b"failed")
    assert get(wsgi.HealthApplication(lambda: hello, "/health/", background=False), "/health/ready")[0] == 200


def test_process_without_a_site_is_not_served(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the middleware refuses is refused by the wrapper too, whether or not the project has the middleware."""
    monkeypatch.setattr(running, "_current", Running())
    for wrapper in (wsgi.HealthApplication, asgi.HealthApplication):
        with pytest.raises(BuildModeError):
            wrapper(lambda: hello, background=False)


def test_application_is_named_by_its_dotted_path() -> None:
    """Without arguments it is Django's, which is not imported before."""
    application = wsgi.HealthApplication()
    until(lambda: application.loading.is_done)
    assert type(application.loading.application()).__name__ == "WSGIHandler"
    until(lambda: (other := asgi.HealthApplication()).loading.application() and other.loading.is_done)


def lifespan(application: asgi.HealthApplication, between: Callable[[], Any]) -> list[str]:
    """Return what a server hears; ``between`` is awaited between start and end."""
    sent: list[str] = []
    events = iter(["lifespan.startup", "lifespan.shutdown"])

    async def receive() -> Any:
        event = next(events)
        if event == "lifespan.shutdown":
            await between()
        return {"type": event}

    async def send(message: Any) -> None:
        sent.append(message["type"])

    asyncio.run(application({"type": "lifespan", "state": {}}, receive, send))
    return sent


BOTH = ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_lifespan_of_an_application_that_takes_none() -> None:
    """Django takes no lifespan events; the server is told that all is well, and requests pass."""
    application = loaded_asgi()

    async def between() -> None:
        scope = {"type": "http", "path": "/", "method": "GET", "headers": []}
        assert await exchange(application, scope) == [{"type": "http.hello"}]

    assert lifespan(application, between) == BOTH


def test_lifespan_is_passed_on_once_the_application_is_loaded() -> None:
    """The server starts at once; the application hears of start and end, and until it has started nobody gets in."""
    heard: list[str] = []
    go = asyncio.Event()

    async def taking(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            heard.append((await receive())["type"])
            await go.wait()
            scope["state"]["pool"] = "open"
            await send({"type": "lifespan.startup.complete"})
            heard.append((await receive())["type"])
            await send({"type": "lifespan.shutdown.complete"})
        else:
            heard.append("request")

    load = Load(taking)
    application = asgi.HealthApplication(load)
    scope = {"type": "http", "path": "/", "method": "GET", "headers": []}

    async def between() -> None:
        visitor = asyncio.ensure_future(exchange(application, scope))
        load.go.set()
        while not heard:
            await asyncio.sleep(0.005)
        assert (await exchange(application, {**scope, "path": "/-/startup"}))[0]["status"] == 503
        go.set()
        await visitor
        assert (await exchange(application, {**scope, "path": "/-/startup"}))[0]["status"] == 200

    assert lifespan(application, between) == BOTH
    assert heard == ["lifespan.startup", "request", "lifespan.shutdown"]


def test_application_that_cannot_start_has_failed() -> None:
    """An application whose own start fails is as one that cannot be loaded."""

    async def failing(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no pool"})

    application = asgi.HealthApplication(lambda: failing)
    until(lambda: application.loading.is_done)

    async def between() -> None:
        assert application.lifespan is not None
        await application.lifespan.started.wait()
        probe = {"type": "http", "path": "/-/live", "method": "GET", "headers": []}
        assert (await exchange(application, probe))[1]["body"] == b"failed"
        with pytest.raises(RuntimeError):
            await exchange(application, {**probe, "path": "/"})

    assert lifespan(application, between) == BOTH


def test_server_may_end_before_the_application_is_loaded() -> None:
    """A shutdown does not wait for what is still being loaded."""
    load = Load(ahello)
    application = asgi.HealthApplication(load)
    try:
        assert lifespan(application, lambda: asyncio.sleep(0)) == BOTH
    finally:
        load.go.set()


FORK = """
import os, sys, threading
import django
from django.conf import settings

settings.configure(SECRET_KEY="x", MULTIHOST_HEALTH={"PROBES": {}})
from wagtail_multihost.health.wsgi import HealthApplication

go = threading.Event()

def load():
    assert go.wait(30)
    return lambda environ, start_response: [b"hello"]

application = HealthApplication(load)
threading.Timer(0.3, go.set).start()
child = os.fork()
if child == 0:
    done = application.loading.is_done
    os._exit(0 if done and application({"PATH_INFO": "/"}, None) == [b"hello"] else 9)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_fork_waits_until_the_application_is_loaded() -> None:
    """A master that forks while its application loads has children with a whole one."""
    environ = {**os.environ, "PYTHONPATH": os.getcwd()}
    ran = subprocess.run([sys.executable, "-W", "ignore", "-c", FORK], env=environ, timeout=120, check=False)
    assert ran.returncode == 0


def test_load_that_forks_does_not_wait_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """An application may start processes of its own while it is loaded."""
    application = wsgi.HealthApplication(lambda: loading.finish_loadings() or hello)
    until(lambda: application.loading.is_done)
    assert get(application, "/")[1] == b"hello"


def test_child_with_half_an_application_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a fork could not be waited for, the child answers that it has failed, and hangs nowhere."""
    load = Load(hello)
    application = wsgi.HealthApplication(load)
    try:
        until(lambda: load.threads)
        application.loading._pid = -1
        assert get(application, "/-/live")[:2] == (503, b"failed")
        with pytest.raises(RuntimeError):
            get(application, "/")
    finally:
        load.go.set()
        load.threads[0].join(SECONDS)


@pytest.mark.parametrize(
    ("opt", "worker", "in_thread"),
    [
        ({"enable-threads": b"true"}, 1, True),
        ({"threads": b"2"}, 1, True),
        ({b"enable-threads": b"true"}, 1, True),
        ({"enable-threads": b"true"}, 0, False),
        ({"threads": b"1"}, 1, False),
        ({}, 1, False),
    ],
)
def test_uwsgi_loads_on_the_spot_where_a_thread_would_not_do(
    monkeypatch: pytest.MonkeyPatch, opt: dict, worker: int, in_thread: bool
) -> None:
    """uWSGI's master forks without telling Python, and without threads none would ever run."""
    module = ModuleType("uwsgi")
    module.__dict__.update(opt=opt, worker_id=lambda: worker)
    monkeypatch.setitem(sys.modules, "uwsgi", module)
    load = Load(hello)
    load.go.set()
    application = wsgi.HealthApplication(load)
    until(lambda: application.loading.is_done)
    assert (load.threads == [threading.current_thread()]) != in_thread


def test_uwsgi_without_threads_is_complained_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The operator finds one line that says what is missing."""
    with caplog.at_level(logging.ERROR):
        server.log_missing_threads()
        assert not caplog.records
        monkeypatch.setitem(sys.modules, "uwsgi", SimpleNamespace(opt={"processes": b"2"}))
        server.log_missing_threads()
    assert "enable-threads" in caplog.text
