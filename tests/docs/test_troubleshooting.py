"""The page on messages has messages that there are."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache

import pytest

from tests.test_docs import CHECK_ID, DOCS, PACKAGE

PAGE = (DOCS / "reference" / "troubleshooting.md").read_text(encoding="utf-8")
#: Between a heading and what to do, and in the line that begins with "Also".
QUOTED = re.findall(r"`([^`]+)`", "\n".join(re.findall(r"^(?:### |Also )(.*)$", PAGE, re.MULTILINE)))
SECTIONS = re.split(r"^### ", PAGE, flags=re.MULTILINE)[1:]


def written(node: ast.AST) -> str | None:
    """Return the text of a literal, with … in the place of what is filled in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
    return None


def literals() -> Iterator[str]:
    for path in PACKAGE.rglob("*.py"):
        if "templates" not in path.parts:
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                text = written(node)
                if text:
                    yield text


@cache
def messages() -> str:
    return "\n".join(literals())


@pytest.mark.parametrize("message", QUOTED)
def test_each_message_of_the_page_is_in_the_code(message: str) -> None:
    """What the page quotes is what the package says; a message that was edited is edited here too."""
    assert message in messages()


def test_a_message_that_nobody_says_is_noticed() -> None:
    """The search does not find what the package never says, and finds what it says with a value in it."""
    assert "The site … is on fire." not in messages()
    assert "… has no site …." in messages()


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.splitlines()[0][:40])
def test_each_message_has_a_cause_and_a_fix(section: str) -> None:
    """A section says why the message appears, and what to do."""
    assert section.count("**Cause:** ") == 1
    assert section.count("**Fix:** ") == 1


def test_checks_have_a_page_of_their_own() -> None:
    """Ids of checks are headings of the page on checks, to which this one leads."""
    assert "(checks.md)" in PAGE
    headings = re.findall(r"^## `(.*)`$", (DOCS / "reference" / "checks.md").read_text("utf-8"), re.MULTILINE)
    assert set(CHECK_ID.findall(PAGE)) <= set(headings)
