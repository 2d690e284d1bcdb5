"""The ids of all checks."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

from django.core.checks.registry import Tags, registry

import wagtail_multihost.checks
from wagtail_multihost.checks import TAG

MODULES = sorted(Path(wagtail_multihost.checks.__file__).parent.glob("[a-z]*.py"))
ID = re.compile(r"[EW]\d{3}")


def checks_of(path: Path) -> list[ast.FunctionDef]:
    """Return the functions of a module that are registered as checks."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.decorator_list]


def test_ids_are_unique() -> None:
    """No id stands for two mistakes, in all modules together."""
    written = [found for path in MODULES for found in re.findall(r'id="(.*?)"', path.read_text(encoding="utf-8"))]
    assert len(written) > 10
    assert {name for name, count in Counter(written).items() if count > 1} == set()
    assert all(re.fullmatch(r"wagtail_multihost\.[EW]\d{3}", name) for name in written)


def test_checks_say_which_ids_they_have() -> None:
    """The first line of each check's docstring has the ids of its module, and each check has one at least."""
    for path in MODULES:
        said = [ID.findall((ast.get_docstring(check) or "").partition("\n")[0]) for check in checks_of(path)]
        assert all(said), path
        assert {name for names in said for name in names} == set(
            ID.findall("".join(re.findall(r'id="(.*?)"', path.read_text())))
        )


def test_every_module_is_registered() -> None:
    """Each function that is written as a check runs with the package's tag."""
    registered = {
        check.__module__ for check in registry.get_checks(include_deployment_checks=True) if TAG in check.tags
    }
    written = {f"wagtail_multihost.checks.{path.stem}" for path in MODULES if checks_of(path)}
    assert registered == written


def test_checks_of_deployment_and_of_databases_are_asked_for() -> None:
    """What looks at the way to production runs with ``--deploy`` alone, what asks a database with ``--database``."""
    own = {check for check in registry.get_checks(include_deployment_checks=True) if TAG in check.tags}
    assert {check.__name__ for check in own - set(registry.get_checks())} == {
        "check_settings",
        "check_platform",
        "check_transport",
        "check_folders",
        "check_media_group",
    }
    assert {check.__name__ for check in own if Tags.database in check.tags} == {"check_claimed", "check_leftovers"}
    assert {tag for check in own for tag in check.tags} == {TAG, Tags.database}
