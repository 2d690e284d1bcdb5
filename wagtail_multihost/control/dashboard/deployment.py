"""A site's tab Deployment: which nodes have the site as it is now, and why the others have not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from django.http import HttpRequest, HttpResponseBase

from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.dashboard.addresses import node_address
from wagtail_multihost.control.dashboard.holds import hold_form
from wagtail_multihost.control.dashboard.node_words import MOST_SAID, STATE_LABELS, condition_in_words
from wagtail_multihost.control.dashboard.shown_holds import holds_of
from wagtail_multihost.control.dashboard.tabs import DEPLOYMENT, SiteTabView
from wagtail_multihost.control.finding_facts import said, time_of
from wagtail_multihost.control.holds import Target
from wagtail_multihost.control.node_status import SiteOnNode, site_status


class ShownNode(NamedTuple):
    """
    A site on a node as someone sees it; ``since`` when it is so, None where the node does not say. ``details`` are the
    node's own words, which may name other sites, and are for operators.
    """

    found: SiteOnNode
    url: str
    state: str
    since: Any
    details: tuple[str, ...]


class DeploymentView(SiteTabView):
    """The site on each node that is to have it."""

    tab = DEPLOYMENT
    template_name = "multihost_control/deployment.html"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        status = site_status(self.site)
        target = Target(site=self.site)
        context = self.get_context_data(
            status=status,
            nodes=[show_node(self.authority, one) for one in status.nodes],
            holds=holds_of(self.authority, target),
            hold_form=hold_form(self.authority, target),
        )
        page: HttpResponseBase = self.render_to_response(context)
        return page


def show_node(authority: Authority, found: SiteOnNode) -> ShownNode:
    node = found.node
    return ShownNode(
        found,
        node_address(node.id) if authority.may_operate else "",
        STATE_LABELS[node.state],
        time_of(found.since),
        tuple(details_of(found)) if authority.sees_all and not found.has_it else (),
    )


def details_of(found: SiteOnNode) -> Iterator[str]:
    """Yield what a node says itself of why it does not have a site."""
    if found.refused:
        yield said(found.refused)
    for condition in found.node.wrong[:MOST_SAID]:
        yield condition_in_words(condition)
