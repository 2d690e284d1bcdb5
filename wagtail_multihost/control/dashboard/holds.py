"""The holds that have not ended: which there are, making one, and ending one."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.utils.text import capfirst
from wagtail.admin import messages
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin

from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.changes import REASON_LENGTH, NotAllowedError, UnknownSiteError
from wagtail_multihost.control.dashboard.addresses import page_address
from wagtail_multihost.control.dashboard.problems import add_problems
from wagtail_multihost.control.dashboard.shown_holds import address_of, name_of, show_holds
from wagtail_multihost.control.guard import GuardedView, visible_sites
from wagtail_multihost.control.holds import (
    LONGEST,
    LONGEST_OF_SITE,
    Target,
    hold,
    release_hold,
    visible_holds,
)
from wagtail_multihost.control.models import OPERATE, Hold, ManagedSite, Node
from wagtail_multihost.exceptions import MultihostError
from wagtail_multihost.spec.time_lengths import DAY, parse_length

LENGTH_HELP = "Such as 90s, 30m, 2h or 1d; at most {days}d. It ends by itself then."
EVERYTHING = "everything"


class HoldForm(forms.Form):
    """How long something is held, and why. What is held is in the hidden fields: one of them is stated."""

    length = forms.CharField(label="For", max_length=10, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    reason = forms.CharField(max_length=REASON_LENGTH, help_text="People at night must know why.")
    site = forms.UUIDField(required=False, widget=forms.HiddenInput)
    node = forms.CharField(required=False, widget=forms.HiddenInput)
    everything = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, authority: Authority, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.auto_id = "hold-%s"  # other forms of the same pages have a reason too
        days = (LONGEST if authority.may_operate else LONGEST_OF_SITE) // DAY
        self.fields["length"].help_text = LENGTH_HELP.format(days=days)

    def clean_length(self) -> int:
        try:
            return parse_length(self.cleaned_data["length"].strip())
        except ValueError as error:
            raise forms.ValidationError(str(error)) from None


def hold_form(authority: Authority, target: Target) -> HoldForm | None:
    """Return the form that holds something; None for who may not."""
    if not may_hold(authority, target):
        return None
    return HoldForm(authority=authority, initial=fields_of(target))


def may_hold(authority: Authority, target: Target) -> bool:
    return authority.may_operate if target.site is None else authority.may(OPERATE, target.site.uid)


def fields_of(target: Target) -> dict[str, object]:
    """Return the hidden fields that state what is held."""
    if target.site is not None:
        return {"site": target.site.uid}
    return {"node": target.node.pk} if target.node is not None else {EVERYTHING: "yes"}


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
        target = self.sent_target()
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

    def sent_target(self) -> Target:
        """Return what is to be held; raises Http404 for what may not be seen, or not held by who asks."""
        sent = {name: self.request.POST.get(name, "") for name in ("site", "node", EVERYTHING)}
        if len([name for name, value in sent.items() if value]) != 1:
            raise Http404
        target = Target(self.find_site(sent["site"]), self.find_node(sent["node"]))
        if not may_hold(self.authority, target):
            raise Http404
        return target

    def find_site(self, text: str) -> ManagedSite | None:
        if not text:
            return None
        try:
            return visible_sites(self.authority).get(uid=UUID(text))
        except (ValueError, ManagedSite.DoesNotExist):
            raise Http404 from None

    def find_node(self, text: str) -> Node | None:
        if not text:
            return None
        node = Node.objects.filter(pk=text).first() if "\0" not in text else None
        if node is None:
            raise Http404
        return node

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
