"""A site's tab Versions: what its processes run, as they say themselves, and what is known of such versions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.http import HttpRequest, HttpResponseBase

from wagtail_multihost.control.dashboard.tabs import VERSIONS, SiteTabView
from wagtail_multihost.control.database_time import database_time
from wagtail_multihost.control.inventory import ShownPackage, SiteInventory, find_inventories
from wagtail_multihost.control.releases import ENDED, PATCH, Mark, current_releases

LABELS = {"python": "Python", "django": "Django", "wagtail": "Wagtail"}


class VersionsView(SiteTabView):
    """What the site runs on each node."""

    tab = VERSIONS
    template_name = "multihost_control/versions.html"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        releases = current_releases()
        found = find_inventories([self.site.uid], releases, database_time().date()).get(self.site.uid, [])
        problems = releases.problems if self.authority.may_operate else ()
        context = self.get_context_data(nodes=[show_node(one) for one in found], problems=problems)
        page: HttpResponseBase = self.render_to_response(context)
        return page


def show_node(found: SiteInventory) -> dict[str, Any]:
    return {
        "found": found,
        "main": [show_package(one) for one in found.main],
        "others": [show_package(one) for one in found.others],
    }


def show_package(package: ShownPackage) -> dict[str, Any]:
    return {
        "name": LABELS.get(package.name, package.name),
        "version": package.version,
        "words": [*map(mark_in_words, package.marks), *advisories_in_words(package)],
    }


def mark_in_words(mark: Mark) -> str:
    if mark.kind == PATCH:
        return f"{mark.latest} is out"
    what = "long support" if mark.is_lts else "support"
    day = f"{mark.end:%-d %B %Y}" if mark.end else ""
    return f"{what} ended on {day}" if mark.kind == ENDED else f"{what} ends on {day}"


def advisories_in_words(package: ShownPackage) -> Iterator[str]:
    for one in package.advisories:
        names = ", ".join([one.advisory, *one.aliases])
        fixed = f"; fixed in {', '.join(one.fixed_in)}" if one.fixed_in else ""
        yield f"vulnerable: {names}{fixed}"
