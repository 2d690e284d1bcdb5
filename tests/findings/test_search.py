"""Finding 2: the name of a search index."""

from __future__ import annotations

import warnings
from typing import Any

import wagtail
from django.contrib.auth.models import User
from django.test import override_settings
from modelsearch.backends.elasticsearchbase import ElasticsearchBaseSearchBackend

from tests.findings.conftest import SettingsOf
from wagtail_multihost.checks.search import check_search

ELASTICSEARCH = "wagtail.search.backends.elasticsearch8"


class Offline:
    """A client that asks no server, so that none of Elasticsearch's has to be installed."""

    def __init__(self, **options: object) -> None:
        self.options = options


def index_of(options: dict[str, Any]) -> str:
    """Return the name of the index of users, as the installed Wagtail makes it from a search backend's options."""
    stock: tuple[type, ...] = (ElasticsearchBaseSearchBackend,)
    if wagtail.VERSION < (8,):
        from wagtail.search.backends.deprecation import IndexOptionMixin

        stock = (IndexOptionMixin, *stock)
    backend = type("Backend", stock, {"client_class": Offline, "timeout_kwarg_name": "timeout"})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Wagtail 7.4 says that INDEX is deprecated
        return str(
            backend({key: value for key, value in options.items() if key != "BACKEND"}).get_index_for_model(User).name
        )


def test_index_option_alone_does_not_keep_sites_apart(settings_of: SettingsOf) -> None:
    """Wagtail 8 ignores INDEX, so all sites share one index; 7.4 reads it. The resolver sets INDEX_PREFIX."""
    shared = wagtail.VERSION >= (8,)
    assert index_of({"INDEX": "site_a"}) == ("auth_user" if shared else "site_a_auth_user")
    project = {"WAGTAILSEARCH_BACKENDS": {"default": {"BACKEND": ELASTICSEARCH, "INDEX": "site_a"}}}
    names = {}
    for site in ("aurora", "borealis"):
        names[site] = index_of(settings_of(site, project=project)["WAGTAILSEARCH_BACKENDS"]["default"])
    assert names == {"aurora": "aviary_aurora_auth_user", "borealis": "aviary_borealis_auth_user"}


def test_index_option_that_was_set_afterwards_is_found(settings_of: SettingsOf) -> None:
    """Wagtail's checks say nothing about INDEX; ours do, whichever way the installed Wagtail takes it."""
    settings_of("aurora")
    backends = {"default": {"BACKEND": ELASTICSEARCH, "INDEX": "site_a"}}
    with override_settings(WAGTAILSEARCH_BACKENDS=backends):
        assert [message.id for message in check_search(None)] == ["wagtail_multihost.E009"]
