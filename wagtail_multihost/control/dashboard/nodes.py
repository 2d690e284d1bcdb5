"""The list of nodes: which there are, when each was seen last, and what it had applied then."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from django.db.models import QuerySet
from wagtail.admin.ui.tables import BaseColumn, Column, NumberColumn, StatusTagColumn, TitleColumn

from wagtail_multihost.control.dashboard.addresses import node_address, nodes_address
from wagtail_multihost.control.dashboard.columns import Link, LinksColumn, LongTextColumn
from wagtail_multihost.control.dashboard.listed_nodes import search_nodes
from wagtail_multihost.control.dashboard.listing import ShownRowsView
from wagtail_multihost.control.dashboard.node_filters import NodeFilterSet
from wagtail_multihost.control.dashboard.node_words import (
    STATE_LABELS,
    applied_in_words,
    problems_in_words,
    sites_in_words,
)
from wagtail_multihost.control.dashboard.shown_holds import ShownHold, holds_by_node
from wagtail_multihost.control.guard import OperatorView
from wagtail_multihost.control.models import Head, Node
from wagtail_multihost.control.node_status import NodeRow, all_nodes, open_wave, rows_of_nodes
from wagtail_multihost.nodeapi.node_states import ACTIVE


class SeenColumn(Column):  # type: ignore[misc]
    """When a node was heard last, and whether that is too long ago."""

    cell_template_name = "multihost_control/tables/seen_cell.html"


class NodesView(OperatorView, ShownRowsView):
    """All nodes, each with what it said last."""

    name = "nodes"
    model = Node
    page_title = "Nodes"
    header_icon = "desktop"
    results_template_name = "multihost_control/nodes_results.html"
    verbose_name, verbose_name_plural = "node", "nodes"
    filterset_class = NodeFilterSet
    default_ordering = "pk"
    empty_message = "There is no node yet. Nodes join by a token, or are made by the API."
    export_filename = "nodes"

    def get_base_queryset(self) -> QuerySet[Any]:
        return all_nodes()

    def order_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.order_by(*dict.fromkeys((self.ordering, "pk")))

    def search_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return search_nodes(queryset, self.search_query) if self.is_searching else queryset

    @cached_property
    def columns(self) -> list[BaseColumn]:
        return [
            TitleColumn("id", label="Name", accessor="pk", get_url=lambda node: node_address(node.pk), sort_key="pk"),
            LinksColumn(
                "group",
                lambda node: [Link(node.group_id, nodes_address(group=node.group_id))],
                label="Group",
                sort_key="group",
            ),
            Column("zone", label="Zone", sort_key="zone"),
            LongTextColumn("address", lambda node: node.address, label="Address"),
            StatusTagColumn(
                "state",
                label="State",
                accessor=lambda node: STATE_LABELS[node.state],
                primary=lambda node: node.state == ACTIVE,
                sort_key="state",
            ),
            NumberColumn("weight", label="Weight", sort_key="weight"),
            SeenColumn("seen", label="Seen", accessor=lambda node: self.rows[node.pk], sort_key="report__seen_at"),
            Column("applied", label="Applied", accessor=self.applied_words, sort_key="report__applied"),
            Column("sites", label="Sites", accessor=lambda node: sites_in_words(self.rows[node.pk])),
            LongTextColumn("conditions", self.problem_words, label="Conditions"),
            LongTextColumn("hold", self.hold_words, label="Held"),
        ]

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(*args, **kwargs), "head": self.head}

    @cached_property
    def head(self) -> int:
        """The revision of the registry."""
        return Head.objects.get(pk=1).revision

    @cached_property
    def rows(self) -> Mapping[str, NodeRow]:
        """What the shown nodes said."""
        return {row.id: row for row in rows_of_nodes(self.shown, open_wave())}

    @cached_property
    def holds(self) -> Mapping[str | None, list[ShownHold]]:
        return holds_by_node(self.authority)

    def applied_words(self, node: Any) -> str:
        return applied_in_words(self.rows[node.pk], self.head)

    def problem_words(self, node: Any) -> str:
        return "; ".join(problems_in_words(self.rows[node.pk]))

    def hold_words(self, node: Any) -> str:
        return "; ".join(one.words for key in (None, node.pk) for one in self.holds.get(key, ()))

    @cached_property
    def export_columns(self) -> dict[str, Any]:
        return {
            "id": lambda node: node.pk,
            "group": lambda node: node.group_id,
            "zone": lambda node: node.zone,
            "address": lambda node: node.address,
            "state": lambda node: node.state,
            "weight": lambda node: node.weight,
            "seen": lambda node: self.rows[node.pk].seen_at,
            "applied": lambda node: self.rows[node.pk].applied,
            "registry": lambda node: self.head,
            "sites": lambda node: sites_in_words(self.rows[node.pk]),
            "conditions": self.problem_words,
            "held": self.hold_words,
        }
