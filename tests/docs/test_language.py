"""Pages are in plain English: proselint finds nothing, and neither does the list of words in words.toml."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from markdown_it.token import Token
from proselint.checks import __register__ as KEPT
from proselint.config import Config
from proselint.registry import CheckRegistry
from proselint.tools import LintFile

from tests.docs.test_on_a_code_host import each, tokens
from tests.test_docs import PAGES, ROOT

WORDS = tomllib.loads((Path(__file__).parent / "words.toml").read_text(encoding="utf-8"))
READ = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"]
CHECKS = (
    "archaism",
    "cliches",
    "hedging",
    "industrial_language",
    "lexical_illusions",
    "malapropisms",
    "misc",
    "mixed_metaphors",
    "mondegreens",
    "needless_variants",
    "nonwords",
    "oxymorons",
    "redundancy",
    "skunked_terms",
    "social_awareness",
    "spelling",
    "terms",
    "uncomparables",
)
CONFIG: Config = {"max_errors": 100, "checks": dict.fromkeys(CHECKS, True)}
#: What proselint says of words that are meant as they are, by the words.
MEANT = {"more than half of all"}

CheckRegistry().register_many(KEPT)


def sentences(path: Path) -> Iterator[str]:
    """Yield each paragraph, heading and cell of a page, with a word of its own in the place of each piece of code."""
    number = count()
    for token in tokens(path):
        if token.children:
            yield "".join(shown(child, number) for child in token.children)


def shown(token: Token, number: Iterator[int]) -> str:
    if token.type == "code_inline":
        return f"Q{next(number)}"
    return " " if token.type == "softbreak" else token.content if token.type == "text" else ""


@each(READ)
def test_proselint_finds_nothing(path: Path) -> None:
    """The kept linter of prose has nothing to say about a page, less its code and quotation marks."""
    text = "\n\n§\n\n".join(sentences(path))  # no word is repeated across it
    found = LintFile(path.name, text).lint(CONFIG)
    said = [f"{text[slice(*one.check_result.span)]!r}: {one.check_result.message}" for one in found]
    assert [line for line in said if not any(words in line for words in MEANT)] == []


@each(READ)
def test_no_page_has_a_word_that_a_plainer_one_replaces(path: Path) -> None:
    """Nothing of the list is in the text of a page."""
    text = "\n".join(sentences(path))
    rules = WORDS["instead"] | WORDS["british"]
    found = [(match[0], instead) for rule, instead in rules.items() for match in re.finditer(rule, text, re.IGNORECASE)]
    assert found == []


@pytest.mark.parametrize("text", ["He waits for ever.", "This is very unique.", "We use the the same thing."])
def test_what_is_not_plain_is_noticed(text: str) -> None:
    """Proselint is at work: it finds what each of these has."""
    assert LintFile("text", text).lint(CONFIG)
