"""The holds that have not ended: which there are, making one, and ending one."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.utils.text import capfirst
from wagtail.admin import messages
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin

from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.changes import NotAllowedError, UnknownSiteError
from wagtail_multihost.control.dashboard.addresses import page_address
from wagtail_multihost.control.dashboard.problems import add_problems
from wagtail_multihost.control.dashboard.shown_holds import address_of, name_of, show_holds
from wagtail_multihost.control.dashboard.target_forms import TargetForm, fields_of, may_do, sent_target
from wagtail_multihost.control.guard import GuardedView
from wagtail_multihost.control.holds import (
    LONGEST,
    LONGEST_OF_SITE,
    Target,
    hold,
    release_hold,
    visible_holds,
)
from wagtail_multihost.control.models import Hold
from wagtail_multihost.exceptions import MultihostError


class HoldForm(TargetForm):
    """How long something is held, and why."""

    longest, longest_of_site, key = LONGEST, LONGEST_OF_SITE, "hold"


def hold_form(authority: Authority, target: Target) -> HoldForm | None:
    """Return the form that holds something; None for who may not."""
    if not may_do(authority, target):
        return None
    return HoldForm(authority=authority, initial=fields_of(target))


class HoldsView(WagtailAdminTemplateMixin, GuardedView):  # type: ignore[misc]
    """The holds that someone may see. What is sent here from any page makes one more."""

    page_title = "Holds"
    header_icon = "lock"
    template_name = "multihost_control/holds.html"

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [*self.breadcrumbs_items, {"url": page_address("holds"), "label": self.page_title}]

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        target = Target()
        return self.show(hold_form(self.authority, target), target)

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        form = HoldForm(request.POST, authority=self.authority)
        target = sent_target(self.authority, request.POST)
        if form.is_valid():
            values = form.cleaned_data
            try:
                made = hold(self.authority, target.site, target.node, seconds=values["length"], reason=values["reason"])
            except MultihostError as error:
                add_problems(form, error)
            else:
                messages.success(request, f"{capfirst(name_of(target))} is held until it ends by itself or is ended.")
                return HttpResponseRedirect(page_after(made))
        return self.show(form, target)

    def show(self, form: HoldForm | None, target: Target) -> HttpResponseBase:
        holds = show_holds(self.authority, visible_holds(self.authority))
        context = self.get_context_data(holds=holds, form=form, held=name_of(target))
        page: HttpResponseBase = self.render_to_response(context)
        return page


class EndHoldView(GuardedView):
    """Ends a hold now."""

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        try:
            ended = release_hold(self.authority, kwargs["hold"])
        except (NotAllowedError, UnknownSiteError):
            raise Http404 from None
        target = Target(ended.site, ended.node)
        messages.success(request, f"The hold has ended. {capfirst(name_of(target))} gets what has waited.")
        return HttpResponseRedirect(page_after(ended))


def page_after(held: Hold) -> str:
    """Return the address of the page of what is held, or was."""
    return address_of(held) or page_address("holds")
