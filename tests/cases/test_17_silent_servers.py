"""
Case 17, its kind: a server that accepts and never answers. What a request waits for in storage, mail, search and
caches in front ends after seconds, with the defaults and with what the project states.
"""

from __future__ import annotations

import importlib
import logging
import smtplib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError
from django.core import mail
from django.core.files.base import ContentFile
from django.test import override_settings
from wagtail.contrib.frontend_cache.utils import get_backends

from tests.backends.conftest import process_of
from tests.backends.test_frontend import caches, cloudflare, cloudfront
from tests.emitters.conftest import make_site
from tests.emitters.test_nginx_content_servers import AURORA, Application, body, folder, local_plan, serving
from tests.resolver.conftest import values_of
from tests.servers.processes import free_port, wait_for
from tests.servers.silent import Silent, done_within, silent_server
from tests.spec.samples import a_platform, a_site
from wagtail_multihost.backends import bucket_mark
from wagtail_multihost.backends.storage import SiteS3Storage
from wagtail_multihost.resolver import resolved
from wagtail_multihost.resolver.frontend import frontend_settings
from wagtail_multihost.spec.frontend import FrontendCacheSpec
from wagtail_multihost.spec.mail import MailSpec
from wagtail_multihost.spec.secret import Secret

__all__ = ["folder", "process_of"]

Process = Callable[..., None]
pytestmark = pytest.mark.servers
#: What a machine with other work to do may add.
SLACK = 10
PAGES = [f"https://aurora.example.org/{number}/" for number in range(30)]


@pytest.fixture
def silent() -> Iterator[Silent]:
    with silent_server() as server:
        yield server


@pytest.mark.parametrize(
    ("stated", "project", "least", "most"),
    [
        # Two attempts of 10 seconds each, after 2 for the mark.
        ({}, None, 20, 25),
        ({"read_timeout": 1, "attempts": 1}, None, 1, 4),
        ({"attempts": 1}, Config(read_timeout=1), 1, 4),
    ],
)
def test_storage_that_does_not_answer(
    process_of: Process,
    silent: Silent,
    monkeypatch: pytest.MonkeyPatch,
    stated: dict[str, int],
    project: Config | None,
    least: int,
    most: int,
) -> None:
    """A file is not saved after seconds, where botocore would try for five minutes."""
    monkeypatch.setattr(bucket_mark, "_next", {})
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "9")
    monkeypatch.setenv("AWS_RETRY_MODE", "legacy")
    process_of(endpoint=f"http://127.0.0.1:{silent.port}", **stated)
    with override_settings(AWS_S3_CLIENT_CONFIG=project):
        own = SiteS3Storage(site="aurora")
    try:
        with done_within(least, most + SLACK), pytest.raises((ConnectTimeoutError, ReadTimeoutError)):
            own.save("a.txt", ContentFile(b"first"))
    finally:
        own.connection.meta.client.close()


def mail_settings(site: Any, project: dict[str, object]) -> dict[str, Any]:
    """Return the settings of mail of a site's process."""
    settings = values_of(resolved.ResolvedSettings(a_platform(), site).settings(project))
    return {name: value for name, value in settings.items() if name == "MAILERS" or name.startswith("EMAIL_")}


@pytest.mark.parametrize(
    ("own", "project", "least"),
    [
        (MailSpec(host="127.0.0.1", security="none"), {}, 10),
        (MailSpec(host="127.0.0.1", security="none", timeout=1), {}, 1),
        (MailSpec(host="127.0.0.1", security="none"), {"EMAIL_TIMEOUT": 1}, 1),
        (None, {}, 10),
        (None, {"EMAIL_TIMEOUT": 1}, 1),
    ],
)
def test_mail_server_that_does_not_answer(
    silent: Silent, own: MailSpec | None, project: dict[str, object], least: int
) -> None:
    """A message is not sent after seconds, through the site's server or the project's; Django would wait forever."""
    if own is not None:
        own = MailSpec(**{name: getattr(own, name) for name in ("host", "security", "timeout")}, port=silent.port)
    elif not project.get("MAILERS"):
        project = {**project, "EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": silent.port}
    settings = {**project, **mail_settings(a_site(mail=own), project)}
    backend = "django.core.mail.backends.smtp.EmailBackend"
    if "MAILERS" in settings:  # Django 6.1
        connection: Any = mail.backends.smtp.EmailBackend(**settings["MAILERS"]["default"]["OPTIONS"])
    else:
        with override_settings(**settings):
            connection = mail.get_connection(backend)
    with done_within(least, least + SLACK), pytest.raises((TimeoutError, smtplib.SMTPException)):
        connection.open()


