"""The filters of the list of nodes."""

from __future__ import annotations

from typing import Any

import django_filters  # type: ignore[import-untyped]
from django import forms
from django.db.models import QuerySet

from wagtail_multihost.control.dashboard.filters import ANY, FleetFilterSet
from wagtail_multihost.control.dashboard.listed_nodes import PROBLEMS, nodes_with_problem
from wagtail_multihost.control.dashboard.node_words import STATE_LABELS
from wagtail_multihost.control.models import NodeGroup


class NodeFilterSet(FleetFilterSet):
    """The filters of the list of nodes."""

    group = django_filters.ChoiceFilter(label="Group", empty_label=ANY, widget=forms.RadioSelect)
    state = django_filters.MultipleChoiceFilter(
        label="State", choices=list(STATE_LABELS.items()), widget=forms.CheckboxSelectMultiple, distinct=False
    )
    problem = django_filters.ChoiceFilter(
        label="Problem",
        choices=list(PROBLEMS.items()),
        method="filter_problem",
        empty_label=ANY,
        widget=forms.RadioSelect,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        groups = NodeGroup.objects.values_list("pk", flat=True)
        self.filters["group"].extra["choices"] = [(group, group) for group in groups]

    def filter_problem(self, nodes: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return nodes_with_problem(nodes, value)
