"""The list of guards is true of the code; ``python -m tests.mutate`` shows that the tests hold them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import wagtail_multihost
from tests.mutate import ROOT, Guard, guards

GUARDS = guards()
#: Where the package is installed: the source tree, or site-packages.
PARENT = Path(wagtail_multihost.__file__).parents[1]


@pytest.mark.parametrize("guard", GUARDS, ids=[guard.guard for guard in GUARDS])
def test_guard_is_in_its_file_exactly_once(guard: Guard) -> None:
    """The snippet that a mutation replaces is there, once, and the replacement differs and is Python."""
    folder = PARENT if guard.file.startswith("wagtail_multihost/") else ROOT
    text = (folder / guard.file).read_text(encoding="utf-8")
    assert text.count(guard.original) == 1
    assert guard.mutated != guard.original
    if guard.file.endswith(".py"):
        ast.parse(text.replace(guard.original, guard.mutated))


@pytest.mark.parametrize("guard", GUARDS, ids=[guard.guard for guard in GUARDS])
def test_guard_names_tests_that_exist(guard: Guard) -> None:
    """Each guard has at least one test, whose file has a function of that name."""
    assert guard.tests
    for test in guard.tests:
        path, _, name = test.partition("::")
        function = name.rpartition("::")[2].partition("[")[0]
        assert f"def {function}(" in Path(ROOT, path).read_text(encoding="utf-8"), test


def test_guards_are_each_said_once() -> None:
    """No guard is listed twice, and each is a sentence."""
    sentences = [guard.guard for guard in GUARDS]
    assert len(set(sentences)) == len(sentences) >= 20
    assert all(sentence.endswith(".") for sentence in sentences)
