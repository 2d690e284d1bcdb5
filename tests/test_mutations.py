"""What the random mutations of ``python -m tests.mutate_at_random`` are, and what they leave alone."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import wagtail_multihost
from tests.mutations import ROOMS, Mutation, equivalents, is_telling, mutations_of
from tests.reach import Reach

PACKAGE = Path(wagtail_multihost.__file__).parent


def changed(source: str) -> set[str]:
    """Return the changed lines of every mutation of a source."""
    found = list(mutations_of("x.py", source))
    return {mutation.added(source) for mutation in found if is_telling(mutation, source, ())}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = a == b", {"x = (a != b)"}),
        ("x = a < b", {"x = (a <= b)", "x = (a > b)"}),
        ("x = a in b", {"x = (a not in b)"}),
        ("x = a and b", {"x = (a or b)", "x = a", "x = b"}),
        ("x = not a", {"x = a"}),
        ("x = 0o077", {"x = 64", "x = 62"}),
        ('x = "a"', {"x = 'aX'", "x = ''"}),
        ("x = True", {"x = False"}),
        ("x = [1]", {"x = [2]", "x = [0]", "x = []"}),
        ("x = {a, b}", {"x = {b}", "x = {a}"}),
        ("f(a, b)", {"pass", "f(b, a)"}),
        ("f(mode=a)", {"pass", "f()"}),
        ("x = any(a)", {"x = all(a)"}),
        ("x = max(a, b)", {"x = min(a, b)"}),
        ("x = a if b else c", {"x = a", "x = c"}),
        ("x = [a for a in b if c]", {"x = ([a for a in b])"}),
        ("x = a + b", {"x = (a - b)"}),
        ("raise E('a b c')", {"pass"}),
    ],
)
def test_mutations_of_a_line(source: str, expected: set[str]) -> None:
    """Each kind of expression and statement has its changes, one at a time."""
    assert changed(source) == expected


@pytest.mark.parametrize(
    "source",
    [
        '"""Docstring."""',
        "from a import b",
        '__all__ = ["a", "b"]',
        'x = "three words here"',
        'x = f"{a} three words here"',
        'logger.warning("a", b)',
        "x: Literal['a', 'b']",
        "if TYPE_CHECKING:\n    x = 1",
        "class A:\n    x: int",
    ],
)
def test_prose_and_types_are_left_alone(source: str) -> None:
    """What no test should hold is not changed."""
    assert changed(source) == set()


def test_rooms_have_modules() -> None:
    """Each pattern of a room finds some, but for the room that a part of the package may not have yet."""
    empty = [room for room in ROOMS if not list(PACKAGE.glob(room))]
    assert empty in ([], ["launch/**/*.py"])


def test_equivalents_are_mutations_with_a_reason() -> None:
    """Each mutation that is said to change nothing is one that would be made, and says why it does not count."""
    for entry in equivalents():
        assert entry["reason"].endswith(".")
        text = (PACKAGE.parent / entry["file"]).read_text(encoding="utf-8")
        found = {(each.removed(text), each.added(text)) for each in near(entry["original"], entry["file"], text)}
        assert (entry["original"], entry["mutated"]) in found, entry


def near(original: str, file: str, text: str) -> list[Mutation]:
    """Return the mutations of the statements that have the first of some lines, in their decorators as well."""
    first = original.partition("\n")[0]
    numbers = {number for number, line in enumerate(text.splitlines(), 1) if line.strip() == first}
    content = text.encode()
    found = []
    for each in mutations_of(file, text):
        begin = min(each.lines[0], content.count(b"\n", 0, each.start) + 1)
        if numbers & set(range(begin, each.lines[1] + 1)):
            found.append(each)
    return found


def test_tests_of_a_line_come_quickest_first() -> None:
    """A test that is not known to pass is not among them."""
    reach = Reach({"a": 2.0, "b": 1.0}, {"x.py": {1: {"a", "b", "failing"}, 2: {"a"}}})
    assert (reach.of_lines("x.py", [1]), reach.of_lines("x.py", [2, 3]), reach.of_file("y.py")) == (
        ["b", "a"],
        ["a"],
        [],
    )


def test_changed_file_is_python() -> None:
    """A mutation changes its own bytes alone, whatever characters come before it."""
    source = 'x = "ü"; y = f(a, b)\n'
    for mutation in mutations_of("x.py", source):
        ast.parse(mutation.of(source))
        assert mutation.of(source).count("\n") == 1
