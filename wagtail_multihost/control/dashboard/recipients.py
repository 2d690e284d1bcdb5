"""Recipients of alerts, for operators of the platform: who is told of which incidents, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from wagtail.admin import messages
from wagtail.admin.paginator import WagtailPaginator
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin

from wagtail_multihost.control.dashboard.addresses import page_address
from wagtail_multihost.control.dashboard.foreign_text import line_of
from wagtail_multihost.control.dashboard.incident_words import alert_in_words, title_of_kind
from wagtail_multihost.control.dashboard.recipient_forms import RecipientForm
from wagtail_multihost.control.dashboard.webhook_forms import RemoveForm
from wagtail_multihost.control.guard import OperatorView
from wagtail_multihost.control.models import Alert, Recipient
from wagtail_multihost.control.recipients import (
    UnknownRecipientError,
    delete_recipient,
    get_recipient,
    list_alerts,
    list_recipients,
    names_of_sites,
    save_recipient,
    want_test,
)
from wagtail_multihost.exceptions import MultihostError
from wagtail_multihost.nodeapi.alerts_v1 import PROBLEM_LENGTH

PER_PAGE = 50
#: So many sites and kinds are named in the list.
NAMED = 5
NAME_LENGTH = 80


class ShownRecipient(NamedTuple):
    """A recipient as it is shown."""

    recipient: Any
    url: str
    sites: str
    kinds: str
    problem: str


class ShownAlert(NamedTuple):
    """A message as it is shown; ``url`` leads to its incident, where it is of one."""

    alert: Alert
    title: str
    url: str
    state: str
    at: datetime | None
    problem: str


class RecipientPage(WagtailAdminTemplateMixin):  # type: ignore[misc]
    """What the pages about recipients have in common."""

    page_title = "Recipients"
    header_icon = "mail"

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [*self.breadcrumbs_items, {"url": page_address("recipients"), "label": self.page_title}]


class RecipientsView(RecipientPage, OperatorView):
    """All recipients, and the form that adds one."""

    template_name = "multihost_control/recipients.html"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        return self.show(RecipientForm())

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        form = RecipientForm(request.POST)
        if form.is_valid():
            asked = form.cleaned_data
            try:
                made = save_recipient(
                    self.authority,
                    asked["label"],
                    sites=asked["sites"],
                    kinds=asked["kinds"],
                    is_active=asked["is_active"],
                    expected=0,
                    reason=asked["reason"],
                )
            except MultihostError as error:
                form.add_problems(error)
            else:
                messages.success(request, "The recipient is added, and told of what begins from now on.")
                return redirect(page_address("recipient", label=made.pk))
        return self.show(form)

    def show(self, form: RecipientForm) -> HttpResponseBase:
        found = list(list_recipients(self.authority))
        names = names_of_sites(found)
        context = self.get_context_data(form=form, recipients=[show_recipient(one, names) for one in found])
        page: HttpResponseBase = self.render_to_response(context)
        return page


class RecipientView(RecipientPage, OperatorView):
    """One recipient, and its latest messages. What is sent names its ``action``."""

    template_name = "multihost_control/recipient.html"
    recipient: Recipient

    def is_allowed(self, **kwargs: Any) -> bool:
        if not super().is_allowed():
            return False
        try:
            self.recipient = get_recipient(self.authority, kwargs["label"])
        except UnknownRecipientError:
            return False
        return True

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [*super().get_breadcrumbs_items(), {"url": "", "label": line_of(self.recipient.pk, NAME_LENGTH)}]

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        return self.show()

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        actions: Mapping[str, Callable[[], HttpResponseBase]] = {
            "save": self.save,
            "test": self.test,
            "remove": self.remove,
        }
        action = actions.get(request.POST.get("action", ""))
        if action is None:
            raise Http404
        try:
            return action()
        except UnknownRecipientError as error:  # it was removed since it was asked for
            raise Http404 from error

    @property
    def address(self) -> str:
        return page_address("recipient", label=self.recipient.pk)

    def save(self) -> HttpResponseBase:
        form = RecipientForm(self.request.POST, self.recipient)
        if form.is_valid():
            asked = form.cleaned_data
            try:
                save_recipient(
                    self.authority,
                    self.recipient.pk,
                    sites=asked["sites"],
                    kinds=asked["kinds"],
                    is_active=asked["is_active"],
                    expected=asked["generation"],
                    reason=asked["reason"],
                )
            except UnknownRecipientError:
                raise
            except MultihostError as error:
                form.add_problems(error)
            else:
                messages.success(self.request, "The recipient is saved.")
                return redirect(self.address)
        return self.show(form)

    def test(self) -> HttpResponseBase:
        want_test(self.authority, self.recipient.pk)
        messages.success(self.request, "The test is sent within seconds where a courier runs.")
        return redirect(self.address)

    def remove(self) -> HttpResponseBase:
        form = RemoveForm(self.request.POST, auto_id="remove-%s")
        if not form.is_valid():
            return self.show(remove_form=form)
        delete_recipient(self.authority, self.recipient.pk, reason=form.cleaned_data["reason"])
        messages.success(self.request, "The recipient is removed. What waited for it is not sent any more.")
        return redirect(page_address("recipients"))

    def show(self, form: RecipientForm | None = None, remove_form: RemoveForm | None = None) -> HttpResponseBase:
        names = names_of_sites([self.recipient])
        paginator = WagtailPaginator(list_alerts(self.authority, self.recipient).select_related("incident"), PER_PAGE)
        page = paginator.get_page(self.request.GET.get("p"))
        now = timezone.now()
        context = self.get_context_data(
            form=form or RecipientForm(recipient=self.recipient, names=names),
            remove_form=remove_form or RemoveForm(auto_id="remove-%s"),
            shown=show_recipient(self.recipient, names),
            address=self.address,
            alerts=[show_alert(one, now) for one in page.object_list],
            page_obj=page,
            elided_page_range=paginator.get_elided_page_range(page.number),
        )
        answer: HttpResponseBase = self.render_to_response(context)
        return answer


def show_recipient(recipient: Recipient, names: Mapping[str, str]) -> ShownRecipient:
    """Return a recipient as it is shown, with the names of its sites."""
    sites = None if recipient.sites is None else [line_of(names.get(uid, uid), NAME_LENGTH) for uid in recipient.sites]
    return ShownRecipient(
        recipient,
        page_address("recipient", label=recipient.pk),
        "all sites, nodes and processes" if sites is None else in_short(sites),
        in_short([line_of(title_of_kind(kind), NAME_LENGTH) for kind in recipient.kinds]) or "all incidents",
        line_of(recipient.problem, PROBLEM_LENGTH),
    )


def in_short(names: list[str]) -> str:
    rest = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + rest


def show_alert(alert: Alert, now: datetime) -> ShownAlert:
    """Return a message as it is shown."""
    incident = alert.incident
    title = line_of(title_of_kind(incident.kind), NAME_LENGTH) if incident is not None else "Test"
    url = page_address("incident", incident=incident.pk) if incident is not None else ""
    state, at = state_of(alert, now)
    words = line_of(alert_in_words(alert.word), NAME_LENGTH)
    return ShownAlert(
        alert,
        f"{title}: {words}" if incident is not None else title,
        url,
        state,
        at,
        line_of(alert.problem, PROBLEM_LENGTH),
    )


def state_of(alert: Alert, now: datetime) -> tuple[str, datetime | None]:
    """Return how far a message is, with the time that this is about, if there is one."""
    if alert.sent_at is not None:
        return "Sent", alert.sent_at
    if alert.ended_at is not None:
        return "Given up", alert.ended_at
    if alert.lease_until is not None and alert.lease_until > now:
        return "Being sent", None
    return ("Tried again from", alert.due_at) if alert.attempts else ("Waiting", None)
