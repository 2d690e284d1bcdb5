"""The forms by which people ask for jobs: one for each kind, made from its declaration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms

from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.changes import REASON_LENGTH
from wagtail_multihost.control.dashboard.foreign_text import NOT_OFFERED
from wagtail_multihost.control.dashboard.job_words import title_of_kind
from wagtail_multihost.control.jobs import NO_NODE, may_want
from wagtail_multihost.control.models import ManagedSite
from wagtail_multihost.exceptions import MultihostError, problems_of
from wagtail_multihost.nodeapi.job_kinds import KINDS, JobKind
from wagtail_multihost.nodeapi.jobs_v1 import NODE

#: Before the name of a parameter, so that none is a field of the form's own.
PARAMETER = "parameter-"
VALUE_LENGTH = 500
EVERYWHERE = "Each node that has the site"


class WishForm(forms.Form):
    """What can be said of a wish of one ``kind``, for a site that ``nodes`` have."""

    reason = forms.CharField(required=False, max_length=REASON_LENGTH, help_text="It is kept in the history.")

    def __init__(self, kind: JobKind, nodes: Iterable[str], data: Mapping[str, Any] | None = None) -> None:
        super().__init__(data, auto_id=f"{kind.name}-%s")
        self.kind = kind
        nodes = list(nodes)
        for name, parameter in kind.parameters.items():
            self.fields[f"{PARAMETER}{name}"] = forms.CharField(
                label=name.replace("-", " ").replace("_", " ").capitalize(),
                help_text=parameter.meaning,
                max_length=VALUE_LENGTH,
                widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false"}),
            )
        if kind.on_each:
            choices = [("", EVERYWHERE), *((node, node) for node in nodes)]
            self.fields["node"] = forms.ChoiceField(choices=choices, required=False, error_messages=NOT_OFFERED)
        #: Why it cannot be asked for now; blank if it can.
        self.obstacle = NO_NODE if kind.runner == NODE and not nodes else ""
        self.order_fields([*(name for name in self.fields if name.startswith(PARAMETER)), "node", "reason"])

    @property
    def title(self) -> str:
        return title_of_kind(self.kind.name)

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters that were sent."""
        return {name: self.cleaned_data[f"{PARAMETER}{name}"] for name in self.kind.parameters}

    def add_problems(self, error: MultihostError) -> None:
        """Show what is wrong beside the fields, or above them."""
        for problem in problems_of(error):
            fields = [name for name in (f"{PARAMETER}{problem.key}", problem.key) if name in self.fields]
            self.add_error(fields[0] if fields else None, problem.message)


def wanted_forms(authority: Authority, site: ManagedSite, nodes: Iterable[str]) -> list[WishForm]:
    """Return a blank form for each kind of job that someone may ask for."""
    nodes = list(nodes)
    return [WishForm(kind, nodes) for kind in KINDS.values() if may_want(authority, kind, site.uid)]
