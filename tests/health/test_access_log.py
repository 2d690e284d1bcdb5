"""What stays of probes in access logs, and in the log of failed requests."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from logging.config import DictConfigurator
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.core.servers.basehttp import WSGIRequestHandler
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.utils.log import log_response

from wagtail_multihost.health import access_log
from wagtail_multihost.health.access_log import ProbeFilter, is_probe
from wagtail_multihost.health.drain import Drain
from wagtail_multihost.health.endpoint import Answer
from wagtail_multihost.health.middleware import response_for

PROBES = ("/-/live", "/-/ready/", "/-/startup", "/-/health", "/-/health.json", "/-/metrics/", "/-/site/aurora")
OTHERS = (
    "/",
    "/-",
    "/-/",
    "/-/drain",
    "/-/drain/",
    "/-/page/",
    "/-/livex",
    "/-/site/",
    "/-/site/a/b",
    "/x/-/live",
    "//-/live",
)


@pytest.fixture
def kept() -> Iterator[list[logging.LogRecord]]:
    """The records that pass a filter on each logger of requests, as servers and Django make them."""
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign]
    handler.addFilter(ProbeFilter())
    loggers = [
        logging.getLogger(name)
        for name in ("gunicorn.access", "uvicorn.access", "granian.access", "django.server", "django.request")
    ]
    before = [(logger.level, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False
    yield records
    for logger, (level, propagate) in zip(loggers, before, strict=True):
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate


def gunicorn(path: str, status: int) -> None:
    """Log a request with gunicorn's own logger."""
    from gunicorn.config import Config
    from gunicorn.glogging import Logger

    config = Config()
    config.set("accesslog", "-")
    logger = Logger(config)
    environ = {
        "REQUEST_METHOD": "GET",
        "RAW_URI": f"{path}?x=1",
        "PATH_INFO": path,
        "SERVER_PROTOCOL": "HTTP/1.1",
    }

    class Response:
        def __init__(self) -> None:
            self.status, self.sent, self.headers = f"{status} Reason", 4, []

    class Request:
        def __init__(self) -> None:
            self.headers: list[tuple[str, str]] = []

    handlers = list(logger.access_log.handlers)
    for handler in [handler for handler in handlers if getattr(handler, "_gunicorn", False)]:
        logger.access_log.removeHandler(handler)
    logger.access(Response(), Request(), environ, timedelta(seconds=1))


def uvicorn(path: str, status: int) -> None:
    """Log a request as uvicorn's protocols do."""
    logging.getLogger("uvicorn.access").info(
        '%s - "%s %s HTTP/%s" %d', "127.0.0.1:5000", "GET", f"{path}?x=1", "1.1", status
    )


def granian(path: str, status: int) -> None:
    """Log a request with granian's own function."""
    from granian.log import DEFAULT_ACCESSLOG_FMT, log_request_builder

    request = {"addr_remote": "x", "path": path, "qs": "", "method": "GET", "scheme": "http", "protocol": "HTTP/1.1"}
    log_request_builder(DEFAULT_ACCESSLOG_FMT)(0.0, 0.0, request, status)


def runserver(path: str, status: int) -> None:
    """Log a request with runserver's own handler."""
    handler = WSGIRequestHandler.__new__(WSGIRequestHandler)
    handler.request = None
    handler.log_message('"%s" %s %s', f"GET {path}?x=1 HTTP/1.1", str(status), "4")


def django(path: str, status: int) -> None:
    """Log a response as Django's handler does."""
    response = HttpResponse(status=status)
    request: WSGIRequest = RequestFactory().get("/")
    request.path = request.path_info = path
    log_response("%s: %s", response.reason_phrase, path, response=response, request=request)


SERVERS = [gunicorn, uvicorn, granian, runserver, django]


@pytest.mark.parametrize("log", SERVERS)
def test_probes_that_pass_are_dropped_and_others_are_not(log: Any, kept: list[logging.LogRecord]) -> None:
    """Records of the endpoint's readings go, those of drains, of the site's own pages and of failures stay."""
    for path in PROBES:
        log(path, 200)
    assert kept == []
    for path in OTHERS:
        log(path, 200)
    assert len(kept) == len(OTHERS)
    for path in PROBES:
        log(path, 503)
    assert len(kept) == len(OTHERS) + len(PROBES)
    assert all(record.getMessage() for record in kept)


