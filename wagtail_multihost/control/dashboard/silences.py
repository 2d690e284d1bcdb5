"""The silences that have not ended: of what nobody is told, making one, and ending one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from django.core.validators import slug_re
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.utils.text import capfirst
from wagtail.admin import messages
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin

from wagtail_multihost.control.actors import names_of_actors
from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.changes import NotAllowedError, UnknownSiteError
from wagtail_multihost.control.dashboard.addresses import node_address, page_address, site_address
from wagtail_multihost.control.dashboard.foreign_text import line_of
from wagtail_multihost.control.dashboard.problems import add_problems
from wagtail_multihost.control.dashboard.shown_holds import name_of
from wagtail_multihost.control.dashboard.tabs import AVAILABILITY
from wagtail_multihost.control.dashboard.target_forms import TargetForm, fields_of, may_do, sent_target
from wagtail_multihost.control.guard import GuardedView
from wagtail_multihost.control.holds import Target
from wagtail_multihost.control.models import Incident, Node, Silence
from wagtail_multihost.control.silences import (
    LONGEST,
    LONGEST_OF_SITE,
    end_silence,
    may_end,
    silence,
    visible_silences,
)
from wagtail_multihost.exceptions import MultihostError
from wagtail_multihost.nodeapi.incident_words import DISK, NODE
from wagtail_multihost.spec.identifiers import NODE_LENGTH
from wagtail_multihost.spec.printing import one_line


class SilenceForm(TargetForm):
    """For how long nobody is told of something, and why."""

    longest, longest_of_site, key = LONGEST, LONGEST_OF_SITE, "silence"


class ShownSilence(NamedTuple):
    """
    A silence as someone sees it: ``name`` is what it is of, and ``url`` its page; ``reason`` is blank where it is for
    operators alone.
    """

    silence: Silence
    name: str
    url: str
    who: str
    reason: str
    may_end: bool


def silence_form(authority: Authority, target: Target) -> SilenceForm | None:
    """Return the form that silences something; None for who may not."""
    if not may_do(authority, target):
        return None
    return SilenceForm(authority=authority, initial=fields_of(target))


def target_of(incident: Incident) -> Target | None:
    """Return what a silence of an incident is of: its site, or the node that causes it; None if it is neither."""
    if incident.site is not None:
        return Target(site=incident.site)
    node = Node.objects.filter(pk=incident.subject).first() if incident.cause in (NODE, DISK) else None
    return Target(node=node) if node is not None else None


def show_silences(authority: Authority, silences: Iterable[Silence]) -> list[ShownSilence]:
    """Return silences as someone sees them who may: the names of people come in one query."""
    found = list(silences)
    names = names_of_actors(authority, (one.actor for one in found))
    return [
        ShownSilence(
            one,
            subject_of(one),
            address_of(one),
            names[one.actor],
            one_line(one.reason) if one.site or authority.is_operator else "",
            may_end(authority, one),
        )
        for one in found
    ]


def subject_of(one: Silence) -> str:
    """Return what a silence is of, in words."""
    return f"the node {line_of(one.node, NODE_LENGTH)}" if one.node else name_of(Target(site=one.site))


def address_of(one: Silence) -> str:
    """Return the address of the page of what a silence is of; blank if it has none."""
    if one.site is not None:
        return site_address(one.site.uid, AVAILABILITY) if one.site.retired_at is None else ""
    return node_address(one.node) if slug_re.match(one.node) else ""


class SilencesView(WagtailAdminTemplateMixin, GuardedView):  # type: ignore[misc]
    """The silences that someone may see. What is sent here from any page makes one more."""

    page_title = "Silences"
    header_icon = "no-view"
    template_name = "multihost_control/silences.html"

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [*self.breadcrumbs_items, {"url": page_address("silences"), "label": self.page_title}]

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        return self.show(silence_form(self.authority, Target()), Target())

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        form = SilenceForm(request.POST, authority=self.authority)
        target = sent_target(self.authority, request.POST)
        if form.is_valid():
            values = form.cleaned_data
            try:
                silence(self.authority, target.site, target.node, seconds=values["length"], reason=values["reason"])
            except MultihostError as error:
                add_problems(form, error)
            else:
                messages.success(request, f"Nobody is told of incidents of {name_of(target)} until the silence ends.")
                return HttpResponseRedirect(page_address("silences"))
        return self.show(form, target)

    def show(self, form: SilenceForm | None, target: Target) -> HttpResponseBase:
        silences = show_silences(self.authority, visible_silences(self.authority))
        context = self.get_context_data(silences=silences, silence_form=form, silenced=name_of(target))
        page: HttpResponseBase = self.render_to_response(context)
        return page


class EndSilenceView(GuardedView):
    """Ends a silence now."""

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        try:
            ended = end_silence(self.authority, kwargs["silence"])
        except (NotAllowedError, UnknownSiteError):
            raise Http404 from None
        messages.success(request, f"The silence has ended. {capfirst(subject_of(ended))} is told of again.")
        return HttpResponseRedirect(page_address("silences"))
