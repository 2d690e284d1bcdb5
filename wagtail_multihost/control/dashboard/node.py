"""A node's page: what it says of itself, the sites that it has, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect
from wagtail.admin import messages
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin

from wagtail_multihost.control.changes import REASON_LENGTH, StaleRecordError
from wagtail_multihost.control.dashboard.addresses import node_address, page_address
from wagtail_multihost.control.dashboard.confirming import Question, is_confirmed
from wagtail_multihost.control.dashboard.holds import hold_form
from wagtail_multihost.control.dashboard.node_words import (
    HOLDS_WORDS,
    MOST_SAID,
    STATE_WORDS,
    condition_in_words,
)
from wagtail_multihost.control.dashboard.record_page import read_generation
from wagtail_multihost.control.dashboard.shown_holds import holds_of
from wagtail_multihost.control.finding_facts import said, time_of
from wagtail_multihost.control.guard import OperatorView
from wagtail_multihost.control.holds import Target
from wagtail_multihost.control.models import Head, Plan
from wagtail_multihost.control.node_rules import placed_on
from wagtail_multihost.control.node_status import NodeRow, all_nodes, open_wave, rows_of_nodes
from wagtail_multihost.control.nodes import remove_node, save_node
from wagtail_multihost.control.placing.plans import UNDER_WAY, make_plan
from wagtail_multihost.control.sites_on_node import sites_here, sites_of_node
from wagtail_multihost.exceptions import ConfigurationError, Problem, problems_of
from wagtail_multihost.nodeapi.node_states import (
    ACTIVE,
    AWAY,
    DRAINING,
    JOINING,
    PLACED,
    PLAN_DRAIN,
    PLAN_PROPOSED,
)

SITES_SHOWN = 50
CHANGED_MEANWHILE = "Someone else changed the node while you had the page open. Nothing was saved. Look at it again."
NO_NUMBER = "{text!r} is no number."
DRAIN = Question(
    "Drain the node",
    "Front servers ask it no longer. Its sites are served by the other nodes, and it can be made active again.",
    "Drain it",
)
LEAVE = Question(
    "The node is away",
    "Nobody waits for it any more: neither waves, nor those who ask whether a change is everywhere. Its machine keeps "
    "what it has.",
    "Set it away",
)
FORGET = Question(
    "Forget the node",
    "Its row, its login in the database, what was sealed for it, and its holds and jobs are deleted. Its machine keeps "
    "what it has, and cannot report any more.",
    "Forget it",
)


class NodeView(WagtailAdminTemplateMixin, OperatorView):  # type: ignore[misc]
    """A node. Everything that is sent names its ``action``; what cannot be undone by a click is asked about first."""

    header_icon = "desktop"
    template_name = "multihost_control/node.html"
    node: Any

    def is_allowed(self, **kwargs: Any) -> bool:
        self.node = all_nodes().filter(pk=kwargs["node"]).first() if super().is_allowed(**kwargs) else None
        return self.node is not None

    def get_page_title(self) -> str:
        return str(self.node)

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        list_of_nodes = {"url": page_address("nodes"), "label": "Nodes"}
        return [*self.breadcrumbs_items, list_of_nodes, {"url": "", "label": str(self.node)}]

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        return self.show()

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        actions: Mapping[str, Callable[[], HttpResponseBase]] = {
            "weight": self.set_weight,
            "activate": lambda: self.save(state=ACTIVE),
            "drain": self.drain,
            "leave": lambda: self.ask_then(LEAVE, lambda: self.save(state=AWAY)),
            "forget": lambda: self.ask_then(FORGET, self.forget),
        }
        action = actions.get(request.POST.get("action", ""))
        if action is None:
            raise Http404
        try:
            return action()
        except StaleRecordError:
            return self.show((Problem("", CHANGED_MEANWHILE),))
        except ConfigurationError as error:
            return self.show(problems_of(error))

    def ask_then(self, question: Question, act: Callable[[], HttpResponseBase]) -> HttpResponseBase:
        if is_confirmed(self.request):
            return act()
        return question.ask(self.request, str(self.node), node_address(self.node.pk))

    def drain(self) -> HttpResponseBase:
        """Propose to move its sites first, where some are placed on it."""
        if self.node.group.holds == PLACED and placed_on(self.node).exists():
            plan = make_plan(self.authority, PLAN_DRAIN, self.node.pk, reason=self.reason)
            return HttpResponseRedirect(page_address("plan", plan=plan.pk))
        return self.ask_then(DRAIN, lambda: self.save(state=DRAINING))

    def set_weight(self) -> HttpResponseBase:
        text = self.request.POST.get("weight", "").strip()[:10]
        if not (text.isascii() and text.isdigit()):
            return self.show((Problem("weight", NO_NUMBER.format(text=text)),))
        return self.save(weight=int(text))

    def save(self, **values: Any) -> HttpResponseBase:
        before = self.node.revision
        saved = save_node(self.authority, self.node.pk, expected=self.expected, reason=self.reason, **values)
        if saved.revision == before:
            messages.info(self.request, "Nothing was changed.")
        else:
            messages.success(self.request, f"Saved as revision {saved.revision}.")
        return HttpResponseRedirect(node_address(self.node.pk))

    def forget(self) -> HttpResponseBase:
        remove_node(self.authority, self.node.pk, expected=self.expected, reason=self.reason)
        messages.success(self.request, f"The node {self.node} is forgotten.")
        return HttpResponseRedirect(page_address("nodes"))

    @property
    def expected(self) -> int:
        return read_generation(self.request.POST)

    @property
    def reason(self) -> str:
        return self.request.POST.get("reason", "").strip()[:REASON_LENGTH]

    def show(self, problems: tuple[Problem, ...] = ()) -> HttpResponseBase:
        wave = open_wave()
        (row,) = rows_of_nodes([self.node], wave)
        target = Target(node=self.node)
        sites = Paginator(sites_of_node(self.node), SITES_SHOWN).get_page(self.request.GET.get("p"))
        context = self.get_context_data(
            node=self.node,
            row=row,
            address=node_address(self.node.pk),
            problems=problems,
            head=Head.objects.get(pk=1).revision,
            said=said_of(row),
            sites=sites_here(row, list(sites), wave),
            sites_page=sites,
            plans=Plan.objects.filter(node=self.node.pk, state__in=(PLAN_PROPOSED, *UNDER_WAY)),
            holds=holds_of(self.authority, target),
            hold_form=hold_form(self.authority, target),
            **words_of(self.node),
        )
        page: HttpResponseBase = self.render_to_response(context)
        return page


def words_of(node: Any) -> dict[str, Any]:
    """Return a node's states in words, and which actions lead to others."""
    return {
        "state_words": STATE_WORDS[node.state],
        "holds_words": HOLDS_WORDS[node.group.holds],
        "may_drain": node.state in (ACTIVE, JOINING),
        "may_activate": node.state in (DRAINING, AWAY),
        "may_leave": node.state != AWAY,
        "may_forget": node.state == AWAY,
    }


def said_of(row: NodeRow) -> dict[str, Any]:
    """Return what a node says of itself and of sites, of which there may be any number."""
    conditions = [
        {"type": said(one["type"]), "is_wrong": one in row.wrong, **rest_of(one)} for one in row.conditions[:MOST_SAID]
    ]
    refused = [(said(site), said(why)) for site, why in sorted(row.refused.items())[:MOST_SAID]]
    return {
        "version": said(row.version),
        "conditions": conditions,
        "has_more": len(row.conditions) > MOST_SAID,
        "refused": refused,
        "more_refused": len(row.refused) - len(refused),
    }


def rest_of(condition: Mapping[str, Any]) -> dict[str, Any]:
    texts = {key: said(condition[key]) for key in ("status", "reason", "message")}
    since = time_of(condition["since"])
    return {**texts, "since": since, "revision": condition["revision"], "words": condition_in_words(condition)}
