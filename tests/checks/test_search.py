"""The check of search indexes."""

from __future__ import annotations

from typing import Any

import pytest
import wagtail

from tests.checks.conftest import Serve, ids_of
from wagtail_multihost.checks.search import check_search
from wagtail_multihost.spec.site import SiteSpec

ELASTIC = "wagtail.search.backends.elasticsearch8"


def set_backend(settings: Any, **options: str) -> None:
    settings.WAGTAILSEARCH_BACKENDS = {"default": {"BACKEND": ELASTIC, **options}}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"INDEX_PREFIX": "aviary_borealis_"},
        {"INDEX_PREFIX": "aviary_aurora"},
        {"INDEX": "shared"},
        {"INDEX": ""},
        {"BACKEND": "modelsearch.backends.elasticsearch8"},
    ],
)
def test_index_without_the_sites_prefix_is_e009(aurora: SiteSpec, settings: Any, options: dict[str, str]) -> None:
    """An index that another site may have too is an error."""
    set_backend(settings, **options)
    assert ids_of(check_search(None)) == ["E009"]


@pytest.mark.parametrize(("version", "found"), [((8, 0, 0), ["E009"]), ((7, 4, 0), [])])
def test_index_is_e009_where_wagtail_ignores_it(
    aurora: SiteSpec, settings: Any, monkeypatch: pytest.MonkeyPatch, version: tuple[int, ...], found: list[str]
) -> None:
    """INDEX is a name of its own before Wagtail 8, and none from then on."""
    monkeypatch.setattr(wagtail, "VERSION", version)
    set_backend(settings, INDEX="aviary_aurora")
    assert ids_of(check_search(None)) == found
    set_backend(settings, INDEX="shared", INDEX_PREFIX="aviary_aurora_")
    assert ids_of(check_search(None)) == found


@pytest.mark.parametrize(
    "options",
    [
        {"INDEX_PREFIX": "aviary_aurora_"},
        {"INDEX_PREFIX": "aviary_aurora_de_"},
        {"BACKEND": "wagtail.search.backends.database"},
        {"BACKEND": "modelsearch.backends.database"},
    ],
)
def test_index_of_the_site_is_quiet(aurora: SiteSpec, settings: Any, options: dict[str, str]) -> None:
    """The site's own prefix, and what is in its database, have no message."""
    set_backend(settings, **options)
    assert check_search(None) == []


def test_each_backend_of_a_search_is_named(aurora: SiteSpec, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages name the backend that they are about, and a project without a search has none."""
    monkeypatch.setattr(wagtail, "VERSION", (8, 0, 0))
    own = {"BACKEND": ELASTIC, "INDEX_PREFIX": "aviary_aurora_"}
    settings.WAGTAILSEARCH_BACKENDS = {"default": own, "first": {"BACKEND": ELASTIC}, "second": {**own, "INDEX": "x"}}
    messages = check_search(None)
    assert ids_of(messages) == ["E009", "E009"]
    assert [message.msg.split()[0] for message in messages] == [
        "WAGTAILSEARCH_BACKENDS['first']",
        "WAGTAILSEARCH_BACKENDS['second']",
    ]
    assert "does not have the site's INDEX_PREFIX" in messages[0].msg and "has INDEX," in messages[1].msg
    del settings.WAGTAILSEARCH_BACKENDS
    assert check_search(None) == []


def test_index_of_no_site_is_quiet(serve: Serve, settings: Any) -> None:
    """In build mode nothing is indexed."""
    serve(None)
    set_backend(settings)
    assert check_search(None) == []
