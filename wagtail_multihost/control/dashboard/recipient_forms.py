"""The form of a recipient of alerts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms

from wagtail_multihost.control.changes import REASON_LENGTH
from wagtail_multihost.control.dashboard.foreign_text import line_of
from wagtail_multihost.control.dashboard.incident_words import KINDS
from wagtail_multihost.control.dashboard.webhook_forms import TypesField
from wagtail_multihost.control.models import Recipient
from wagtail_multihost.control.recipients import MOST_SITES
from wagtail_multihost.exceptions import MultihostError, problems_of
from wagtail_multihost.nodeapi.alerts_v1 import LABEL_LENGTH
from wagtail_multihost.spec.identifiers import SITE_ID_LENGTH

PLAIN = {"autocapitalize": "none", "spellcheck": "false"}


class RecipientForm(forms.Form):
    """Of which sites and which kinds of incidents somebody is told, and whether now. A new one has a label."""

    sites = forms.CharField(
        required=False,
        max_length=MOST_SITES * (SITE_ID_LENGTH + 1),
        help_text="The ids of sites, with blanks between. Blank: all sites, and nodes and processes too.",
        widget=forms.Textarea(attrs={**PLAIN, "rows": 2}),
    )
    is_active = forms.BooleanField(label="Active", required=False, help_text="One that is not is told nothing.")
    reason = forms.CharField(required=False, max_length=REASON_LENGTH, help_text="It is kept in the audit log.")
    generation = forms.IntegerField(min_value=0, max_value=2**62, widget=forms.HiddenInput)

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        recipient: Recipient | None = None,
        names: Mapping[str, str] | None = None,
    ) -> None:
        initial: dict[str, Any] = {"is_active": True, "generation": 0}
        if recipient is not None:
            initial = {
                "kinds": recipient.kinds,
                "is_active": recipient.is_active,
                "generation": recipient.generation,
                "sites": " ".join((names or {}).get(uid, uid) for uid in recipient.sites or ()),
            }
        super().__init__(data, initial=initial)
        if recipient is None:
            self.fields["label"] = forms.CharField(
                max_length=LABEL_LENGTH,
                help_text="As in the courier's file, which says where messages for it go. Here is no address.",
                widget=forms.TextInput(attrs=PLAIN),
            )
        # A later version may have stated kinds that this one does not know.
        more = [kind for kind in initial.get("kinds", ()) if kind not in KINDS]
        self.fields["kinds"] = TypesField(
            label="Incidents",
            required=False,
            choices=[*KINDS.items(), *((kind, line_of(kind)) for kind in more)],
            widget=forms.CheckboxSelectMultiple,
            help_text="None chosen: all kinds.",
        )
        self.order_fields(["label", "sites", "kinds", "is_active", "reason"])

    def clean_sites(self) -> list[str] | None:
        """Return the ids of the sites; None for all."""
        return self.cleaned_data["sites"].replace(",", " ").split() or None

    def add_problems(self, error: MultihostError) -> None:
        """Show what is wrong beside the fields, or above them."""
        for problem in problems_of(error):
            self.add_error(problem.key if problem.key in self.fields else None, problem.message)
