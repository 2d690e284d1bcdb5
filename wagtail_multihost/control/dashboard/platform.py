"""The platform's page, for its operators: what all sites share, as a form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin

from wagtail_multihost.control.changes import Change, Edit, EditPlatform
from wagtail_multihost.control.dashboard.addresses import page_address
from wagtail_multihost.control.dashboard.record_entries import Entry
from wagtail_multihost.control.dashboard.record_form import ALSO, Purpose, RecordForm
from wagtail_multihost.control.dashboard.record_page import AT_ONCE, RecordPage, Stored
from wagtail_multihost.control.declared_keys import Table
from wagtail_multihost.control.guard import OperatorView
from wagtail_multihost.control.models import ManagedSite, Platform
from wagtail_multihost.exceptions import Problem


class PlatformForm(RecordForm):
    """The form of the platform's record. A problem that a site would have is shown with the site's name."""

    also = ALSO | {AT_ONCE}

    def add_problems(self, problems: Iterable[Problem]) -> None:
        found = list(problems)
        super().add_problems(problem for problem in found if not problem.site)
        self.problems += [problem for problem in found if problem.site]


class PlatformView(RecordPage, WagtailAdminTemplateMixin, OperatorView):  # type: ignore[misc]
    """The platform's record. Every site is read again with what is changed, before it is."""

    of_platform = True
    offers_at_once = True
    template_name = "multihost_control/platform.html"
    page_title = "Platform"
    header_icon = "cogs"

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [*self.breadcrumbs_items, {"url": "", "label": self.page_title}]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        count = ManagedSite.objects.filter(retired_at=None).count()
        return {**super().get_context_data(**kwargs), "count": count}

    def stored(self) -> Stored:
        platform = Platform.objects.get(pk=1)
        return Stored(platform.record, platform.generation)

    def platform_record(self) -> Table:
        return self.stored().record

    def make_form(self, stored: Stored, data: Mapping[str, Any] | None = None, base: Table | None = None) -> RecordForm:
        purpose = Purpose(stored.record, stored.record, self.may_change, self.sees_references(), base)
        return PlatformForm(self.found_entries(), purpose, data)

    def may_change(self, entry: Entry) -> bool:
        return True

    def change(self, edit: Edit, expected: int) -> Change:
        return EditPlatform(edit, expected)

    def address(self) -> str:
        return page_address("platform")
