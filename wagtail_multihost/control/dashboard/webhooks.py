"""Webhooks, for operators of the platform: which there are, and what came of the messages to each."""

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

from wagtail_multihost.control.dashboard.addresses import page_address, site_address
from wagtail_multihost.control.dashboard.event_words import title_of_type
from wagtail_multihost.control.dashboard.foreign_text import line_of
from wagtail_multihost.control.dashboard.webhook_forms import RemoveForm, WebhookForm
from wagtail_multihost.control.guard import OperatorView, visible_sites
from wagtail_multihost.control.models import Webhook, WebhookDelivery
from wagtail_multihost.control.webhooks import (
    URL_LENGTH,
    UnknownWebhookError,
    delete_webhook,
    get_webhook,
    list_courier_keys,
    list_deliveries,
    list_webhooks,
    save_webhook,
    send_test,
    types_of,
)
from wagtail_multihost.exceptions import MultihostError
from wagtail_multihost.nodeapi.webhooks_v1 import PROBLEM_LENGTH, TEST_REVISION

PER_PAGE = 50
NAME_LENGTH = 80
#: So many types are named in the list.
NAMED = 5


class ShownWebhook(NamedTuple):
    """A webhook as it is shown."""

    webhook: Webhook
    url: str
    address: str
    types: str
    problem: str


class ShownDelivery(NamedTuple):
    """A message as it is shown; ``site`` is the name of the site, and ``url`` leads to it where it is still there."""

    delivery: WebhookDelivery
    title: str
    site: str
    url: str
    state: str
    at: datetime | None
    problem: str


class WebhookPage(WagtailAdminTemplateMixin):  # type: ignore[misc]
    """What the pages about webhooks have in common."""

    page_title = "Webhooks"
    header_icon = "link-external"

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [*self.breadcrumbs_items, {"url": page_address("webhooks"), "label": self.page_title}]


class WebhooksView(WebhookPage, OperatorView):
    """All webhooks, the form that adds one, and the keys by which receivers know the messages."""

    template_name = "multihost_control/webhooks.html"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        return self.show(WebhookForm())

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        form = WebhookForm(request.POST)
        if form.is_valid():
            asked = form.cleaned_data
            try:
                made = save_webhook(
                    self.authority,
                    asked["url"],
                    asked["types"],
                    is_active=asked["is_active"],
                    reason=asked["reason"],
                )
            except MultihostError as error:
                form.add_problems(error)
            else:
                messages.success(request, "The webhook is added. It is told of what happens from now on.")
                return redirect(page_address("webhook", webhook=made.pk))
        return self.show(form)

    def show(self, form: WebhookForm) -> HttpResponseBase:
        context = self.get_context_data(
            form=form,
            webhooks=[show_webhook(one) for one in list_webhooks(self.authority)],
            keys=[(line_of(key.public_key, NAME_LENGTH), key.seen_at) for key in list_courier_keys(self.authority)],
        )
        page: HttpResponseBase = self.render_to_response(context)
        return page


class WebhookView(WebhookPage, OperatorView):
    """One webhook, and its latest messages. What is sent names its ``action``."""

    template_name = "multihost_control/webhook.html"
    webhook: Webhook

    def is_allowed(self, **kwargs: Any) -> bool:
        if not super().is_allowed():
            return False
        try:
            self.webhook = get_webhook(self.authority, kwargs["webhook"])
        except UnknownWebhookError:
            return False
        return True

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [*super().get_breadcrumbs_items(), {"url": "", "label": line_of(self.webhook.url, NAME_LENGTH)}]

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        return self.show(WebhookForm(webhook=self.webhook))

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
        except UnknownWebhookError as error:  # it was removed since it was asked for
            raise Http404 from error

    @property
    def address(self) -> str:
        return page_address("webhook", webhook=self.webhook.pk)

    def save(self) -> HttpResponseBase:
        form = WebhookForm(self.request.POST, self.webhook)
        if form.is_valid():
            asked = form.cleaned_data
            try:
                save_webhook(
                    self.authority,
                    asked["url"],
                    asked["types"],
                    webhook=self.webhook,
                    is_active=asked["is_active"],
                    reason=asked["reason"],
                )
            except UnknownWebhookError:
                raise
            except MultihostError as error:
                form.add_problems(error)
            else:
                messages.success(self.request, "The webhook is saved.")
                return redirect(self.address)
        return self.show(form)

    def test(self) -> HttpResponseBase:
        send_test(self.authority, self.webhook)
        messages.success(self.request, "The test is sent within seconds where a courier runs.")
        return redirect(self.address)

    def remove(self) -> HttpResponseBase:
        form = RemoveForm(self.request.POST, auto_id="remove-%s")
        if not form.is_valid():
            return self.show(WebhookForm(webhook=self.webhook), form)
        delete_webhook(self.authority, self.webhook, reason=form.cleaned_data["reason"])
        messages.success(self.request, "The webhook is removed. What waited for it is not sent any more.")
        return redirect(page_address("webhooks"))

    def show(self, form: WebhookForm, remove_form: RemoveForm | None = None) -> HttpResponseBase:
        paginator = WagtailPaginator(list_deliveries(self.authority, self.webhook), PER_PAGE)
        page = paginator.get_page(self.request.GET.get("p"))
        context = self.get_context_data(
            form=form,
            remove_form=remove_form or RemoveForm(auto_id="remove-%s"),
            shown=show_webhook(self.webhook),
            address=self.address,
            deliveries=self.show_deliveries(list(page.object_list)),
            page_obj=page,
            elided_page_range=paginator.get_elided_page_range(page.number),
        )
        answer: HttpResponseBase = self.render_to_response(context)
        return answer

    def show_deliveries(self, found: list[WebhookDelivery]) -> list[ShownDelivery]:
        uids = {one.site for one in found if one.site}
        there = set(visible_sites(self.authority).filter(uid__in=uids).values_list("uid", flat=True))
        now = timezone.now()
        shown = []
        for one in found:
            body = one.body if isinstance(one.body, dict) else {}
            state, at = state_of(one, self.webhook, now)
            shown.append(
                ShownDelivery(
                    one,
                    title_of_type(line_of(body.get("type", ""), NAME_LENGTH)),
                    line_of(body.get("site") or "", NAME_LENGTH),
                    site_address(one.site) if one.site in there else "",
                    state,
                    at,
                    line_of(one.problem, PROBLEM_LENGTH),
                )
            )
        return shown


def show_webhook(webhook: Webhook) -> ShownWebhook:
    types = [line_of(title_of_type(name), NAME_LENGTH) for name in types_of(webhook)]
    rest = f" and {len(types) - NAMED} more" if len(types) > NAMED else ""
    return ShownWebhook(
        webhook,
        line_of(webhook.url, URL_LENGTH),
        page_address("webhook", webhook=webhook.pk),
        ", ".join(types[:NAMED]) + rest or "all events",
        line_of(webhook.problem, PROBLEM_LENGTH),
    )


def state_of(delivery: WebhookDelivery, webhook: Webhook, now: datetime) -> tuple[str, datetime | None]:
    """Return how far a message is, with the time that this is about, if there is one."""
    if delivery.delivered_at is not None:
        return "Arrived", delivery.delivered_at
    if delivery.lease_until is not None and delivery.lease_until > now:
        return "Being sent", None
    if delivery.revision == TEST_REVISION:
        return ("Not accepted; a test is sent once", None) if delivery.attempts else ("Waiting", None)
    if not webhook.is_active:
        return "Paused", None
    return ("Tried again from", delivery.due_at) if delivery.attempts else ("Waiting", None)
