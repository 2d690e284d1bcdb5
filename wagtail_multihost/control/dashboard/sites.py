"""The list of sites."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.contrib.admin.utils import quote
from django.db.models import QuerySet
from django.urls import reverse
from wagtail.admin.ui.tables import BaseColumn, BulkActionsCheckboxColumn, DateColumn, StatusTagColumn, TitleColumn
from wagtail.admin.widgets.button import HeaderButton, ListingButton

from wagtail_multihost.control.dashboard.addresses import origin_of, page_address, site_address, sites_address
from wagtail_multihost.control.dashboard.bulk import SITE_ACTIONS
from wagtail_multihost.control.dashboard.columns import Link, LinksColumn
from wagtail_multihost.control.dashboard.labels import labels_as_texts
from wagtail_multihost.control.dashboard.site_listing import SiteListing
from wagtail_multihost.control.dashboard.status import STATUSES
from wagtail_multihost.control.declared_keys import Table
from wagtail_multihost.control.inventory import MAIN_PACKAGES, with_main_packages
from wagtail_multihost.control.models import Platform

NEW_SITE = "new_site"


class SitesView(SiteListing):
    """All sites that the person may see."""

    page_title = "Sites"
    header_icon = "site"
    verbose_name, verbose_name_plural = "site", "sites"
    empty_message = "There is no site yet."
    next_step = (NEW_SITE, "Create the first site")
    export_filename = "sites"

    def get_base_queryset(self) -> QuerySet[Any]:
        found = super().get_base_queryset()
        return with_main_packages(found) if self.is_export else found

    @cached_property
    def columns(self) -> list[BaseColumn]:
        boxes = [BulkActionsCheckboxColumn("bulk_actions", obj_type="site")] if self.bulk_actions else []
        return [
            *boxes,
            TitleColumn(
                "identifier",
                label="Id",
                get_url=lambda site: site_address(site.uid),
                get_title_id=lambda site: f"site_{quote(site.pk)}_title",
                sort_key="identifier",
            ),
            LinksColumn("canonical", self.canonical_links, label="Canonical hostname", sort_key="canonical"),
            StatusTagColumn(
                "status",
                label="State",
                accessor=lambda site: STATUSES[site.status],
                primary=lambda site: site.status == "active",
                sort_key="status",
            ),
            LinksColumn("problem", problem_links, label="Problem"),
            LinksColumn("labels", label_links, label="Labels"),
            DateColumn("changed", label="Changed", sort_key="changed"),
        ]

    @cached_property
    def platform(self) -> Table:
        """The platform's record."""
        record: Table = Platform.objects.get(pk=1).record
        return record

    def canonical_links(self, site: Any) -> list[Link]:
        return [Link(site.canonical, origin_of(self.platform, site.canonical))] if site.canonical else []

    @cached_property
    def bulk_actions(self) -> list[ListingButton]:
        """What the person may do with many sites at once."""
        opts = self.model._meta
        return [
            ListingButton(
                action.display_name,
                reverse("wagtail_bulk_action", args=[opts.app_label, opts.model_name, action.action_type]),
                attrs={"aria-label": action.aria_label, "data-bulk-action-button": ""},
                classname="bulk-action-btn",
                priority=action.action_priority,
            )
            for action in SITE_ACTIONS
            if action.is_offered_to(self.authority)
        ]

    @cached_property
    def header_buttons(self) -> list[HeaderButton]:
        address = page_address(NEW_SITE) if self.authority.may_operate else ""
        return [HeaderButton("Add a site", url=address, icon_name="plus")] if address else []

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(*args, **kwargs), "bulk_actions": self.bulk_actions}

    @cached_property
    def export_columns(self) -> dict[str, Any]:
        return {
            "id": lambda site: site.identifier,
            "uid": lambda site: str(site.uid),
            "canonical hostname": lambda site: site.canonical or "",
            "state": lambda site: site.status,
            "labels": lambda site: ", ".join(labels_as_texts(site.labels)),
            "revision": lambda site: site.revision,
            "changed": lambda site: site.changed,
            **{name: lambda site, key=f"runs_{name}": ", ".join(getattr(site, key)) for name in MAIN_PACKAGES},
            "known vulnerability": lambda site: site.is_vulnerable,
        }


def problem_links(site: Any) -> list[Link]:
    return [Link("A hostname has a problem", site_address(site.uid, "domains"))] if site.has_problem else []


def label_links(site: Any) -> list[Link]:
    return [Link(text, sites_address(label=text)) for text in labels_as_texts(site.labels)]
