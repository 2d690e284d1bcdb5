"""Asking before something is done that no click undoes: the form is shown again, as a page that says what happens."""

from __future__ import annotations

from typing import NamedTuple

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

CONFIRMED = "confirmed"
#: What is sent again with the answer.
REPEATED = ("action", "generation", "reason")


class Question(NamedTuple):
    """What is asked before something is done: the ``title`` of the page, what happens, and the words of the button."""

    title: str
    text: str
    button: str

    def ask(self, request: HttpRequest, subject: str, address: str) -> HttpResponse:
        """Return the page that asks; its form goes to where the request went, and ``address`` leads back."""
        context = {
            "question": self,
            "page_title": self.title,
            "header_title": self.title,
            "header_icon": "warning",
            "subject": subject,
            "address": address,
            "fields": [(name, request.POST[name]) for name in REPEATED if name in request.POST],
        }
        return TemplateResponse(request, "multihost_control/confirm.html", context)


def is_confirmed(request: HttpRequest) -> bool:
    return request.POST.get(CONFIRMED) == "yes"
