"""A site's settings: its record as a form."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponseBase

from wagtail_multihost.control.changes import Change, Edit, EditSite
from wagtail_multihost.control.dashboard.addresses import site_address
from wagtail_multihost.control.dashboard.record_entries import Entry
from wagtail_multihost.control.dashboard.record_page import RecordPage, Stored
from wagtail_multihost.control.dashboard.tabs import SETTINGS, SiteTabView
from wagtail_multihost.control.declared_keys import Table
from wagtail_multihost.control.models import CHANGE, ManagedSite, Platform


class SettingsView(RecordPage, SiteTabView):
    """The settings of a site, for its people those that are theirs."""

    tab = SETTINGS
    template_name = "multihost_control/settings.html"

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        if not self.authority.may(CHANGE, self.site.uid):
            raise Http404
        return super().post(request, **kwargs)

    def stored(self) -> Stored:
        self.site.refresh_from_db()
        return Stored(self.site.record, self.site.generation)

    def record_site(self) -> ManagedSite:
        return self.site

    def platform_record(self) -> Table:
        record: Table = Platform.objects.get(pk=1).record
        return record

    def may_change(self, entry: Entry) -> bool:
        uid = self.site.uid
        return self.authority.may_operate_on(uid) or (entry.who == "site" and self.authority.may(CHANGE, uid))

    def sees_references(self) -> bool:
        return self.authority.may_operate_on(self.site.uid)

    def change(self, edit: Edit, expected: int) -> Change:
        return EditSite(self.site.uid, edit, expected)

    def address(self) -> str:
        return site_address(self.site.uid, SETTINGS)
