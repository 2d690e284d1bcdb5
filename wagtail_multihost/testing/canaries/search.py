"""Pages in every search index."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import router
from wagtail.models import Page
from wagtail.search.backends import get_search_backend

from wagtail_multihost.testing.canaries.base import Canary, Crossing
from wagtail_multihost.testing.canaries.database import database_setting

DATABASE = "wagtail.search.backends.database"


class SearchCanary(Canary):
    """A page, for which every alias of WAGTAILSEARCH_BACKENDS is searched."""

    name = "search"

    def applies(self) -> bool:
        return apps.is_installed("wagtail") and apps.is_installed("wagtail.search")

    def plant(self, token: str) -> object:
        page = Page(title=token, slug=token)
        Page.get_first_root_node().add_child(instance=page)
        for alias in search_aliases():
            backend = get_search_backend(alias)
            # Signals do this too, but in a task that may wait for a worker.
            backend.add(page)
            backend.refresh_indexes()
        return page.pk

    def crossed(self, token: str, planted: object) -> Iterator[Crossing]:
        for alias in search_aliases():
            # The count comes from the index alone; results are looked up in this site's database.
            if get_search_backend(alias).search(token, Page).count():
                yield Crossing(search_setting(alias), "A search finds the page.")

    def remove(self, token: str, planted: object) -> None:
        Page.objects.get(pk=planted).delete()


def search_backends() -> dict[str, dict[str, Any]]:
    return getattr(settings, "WAGTAILSEARCH_BACKENDS", None) or {"default": {"BACKEND": DATABASE}}


def search_aliases() -> list[str]:
    return list(search_backends())


def search_setting(alias: str) -> str:
    if str(search_backends()[alias].get("BACKEND", DATABASE)).startswith(DATABASE):
        return database_setting(router.db_for_read(Page))
    return f'WAGTAILSEARCH_BACKENDS["{alias}"]'
