"""What went wrong, as people read it on a page."""

from __future__ import annotations

from django.forms import BaseForm
from django.http import HttpRequest
from wagtail.admin import messages

from wagtail_multihost.exceptions import MultihostError, problems_of


def add_problems(form: BaseForm, error: MultihostError) -> None:
    """Show what went wrong above the form."""
    for problem in problems_of(error):
        form.add_error(None, problem.message)


def tell_problems(request: HttpRequest, error: MultihostError) -> None:
    """Show what went wrong on the page that is next."""
    for problem in problems_of(error):
        messages.error(request, problem.message)
