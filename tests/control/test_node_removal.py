"""Nodes and groups are removed by functions of the database, and by nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import NotSupportedError, connection
from django.db.models import CASCADE
from django.test.utils import CaptureQueriesContext

from tests.control.fleet import OPERATOR, Fleet
from wagtail_multihost.control.models import Node, NodeGroup
from wagtail_multihost.control.nodes import save_group, save_node
from wagtail_multihost.nodeapi.node_states import ALL


@pytest.mark.parametrize(
    "delete",
    [
        lambda: Node.objects.get(pk="web1").delete(),
        lambda: Node.objects.filter(pk="web1").delete(),
        lambda: NodeGroup.objects.get(pk="web").delete(),
        lambda: NodeGroup.objects.all().delete(),
        lambda: NodeGroup.objects.get(pk="web").nodes.all().delete(),
    ],
)
def test_rows_are_not_deleted_with_all_that_hangs_on_them(fleet: Fleet, delete: Callable[[], object]) -> None:
    """The web process has no rights on tokens and on what is sealed: it would end with their names in an error."""
    save_group(OPERATOR, "web", ALL)
    save_node(OPERATOR, "web1", "web")
    with CaptureQueriesContext(connection) as queries, pytest.raises(NotSupportedError, match="remove_node"):
        delete()
    assert not [query for query in queries if "DELETE" in query["sql"]]
    assert Node.objects.filter(pk="web1").exists() and NodeGroup.objects.filter(pk="web").exists()


def test_nothing_that_can_be_deleted_takes_nodes_along() -> None:
    leading = [field for model in (Node, NodeGroup) for field in model._meta.concrete_fields if field.is_relation]
    assert [field.name for field in leading] == ["group"]
    assert all(field.remote_field.on_delete is not CASCADE for field in leading)
