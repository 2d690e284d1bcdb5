"""The form of a webhook."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms

from wagtail_multihost.control.changes import REASON_LENGTH
from wagtail_multihost.control.dashboard.event_words import TITLES
from wagtail_multihost.control.dashboard.foreign_text import NOT_OFFERED, line_of
from wagtail_multihost.control.models import Webhook
from wagtail_multihost.control.webhooks import URL_LENGTH
from wagtail_multihost.exceptions import MultihostError, problems_of


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
        # Programs may have stated types that this version does not know.
        more = [name for name in initial.get("types", ()) if name not in TITLES]
        self.fields["types"] = forms.MultipleChoiceField(
            label="Events",
            required=False,
            choices=[*TITLES.items(), *((name, line_of(name)) for name in more)],
            widget=forms.CheckboxSelectMultiple,
            help_text="None chosen: all events.",
            error_messages=NOT_OFFERED,
        )
        self.order_fields(["url", "types", "is_active", "reason"])

    def add_problems(self, error: MultihostError) -> None:
        """Show what is wrong beside the fields, or above them."""
        for problem in problems_of(error):
            self.add_error(problem.key if problem.key in self.fields else None, problem.message)


class RemoveForm(forms.Form):
    """Why a webhook is removed."""

    reason = forms.CharField(label="Reason for removing it", required=False, max_length=REASON_LENGTH)


def types_of(webhook: Webhook) -> Iterable[str]:
    """Return the types that a webhook is told of; none stands for all."""
    return [str(name) for name in webhook.types] if isinstance(webhook.types, list) else []