@pytest.mark.parametrize("log", [uvicorn, runserver, django])
def test_failures_are_dropped_where_nobody_wants_them(log: Any, kept: list[logging.LogRecord]) -> None:
    """With ``keep_failures`` off no record of a probe stays, and those of others do."""
    logger = logging.getLogger("django.request")
    (handler,) = [found for found in logger.handlers if found.filters]
    handler.filters[:] = [ProbeFilter(keep_failures=False)]
    log("/-/ready", 503)
    log("/x", 503)
    assert len(kept) == 1


def test_quoted_path_is_seen_as_the_endpoint_sees_it(kept: list[logging.LogRecord]) -> None:
    """Servers that log the path as it was sent are understood."""
    uvicorn("/%2d/live", 200)
    runserver("/%2D/live", 200)
    assert kept == []


def test_path_of_gunicorn_is_the_applications_already(kept: list[logging.LogRecord]) -> None:
    """What gunicorn logs is not decoded again: a page of the site stays in the log."""
    gunicorn("/%2d/live", 200)
    assert len(kept) == 1


def test_prefix_is_the_projects_or_the_filters(kept: list[logging.LogRecord], settings: Any) -> None:
    """The settings' prefix is taken, also after a mistake was mended; one that is stated goes before it."""
    settings.MULTIHOST_HEALTH = {"PREFIX": "/ops/"}
    uvicorn("/ops/live", 200)
    assert kept == []
    uvicorn("/-/live", 200)
    assert len(kept) == 1
    settings.MULTIHOST_HEALTH = {"PREFIX": "no path"}
    uvicorn("/-/live", 200)
    assert len(kept) == 1
    assert ProbeFilter("/ops/").filter(kept[0])


@pytest.mark.parametrize(
    "arguments",
    [(), None, (1,), ("x", None, None, None, None), {}, {"path": None}, {"U": 5, "s": None}, ("GET",), (b"x", b"y")],
)
@pytest.mark.parametrize("name", ["gunicorn.access", "uvicorn.access", "django.server", "django.request", "x"])
def test_odd_record_stays(name: str, arguments: Any) -> None:
    """What is no record of a request is kept, without an error."""
    record = logging.LogRecord(name, logging.INFO, __file__, 1, "text", None, None)
    record.args = arguments
    assert ProbeFilter().filter(record)


def test_every_path_that_the_endpoint_reads_is_a_probe() -> None:
    """The filter knows the endpoint's paths, whatever the prefix."""
    for path in PROBES:
        assert is_probe(path, "/-/") and not is_probe(path, "/ops/")
    assert not [path for path in OTHERS if is_probe(path, "/-/")]


