"""The probe of search backends."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import DEFAULT_DB_ALIAS, OperationalError, connection, connections
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from wagtail.search.models import IndexEntry

from wagtail_multihost.health.probe import failed, passed
from wagtail_multihost.health.probes.search import SearchProbe

SECRET = "https://user:hunter2@search.internal"


class Indices:
    """Stands for the part of a client that knows indexes."""

    known: Any = ()
    asked: list[str] = []

    def exists(self, *, index: str) -> bool:
        Indices.asked.append(index)
        if isinstance(Indices.known, Exception):
            raise Indices.known
        return index in Indices.known


class SearchBackend:
    """Stands for Wagtail's backend of a search server: ``es`` is the client."""

    params: Any = None
    closed = 0

    def __init__(self, params: Any) -> None:
        SearchBackend.params = params
        self.es = SimpleNamespace(indices=Indices(), close=self.close)

    def close(self) -> None:
        SearchBackend.closed += 1

    def get_index_for_model(self, model: Any) -> SimpleNamespace:
        return SimpleNamespace(name=f"{self.params['INDEX_PREFIX']}{model._meta.label_lower.replace('.', '_')}")


class Other:
    """A backend of somebody else's."""

    def __init__(self, params: Any) -> None:
        pass


SERVER = {"BACKEND": __name__, "INDEX_PREFIX": "aviary__aurora__", "TIMEOUT": 10}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The default backend is that of a server with the index of the pages."""
    monkeypatch.setattr(Indices, "known", ("aviary__aurora__wagtailcore_page",))
    monkeypatch.setattr(Indices, "asked", [])
    monkeypatch.setattr(SearchBackend, "closed", 0)
    with override_settings(WAGTAILSEARCH_BACKENDS={"default": SERVER}):
        yield


def measured(**options: Any) -> list[Any]:
    return list(SearchProbe(**options).measure())


@pytest.mark.django_db(transaction=True)
def test_table_of_the_index_is_asked_once() -> None:
    """The database backend costs one query for one row."""
    with CaptureQueriesContext(connection) as queries:
        assert measured() == [passed(subject="default")]
    (query,) = queries.captured_queries
    assert IndexEntry._meta.db_table in query["sql"] and "LIMIT 1" in query["sql"]


@pytest.mark.django_db(transaction=True)
def test_connection_to_the_index_is_closed() -> None:
    """No connection is left behind."""
    assert measured() == [passed(subject="default")]
    assert connections[DEFAULT_DB_ALIAS].connection is None or connections[DEFAULT_DB_ALIAS].is_in_memory_db()


def test_table_that_does_not_answer_fails(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """The outcome has a code only; the log has the exception."""

    def fail(seconds: float) -> None:
        raise OperationalError(SECRET)

    monkeypatch.setattr("wagtail_multihost.health.probes.search.query_index_table", fail)
    assert measured() == [failed("unreachable", subject="default")]
    assert SECRET in caplog.text


def test_server_with_the_site_s_index_passes(server: None) -> None:
    """Only the site's own index is asked for, within seconds, and the client is closed."""
    assert measured(request_timeout=1) == [passed(subject="default")]
    assert Indices.asked == ["aviary__aurora__wagtailcore_page"]
    assert (SearchBackend.params["TIMEOUT"], SearchBackend.closed) == (1, 1)


def test_server_without_the_site_s_index_fails(server: None) -> None:
    """A server that was emptied answers, and finds nothing."""
    Indices.known = ("aviary__borealis__wagtailcore_page",)
    assert measured() == [failed("index_missing", subject="default")]


def test_server_that_does_not_answer_fails(server: None, caplog: pytest.LogCaptureFixture) -> None:
    """The outcome has a code only, and the client is closed."""
    Indices.known = RuntimeError(SECRET)
    assert measured() == [failed("unreachable", subject="default")]
    assert (SECRET in caplog.text, SearchBackend.closed) == (True, 1)


def test_backend_of_another_kind_is_not_judged() -> None:
    """What the probe does not know is no fault."""
    with override_settings(WAGTAILSEARCH_BACKENDS={"default": {"BACKEND": f"{__name__}.Other"}}):
        assert measured() == [passed(subject="default", code="not_applicable")]


def test_every_backend_is_asked(server: None) -> None:
    """One that does not exist does not hide the others; an option names those that count."""
    stated = {"default": SERVER, "broken": {"BACKEND": "no.such.module"}}
    with override_settings(WAGTAILSEARCH_BACKENDS=stated):
        expected = [passed(subject="default"), failed("unreachable", subject="broken")]
        assert measured() == expected
        assert measured(aliases=["default"]) == expected[:1]
        assert measured(aliases=["gone"]) == [failed("unreachable", subject="gone")]
