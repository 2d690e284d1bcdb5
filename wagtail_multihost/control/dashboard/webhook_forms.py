"""The form of a webhook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms

from wagtail_multihost.control.changes import REASON_LENGTH
from wagtail_multihost.control.dashboard.foreign_text import line_of
from wagtail_multihost.control.models import Webhook
from wagtail_multihost.control.webhooks import URL_LENGTH, types_of
from wagtail_multihost.exceptions import MultihostError, problems_of
from wagtail_multihost.nodeapi.event_types import EVENT_TYPES


class TypesField(forms.MultipleChoiceField):
    """Takes every text: saving refuses what is no type, with a sentence that names it."""

    def valid_value(self, value: Any) -> bool:
        return True


class WebhookForm(forms.Form):
    """Which address is told of which types of events, and whether it is told now."""

    url = forms.CharField(
        label="Address",
        max_length=URL_LENGTH,
        help_text="Where messages are sent, such as https://hooks.example.org/multihost.",
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false", "inputmode": "url"}),
    )
    is_active = forms.BooleanField(
        label="Active",
        required=False,
        help_text="One that is not is paused. Resumed, it is told of everything that happened meanwhile.",
    )
    reason = forms.CharField(required=False, max_length=REASON_LENGTH, help_text="It is kept in the audit log.")

    def __init__(self, data: Mapping[str, Any] | None = None, webhook: Webhook | None = None) -> None:
        initial: dict[str, Any] = {"is_active": True}
        if webhook is not None:
            initial = {"url": webhook.url, "types": types_of(webhook), "is_active": webhook.is_active}
        super().__init__(data, initial=initial)
        # A later version may have stated types that this one does not know.
        more = [name for name in initial.get("types", ()) if name not in EVENT_TYPES]
        self.fields["types"] = TypesField(
            label="Events",
            required=False,
            choices=[*EVENT_TYPES.items(), *((name, line_of(name)) for name in more)],
            widget=forms.CheckboxSelectMultiple,
            help_text="None chosen: all events.",
        )
        self.order_fields(["url", "types", "is_active", "reason"])

    def add_problems(self, error: MultihostError) -> None:
        """Show what is wrong beside the fields, or above them."""
        for problem in problems_of(error):
            self.add_error(problem.key if problem.key in self.fields else None, problem.message)


class RemoveForm(forms.Form):
    """Why a webhook is removed."""

    reason = forms.CharField(label="Reason for removing it", required=False, max_length=REASON_LENGTH)