def test_failing_probe_is_no_error_of_a_request(
    client: Client, caplog: pytest.LogCaptureFixture, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A 503 of the endpoint is no error in django.request, which mails the admins of each; one of the site is."""
    settings.ROOT_URLCONF = "tests.health.failing_urls"
    settings.MULTIHOST_HEALTH = {"PROBES": {}}
    monkeypatch.setattr(Drain, "is_on", lambda self: True)
    assert (client.get("/-/ready").status_code, client.get("/broken/").status_code) == (503, 503)
    logged = [(record.levelname, record.getMessage()) for record in caplog.records if record.name == "django.request"]
    assert logged == [("ERROR", "Service Unavailable: /broken/")]


def test_answer_is_marked_as_logged(rf: RequestFactory) -> None:
    """The mark that Django looks at is set on every answer."""
    assert response_for(Answer(503, b"fail"), rf.get("/-/ready"))._has_been_logged is True  # type: ignore[attr-defined]


def record_of(name: str, arguments: Any = None, **more: Any) -> logging.LogRecord:
    record = logging.LogRecord(name, logging.INFO, __file__, 1, "text", None, None)
    record.args = arguments
    record.__dict__.update(more)
    return record


LIVE = SimpleNamespace(path_info="/-/live")


@pytest.mark.parametrize(
    ("record", "stays"),
    [
        (record_of("uvicorn.access", ("x", "GET", "/-/live", "1.1", 399)), False),
        (record_of("uvicorn.access", ("x", "GET", "/-/live", "1.1", 400)), True),
        (record_of("uvicorn.access", ("x", "GET", "/-/live", "1.1")), True),
        (record_of("uvicorn.access", ("x", "GET", b"/-/live", "1.1", 200)), True),
        (record_of("uvicorn.access", ["x", "GET", "/-/live", "1.1", 200]), True),
        (record_of("uvicorn.access", ("x", "GET", "/-/live?a?b", "1.1", 200)), False),
        (record_of("uvicorn.access", ("x", "GET", "/-/live", "1.1", "\u0662\u0660\u0660")), True),
        (record_of("uvicorn.access", ("x", "GET", "/-/live", "1.1", "")), True),
        (record_of("django.server", ("GET /-/live HTTP/1.1", "200")), False),
        (record_of("django.server", ("GET /-/live HTTP/1.1", "500")), True),
        (record_of("django.server", ("GET /-/live HTTP/1.1",)), True),
        (record_of("django.server", ("GET /-/live", "200")), True),
        (record_of("django.server", ("GET /-/live x HTTP/1.1", "200")), True),
        (record_of("django.server", ["GET /-/live HTTP/1.1", "200"]), True),
        (record_of("gunicorn.access", {"U": "/-/live", "s": "200 OK"}), False),
        (record_of("gunicorn.access", {"U": "/-/live", "s": "503 Down"}), True),
        (record_of("gunicorn.access", {"U": "/-/live"}), True),
        (record_of("granian.access", {"path": "/-/live", "status": 200, "U": "/x"}), False),
        (record_of("granian.access", {"path": "/-/live"}), True),
        (record_of("django.request", request=LIVE, status_code=200), False),
        (record_of("django.request", request=LIVE, status_code=404), True),
        (record_of("django.request", request=LIVE), True),
        (record_of("django.request", ("x",), request=LIVE, status_code=200), False),
        (record_of("django.request", request=SimpleNamespace(path_info=b"/-/live"), status_code=200), True),
        (record_of("django.request", request=SimpleNamespace(), status_code=200), True),
    ],
)
def test_record_of_each_form_is_read(record: logging.LogRecord, stays: bool) -> None:
    """A status that is none counts as a failure, and what is no request of a probe stays."""
    assert ProbeFilter().filter(record) is stays
    assert ProbeFilter(keep_failures=False).filter(record) in (False, stays)


def test_filter_keeps_failures_of_any_prefix_unless_told_otherwise() -> None:
    """What is not said is what the settings say, and failures stay."""
    own = ProbeFilter()
    assert (own.prefix, own.keep_failures, own.name) == ("", True, "")
    assert (is_probe("/-/live", "/-/"), is_probe("/live", "/-/"), is_probe("live", "/-/")) == (True, False, False)


def test_prefix_is_the_default_before_there_are_settings(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """Servers configure their logs before a project is loaded."""
    settings.MULTIHOST_HEALTH = {"PREFIX": "/ops/"}
    assert access_log.endpoint_prefix() == "/ops/"
    with monkeypatch.context() as patch:
        patch.setattr("django.conf.settings", SimpleNamespace(configured=False, MULTIHOST_HEALTH={"PREFIX": "/ops/"}))
        assert access_log.endpoint_prefix() == "/-/"
    settings.MULTIHOST_HEALTH = {"PREFIX": "no path"}
    assert access_log.endpoint_prefix() == "/-/"


def test_filter_is_configured_by_its_dotted_name() -> None:
    """A logging configuration names the filter, with its options."""
    path = "wagtail_multihost.health.access_log.ProbeFilter"
    configurator = DictConfigurator({"version": 1})
    found = configurator.configure_filter({"()": path, "keep_failures": False})
    assert isinstance(found, ProbeFilter) and not found.keep_failures
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(found)
    for url in ("/-/live", "/x"):
        record = logging.LogRecord(
            "uvicorn.access", logging.INFO, "", 1, "%s %s %s %s %s", ("c", "GET", url, "1.1", 200), None
        )
        handler.handle(record)
    assert stream.getvalue() == "c GET /x 1.1 200\n"
