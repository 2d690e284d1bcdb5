"""Wagtail's sites, and its cache of their root paths."""

from __future__ import annotations

from collections.abc import Iterator

from django.apps import apps
from django.core.cache import DEFAULT_CACHE_ALIAS
from django.db import router
from wagtail.models import Page, Site

from wagtail_multihost.testing.canaries.base import Canary, Crossing
from wagtail_multihost.testing.canaries.cache import cache_setting
from wagtail_multihost.testing.canaries.database import database_setting


class WagtailSitesCanary(Canary):
    """A Wagtail ``Site``, whose root path Wagtail keeps in the cache under a constant key."""

    name = "wagtail-sites"

    def applies(self) -> bool:
        return apps.is_installed("wagtail")

    def plant(self, token: str) -> object:
        site = Site.objects.create(hostname=hostname_of(token), root_page=Page.get_first_root_node())
        Site.get_site_root_paths()
        return site.pk

    def crossed(self, token: str, planted: object) -> Iterator[Crossing]:
        if Site.objects.filter(hostname=hostname_of(token)).exists():
            yield Crossing(database_setting(router.db_for_read(Site)), "Wagtail's Site is in the database.")
        elif any(hostname_of(token) in path.root_url for path in Site.get_site_root_paths()):
            evidence = "Site.get_site_root_paths() contains the hostname, and Wagtail builds URLs from it."
            yield Crossing(cache_setting(DEFAULT_CACHE_ALIAS), evidence)

    def remove(self, token: str, planted: object) -> None:
        Site.objects.get(pk=planted).delete()


def hostname_of(token: str) -> str:
    return f"{token}.canary.test"
