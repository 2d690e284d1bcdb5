"""Findings: which sites and nodes are not as they should be, why, since when, and what repairs them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from django import forms
from django.core.validators import slug_re
from django.http import HttpRequest, HttpResponseBase
from wagtail.admin.paginator import WagtailPaginator
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin

from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.dashboard.addresses import node_address, page_address, site_address
from wagtail_multihost.control.dashboard.finding_words import KINDS, SEVERITIES, SUBJECTS
from wagtail_multihost.control.dashboard.foreign_text import NOT_OFFERED, can_be_pasted, line_of
from wagtail_multihost.control.dashboard.job_words import title_of_kind
from wagtail_multihost.control.dashboard.tabs import JOBS
from wagtail_multihost.control.finding_kinds import NODE, SITE, Finding
from wagtail_multihost.control.findings import count_findings, find_findings
from wagtail_multihost.control.guard import GuardedView
from wagtail_multihost.control.jobs import may_want
from wagtail_multihost.nodeapi.job_kinds import KINDS as JOB_KINDS
from wagtail_multihost.spec.identifiers import NODE_LENGTH, SITE_ID_LENGTH

PER_PAGE = 50
REASON_LENGTH, NAME_LENGTH = 500, 80


class WantedJob(NamedTuple):
    """A job that repairs something: what it is called, where it is asked for, and what is sent there."""

    title: str
    url: str
    kind: str
    node: str


class Row(NamedTuple):
    """A finding as it is shown. ``can_be_copied``: its command does nothing else when it is pasted into a shell."""

    severity: str
    rank: str
    subject: str
    name: str
    url: str
    title: str
    reason: str
    node: str
    since: datetime | None
    seen_at: datetime | None
    revision: int | None
    command: str
    can_be_copied: bool
    job: WantedJob | None


class FindingFilters(forms.Form):
    """What narrows the findings. Kinds are offered with how many there are, of those that there are."""

    severity = forms.ChoiceField(required=False, choices=[("", "All"), *SEVERITIES.items()], error_messages=NOT_OFFERED)
    kind = forms.ChoiceField(required=False)
    site = forms.CharField(required=False, max_length=SITE_ID_LENGTH, label="Site id")
    node = forms.CharField(required=False, max_length=NODE_LENGTH)

    def __init__(self, data: Mapping[str, Any], found: Iterable[Finding]) -> None:
        super().__init__(data)
        numbers = Counter(one.kind for one in found)
        asked = data.get("kind", "")
        choices = [(kind, f"{title} ({numbers[kind]})") for kind, title in KINDS.items() if numbers[kind]]
        if asked in KINDS and not numbers[asked]:
            choices.append((asked, f"{KINDS[asked]} (0)"))
        self.fields["kind"] = forms.ChoiceField(
            required=False, choices=[("", "All"), *choices], error_messages=NOT_OFFERED
        )
        for field in self.fields.values():
            field.widget.attrs |= {"autocapitalize": "none", "spellcheck": "false"}

    def narrow(self, found: list[Finding]) -> list[Finding]:
        """Return the findings that are let through; none if something is not understood."""
        if not self.is_valid():
            return []
        asked = self.cleaned_data
        return [
            one
            for one in found
            if asked["severity"] in ("", one.severity)
            and asked["kind"] in ("", one.kind)
            and (not asked["site"] or (one.subject == SITE and one.name == asked["site"]))
            and asked["node"] in ("", one.node, one.name if one.subject == NODE else "")
        ]

    @property
    def is_asked(self) -> bool:
        """Whether something narrows the findings."""
        return not self.is_valid() or any(self.cleaned_data.values())


class FindingsView(WagtailAdminTemplateMixin, GuardedView):  # type: ignore[misc]
    """What is not as it should be, of what the person may see, the worst first."""

    page_title = "Findings"
    header_icon = "warning"
    template_name = "multihost_control/findings.html"

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [*self.breadcrumbs_items, {"url": page_address("findings"), "label": self.page_title}]

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        found = find_findings(self.authority)
        filters = FindingFilters(request.GET, found)
        paginator = WagtailPaginator(filters.narrow(found), PER_PAGE)
        page = paginator.get_page(request.GET.get("p"))
        numbers = count_findings(found)
        context = {
            "filters": filters,
            "tallies": [
                {"label": label, "number": numbers[name], "url": f"{page_address('findings')}?severity={name}"}
                for name, label in SEVERITIES.items()
            ],
            "rows": [row_of(self.authority, one) for one in page.object_list],
            "count": paginator.count,
            "address": page_address("findings"),
            "page_obj": page,
            "elided_page_range": paginator.get_elided_page_range(page.number),
        }
        shown: HttpResponseBase = self.render_to_response(self.get_context_data(**context))
        return shown


def row_of(authority: Authority, one: Finding) -> Row:
    """Return a finding as it is shown: nodes and people wrote parts of it."""
    return Row(
        SEVERITIES[one.severity],
        one.severity,
        SUBJECTS[one.subject],
        line_of(one.name, NAME_LENGTH),
        subject_address(one),
        KINDS.get(one.kind, one.kind),
        line_of(one.reason, REASON_LENGTH),
        line_of(one.node, NAME_LENGTH),
        one.since,
        one.seen_at,
        one.revision,
        line_of(one.repair.command, REASON_LENGTH),
        can_be_pasted(one.repair.command),
        job_of(authority, one),
    )


def subject_address(one: Finding) -> str:
    """Return the page of the site or the node that a finding is of; blank where there is none."""
    if one.uid:
        return site_address(one.uid)
    return node_address(one.name) if one.subject == NODE and slug_re.match(one.name) else ""


def job_of(authority: Authority, one: Finding) -> WantedJob | None:
    """Return the job that repairs something, if there is one that the person may ask for without stating more."""
    kind = JOB_KINDS.get(one.repair.job)
    if kind is None or one.uid is None or kind.parameters or not may_want(authority, kind, one.uid):
        return None
    node = one.node if kind.on_each else ""
    return WantedJob(title_of_kind(kind.name), site_address(one.uid, JOBS), kind.name, node)
