"""The forms of bulk actions."""

from __future__ import annotations

from typing import Any

from django import forms

from wagtail_multihost.control.changes import REASON_LENGTH
from wagtail_multihost.spec.site import LABEL_LENGTH


class BulkForm(forms.Form):
    """
    Why the sites are changed. ``asks_for`` is the number that must be typed because so many sites stop at once; 0 if
    none must.
    """

    reason = forms.CharField(
        label="Reason",
        required=False,
        max_length=REASON_LENGTH,
        help_text="It is kept with the events and in the history.",
    )

    def __init__(self, *args: Any, asks_for: int = 0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if asks_for:
            self.fields["confirmed"] = forms.IntegerField(
                label="Number of sites that stop",
                help_text=f"Type {asks_for} to confirm that {asks_for} sites stop at once.",
                widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
            )


class LabelForm(BulkForm):
    """The label that the sites get."""

    key = forms.CharField(label="Key", max_length=LABEL_LENGTH)
    value = forms.CharField(
        label="Value", required=False, max_length=LABEL_LENGTH, help_text="Leave it blank to take the label away."
    )
    field_order = ["key", "value", "reason"]
