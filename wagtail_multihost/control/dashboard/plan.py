"""A plan's page: which sites it moves where, and what it leaves; it is applied and ended here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect
from wagtail.admin import messages
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin

from wagtail_multihost.control.actors import names_of_actors
from wagtail_multihost.control.dashboard.addresses import node_address, page_address
from wagtail_multihost.control.dashboard.problems import tell_problems
from wagtail_multihost.control.guard import OperatorView
from wagtail_multihost.control.models import Node, Plan
from wagtail_multihost.control.placing.plans import UNDER_WAY, apply_plan, cancel_plan
from wagtail_multihost.exceptions import MultihostError
from wagtail_multihost.nodeapi.node_states import PLAN_DRAIN, PLAN_FILL, PLAN_PROPOSED, PLAN_REBALANCE, PLAN_STOPPED

MOVES_SHOWN = 50
LEFT_SHOWN = 50
KINDS = {
    PLAN_DRAIN: "Drain the node {node}",
    PLAN_FILL: "Place what has too few replicas",
    PLAN_REBALANCE: "Spread the sites by weight",
}


class PlanView(WagtailAdminTemplateMixin, OperatorView):  # type: ignore[misc]
    """A plan. Nothing moves before it is applied."""

    header_icon = "desktop"
    template_name = "multihost_control/plan.html"
    plan: Plan

    def is_allowed(self, **kwargs: Any) -> bool:
        found = Plan.objects.filter(pk=kwargs["plan"]).first() if super().is_allowed(**kwargs) else None
        if found is not None:
            self.plan = found
        return found is not None

    def get_page_title(self) -> str:
        return KINDS[self.plan.kind].format(node=self.plan.node)

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        list_of_nodes = {"url": page_address("nodes"), "label": "Nodes"}
        return [*self.breadcrumbs_items, list_of_nodes, {"url": "", "label": self.get_page_title()}]

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        plan = self.plan
        moves = Paginator(plan.moves.select_related("site"), MOVES_SHOWN)
        names = names_of_actors(self.authority, [plan.actor, *filter(None, [plan.applied_by])])
        context = self.get_context_data(
            plan=plan,
            who=names[plan.actor],
            applied_by=names.get(plan.applied_by, ""),
            moves=moves.get_page(request.GET.get("p")),
            left=plan.left[:LEFT_SHOWN],
            more_left=len(plan.left[LEFT_SHOWN:]),
            address=page_address("plan", plan=plan.pk),
            node_url=node_address(plan.node) if Node.objects.filter(pk=plan.node).exists() else "",
            may_apply=plan.state in (PLAN_PROPOSED, PLAN_STOPPED),
            may_cancel=plan.state in (PLAN_PROPOSED, *UNDER_WAY),
        )
        page: HttpResponseBase = self.render_to_response(context)
        return page

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        actions: Mapping[str, tuple[Callable[..., Plan], str]] = {
            "apply": (apply_plan, "The plan is carried out, one step after the other."),
            "cancel": (cancel_plan, "The plan has ended. What has moved stays there."),
        }
        if request.POST.get("action", "") not in actions:
            raise Http404
        act, words = actions[request.POST["action"]]
        try:
            act(self.authority, self.plan.pk)
        except MultihostError as error:
            tell_problems(request, error)
        else:
            messages.success(request, words)
        return HttpResponseRedirect(page_address("plan", plan=self.plan.pk))
