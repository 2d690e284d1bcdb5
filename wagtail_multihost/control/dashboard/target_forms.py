"""Forms that do something for a while with a site, with a node, or with everything: what is stated, and was sent."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.http import Http404, QueryDict

from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.changes import REASON_LENGTH
from wagtail_multihost.control.guard import visible_sites
from wagtail_multihost.control.holds import Target
from wagtail_multihost.control.models import OPERATE, ManagedSite, Node
from wagtail_multihost.spec.time_lengths import DAY, parse_length

LENGTH_HELP = "Such as 90s, 30m, 2h or 1d; at most {days}d. It ends by itself then."
EVERYTHING = "everything"


class TargetForm(forms.Form):
    """
    For how long, and why. What it is done with is in the hidden fields: one of them is stated. Each subclass says how
    long it may be, in seconds: for operators, and for the people of a site; and what begins the ids of its fields, as
    other forms of the same pages have a reason too.
    """

    longest, longest_of_site, key = 0, 0, ""

    length = forms.CharField(label="For", max_length=10, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    reason = forms.CharField(max_length=REASON_LENGTH, help_text="People at night must know why.")
    site = forms.UUIDField(required=False, widget=forms.HiddenInput)
    node = forms.CharField(required=False, widget=forms.HiddenInput)
    everything = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, authority: Authority, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.auto_id = f"{self.key}-%s"
        days = (self.longest if authority.may_operate else self.longest_of_site) // DAY
        self.fields["length"].help_text = LENGTH_HELP.format(days=days)

    def clean_length(self) -> int:
        try:
            return parse_length(self.cleaned_data["length"].strip())
        except ValueError as error:
            raise forms.ValidationError(str(error)) from None


def may_do(authority: Authority, target: Target) -> bool:
    """Return whether someone may do such a thing: with a site who may operate it, with all else only operators."""
    return authority.may_operate if target.site is None else authority.may(OPERATE, target.site.uid)


def fields_of(target: Target) -> dict[str, object]:
    """Return the hidden fields that state what it is done with."""
    if target.site is not None:
        return {"site": target.site.uid}
    return {"node": target.node.pk} if target.node is not None else {EVERYTHING: "yes"}


def sent_target(authority: Authority, data: QueryDict) -> Target:
    """Return what it is done with; raises Http404 for what may not be seen, or not be done by who asks."""
    sent = {name: data.get(name, "") for name in ("site", "node", EVERYTHING)}
    if len([name for name, value in sent.items() if value]) != 1:
        raise Http404
    target = Target(find_site(authority, sent["site"]), find_node(sent["node"]))
    if not may_do(authority, target):
        raise Http404
    return target


def find_site(authority: Authority, text: str) -> ManagedSite | None:
    if not text:
        return None
    try:
        return visible_sites(authority).get(uid=UUID(text))
    except (ValueError, ManagedSite.DoesNotExist):
        raise Http404 from None


def find_node(text: str) -> Node | None:
    if not text:
        return None
    node = Node.objects.filter(pk=text).first() if "\0" not in text else None
    if node is None:
        raise Http404
    return node
