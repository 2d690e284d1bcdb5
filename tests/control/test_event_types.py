"""The list of the types of events is whole: what writes events writes those alone, and each is written somewhere."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from django.db import connection

import wagtail_multihost
from wagtail_multihost.nodeapi.event_types import EVENT_TYPES, OF_RECORDS, OF_SITES

PACKAGE = Path(wagtail_multihost.__path__[0])
#: What writes an event, with the place of the type among its arguments.
WRITERS = {"record_event": 1, "enter_stage": 3}
#: Arguments by which a type is handed on to a writer.
HANDED_ON = {"kind"}
IN_SQL = re.compile(r"'([a-z_]+\.[a-z_]+)'")
FUNCTIONS = """
    SELECT pg_get_functiondef(one.oid) FROM pg_proc AS one JOIN pg_namespace AS room ON room.oid = one.pronamespace
    WHERE room.nspname NOT IN ('pg_catalog', 'information_schema') AND one.prokind = 'f'
        AND pg_get_functiondef(one.oid) ~ 'control_(record_event|delete_node)'
"""


def name_of(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def written_types(module: ModuleType, tree: ast.Module) -> Iterator[str]:
    """Yield the types with which a module calls what writes events."""
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and name_of(call.func) in WRITERS:
            for branch in branches(call.args[WRITERS[name_of(call.func)]]):
                if name_of(branch) not in HANDED_ON:
                    yield eval(compile(ast.Expression(branch), "type", "eval"), vars(module))


def branches(value: ast.expr) -> tuple[ast.expr, ...]:
    return (value.body, value.orelse) if isinstance(value, ast.IfExp) else (value,)


def types_in_control() -> set[str]:
    found: set[str] = set()
    for path in (PACKAGE / "control").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if any(isinstance(node, ast.Call) and name_of(node.func) in WRITERS for node in ast.walk(tree)):
            module = importlib.import_module(".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts))
            found.update(written_types(module, tree))
    return found


@pytest.mark.django_db
def test_every_type_that_is_written_is_in_the_list_and_every_other_way_round() -> None:
    with connection.cursor() as cursor:
        cursor.execute(FUNCTIONS)
        functions = [row[0] for row in cursor.fetchall()]
    in_sql = {name for text in functions for name in IN_SQL.findall(text)}
    assert in_sql >= {"node.joined", "node.forgotten", "placement.serving", "wave.stopped", "plan.done"}
    in_control = types_in_control()
    assert in_control >= {"node.draining", "wave.resumed", "plan.applied"}
    assert in_sql | in_control | set(OF_RECORDS) == set(EVENT_TYPES)


def test_records_have_no_type_of_event_beside_the_list() -> None:
    """Drafts choose the type of a record's event: by names of the list alone."""
    path = PACKAGE / "control" / "drafts.py"
    (chosen,) = (
        node
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name == "type"
    )
    module = importlib.import_module("wagtail_multihost.control.drafts")
    names = {node.id for node in ast.walk(chosen) if isinstance(node, ast.Name) and node.id.isupper()}
    texts = {node.value for node in ast.walk(chosen) if isinstance(node, ast.Constant) and "." in str(node.value)}
    docstring = {ast.get_docstring(chosen)}
    assert texts - docstring == set()
    assert {getattr(module, name) for name in names} == set(OF_RECORDS)


def test_what_people_of_sites_are_told_is_in_the_list() -> None:
    assert set(OF_SITES) < set(EVENT_TYPES)
    assert len({*EVENT_TYPES.values()}) == len(EVENT_TYPES), "two types would be called the same"
