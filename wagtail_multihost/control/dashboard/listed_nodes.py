"""The nodes of a list, and which of them need someone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import BooleanField, Exists, F, Func, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Now

from wagtail_multihost.control.holds import current_holds
from wagtail_multihost.control.models import Head
from wagtail_multihost.nodeapi.node_states import APPLIED, AWAY, SILENT_AFTER, TRUE

SILENT, BEHIND, WRONG, HELD = "silent", "behind", "wrong", "held"
PROBLEMS = {
    SILENT: "It is silent",
    BEHIND: "It has not applied the newest revision",
    WRONG: "It says that something is wrong",
    HELD: "It is held",
}
#: A condition that says that something is wrong; what is no list of conditions has none.
IS_WRONG = (
    f'$[*] ? ((@.type == "{APPLIED}" && @.status != "{TRUE}") || (@.type != "{APPLIED}" && @.status == "{TRUE}"))'
)


def search_nodes(nodes: QuerySet[Any], text: str) -> QuerySet[Any]:
    """Return the nodes that have a text in their id, group, zone or address."""
    columns = ("pk", "group__pk", "zone", "address")
    wanted = Q()
    for column in columns:
        wanted |= Q(**{f"{column}__icontains": text})
    return nodes.filter(wanted)


def nodes_with_problem(nodes: QuerySet[Any], problem: str) -> QuerySet[Any]:
    """Return the nodes that are so; who is away is not expected to be heard, nor to have anything."""
    if problem == WRONG:
        found: QuerySet[Any] = nodes.annotate(says_wrong=says(IS_WRONG)).filter(says_wrong=True)
        return found
    if problem == HELD:
        return nodes.filter(Exists(current_holds().filter(Q(node=OuterRef("pk")) | Q(node=None, site=None))))
    head = Subquery(Head.objects.filter(pk=1).values("revision"))
    heard = Q(report__seen_at__gt=Now() - timedelta(seconds=SILENT_AFTER))
    return nodes.exclude(state=AWAY).exclude(heard if problem == SILENT else Q(report__applied__gte=head))


def says(path: str) -> Func:
    """Return whether what a node reports has something at a path of jsonpath."""
    return Func(
        F("report__conditions"),
        Value(path),
        function="jsonb_path_exists",
        template="%(function)s(%(expressions)s::jsonpath)",
        output_field=BooleanField(),
    )