@pytest.mark.parametrize(
    ("module", "client", "stated", "least"),
    [
        ("elasticsearch8", "elastic_transport", {}, 10),
        ("elasticsearch8", "elastic_transport", {"TIMEOUT": None}, 10),
        ("elasticsearch8", "elastic_transport", {"TIMEOUT": 1}, 1),
        ("opensearch3", "opensearchpy", {"TIMEOUT": None}, 10),
        ("opensearch3", "opensearchpy", {"TIMEOUT": 1}, 1),
    ],
)
def test_search_that_does_not_answer(
    silent: Silent, module: str, client: str, stated: dict[str, object], least: int
) -> None:
    """A search ends after seconds, with the server's own client, and is not tried again."""
    errors = pytest.importorskip(client)
    path = f"wagtail.search.backends.{module}"
    entry = {"BACKEND": path, "URLS": [f"http://127.0.0.1:{silent.port}"], **stated}
    settings = values_of(
        resolved.ResolvedSettings(a_platform(), a_site()).settings({"WAGTAILSEARCH_BACKENDS": {"default": entry}})
    )
    params = dict(settings["WAGTAILSEARCH_BACKENDS"]["default"])  # type: ignore[call-overload]
    backend = importlib.import_module(path).SearchBackend({name: params[name] for name in params if name != "BACKEND"})
    server = backend.es
    try:
        with done_within(least, least + SLACK), pytest.raises(errors.ConnectionTimeout):
            server.search(index="aviary_aurora_page", body={"query": {"match_all": {}}})
    finally:
        server.close()
    assert len(silent.connections) == 1


def test_cache_in_front_that_does_not_answer(
    silent: Silent, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Thirty pages are published after one wait, of 5 seconds, and what is not purged is said."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    own = FrontendCacheSpec(backend="http", location=f"http://127.0.0.1:{silent.port}")
    backend = get_backends(caches(own, monkeypatch))["default"]
    with caplog.at_level(logging.ERROR, "wagtail.frontendcache"), done_within(5, 5 + SLACK):
        backend.purge_batch(PAGES[:20])
        backend.purge_batch(PAGES[20:])
    assert len(silent.connections) == 1
    assert all(page in caplog.text for page in PAGES)


def test_cache_in_front_that_answers_is_purged(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """nginx takes a purge for the page's host and address, and visitors get the new page."""
    aurora, port = Application(), free_port()
    options = {"cache": 60, "http": (f"127.0.0.1:{port}", f"unix:{folder}/http.sock")}
    own = FrontendCacheSpec(backend="http", location=f"http://127.0.0.1:{port}")
    backend = get_backends(caches(own, monkeypatch))["default"]
    with serving(local_plan(folder, make_site("aurora"), options=options), folder, aurora=aurora):
        for path in ("/a/", "/b/?x=1"):
            assert body(folder, AURORA, path).endswith(" 1")
        backend.purge_batch([f"https://{AURORA}/a/", f"https://{AURORA}/b/?x=1"])
        for path in ("/a/", "/b/?x=1"):
            wait_for(lambda path=path: body(folder, AURORA, path).endswith(" 2"), "the new page")  # type: ignore[misc]
    assert not backend.is_silent


def test_cloudflare_that_does_not_answer(
    silent: Silent, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The same for a zone, whose purges go in several requests."""
    backend = get_backends(caches(cloudflare(), monkeypatch))["default"]
    backend.cloudflare_purge_endpoint_url = f"http://127.0.0.1:{silent.port}/"
    with caplog.at_level(logging.ERROR, "wagtail.frontendcache"), done_within(5, 5 + SLACK):
        backend.purge_batch(PAGES * 2)
    assert len(silent.connections) == 1
    assert all(page in caplog.text for page in PAGES) and "own-zone-token" not in caplog.text


def test_cloudfront_that_does_not_answer(
    silent: Silent, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The same for a distribution, which is asked twice."""
    own = cloudfront(access_key=Secret("own-id"), secret_key=Secret("own-key"))
    backend = get_backends(caches(own, monkeypatch))["default"]
    address = f"http://127.0.0.1:{silent.port}/"
    backend.client.meta.events.register("before-call.cloudfront", lambda params, **event: params.update(url=address))
    with caplog.at_level(logging.ERROR, "wagtail.frontendcache"), done_within(10, 12 + SLACK):
        backend.purge_batch(PAGES)
        backend.purge_batch(PAGES)
    assert len(silent.connections) == 2
    assert "own-key" not in caplog.text


def test_server_of_the_project_is_waited_for_as_long_as_the_project_says(
    silent: Silent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An entry of Wagtail's own backend, which knows no timeout, gets one."""
    entry = {"BACKEND": "wagtail.contrib.frontend_cache.backends.HTTPBackend", "TIMEOUT": 1}
    project: dict[str, object] = {
        "WAGTAILFRONTENDCACHE": {"varnish": {**entry, "LOCATION": f"http://127.0.0.1:{silent.port}"}}
    }
    [setting] = frontend_settings(a_platform(), a_site(), project)
    backend = get_backends(setting.value)["varnish"]
    with done_within(1, 1 + SLACK):
        backend.purge_batch(PAGES)
    assert len(silent.connections) == 1
