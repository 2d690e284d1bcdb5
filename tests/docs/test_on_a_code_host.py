"""The README and the pages can be read as files, where a code host renders their Markdown without Sphinx."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from docs.committed import MARKED
from tests.test_docs import DOCS, PAGES, ROOT

FILES = [*PAGES, ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"]
PICTURES = sorted((DOCS / "pictures").glob("*.svg"))
READER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
#: What Sphinx alone understands, as it looks elsewhere.
FOREIGN = re.compile(r":::|^\([\w-]+\)=|^: |\{[a-z-]+\}$|^:\w+:", re.MULTILINE)
STANDING = {"softbreak": "\n", "code_inline": "code"}
SVG = "{http://www.w3.org/2000/svg}"


@cache
def tokens(path: Path) -> list[Token]:
    return READER.parse(path.read_text(encoding="utf-8"))


def inline(path: Path) -> Iterator[Token]:
    """Yield what paragraphs, headings and cells consist of."""
    for token in tokens(path):
        yield from token.children or []


def text_of(token: Token) -> str:
    """Return what is shown, with a word in the place of code that is marked as such."""
    return "".join(STANDING.get(child.type, child.content) for child in token.children or [])


def heading_of(token: Token) -> str:
    return "".join(child.content for child in token.children or [] if child.type in ("text", "code_inline"))


@cache
def anchors(path: Path) -> set[str]:
    """Return the anchors that a code host gives to a file's headings."""
    found: list[str] = []
    for before, token in zip(tokens(path), tokens(path)[1:], strict=False):
        if before.type == "heading_open":
            slug = re.sub(r"[^\w\- ]", "", heading_of(token).lower()).replace(" ", "-")
            found.append(f"{slug}-{found.count(slug)}" if slug in found else slug)
    return set(found)


def links(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the address of each link, and the text that is to be clicked."""
    for token in tokens(path):
        children = token.children or []
        for place, child in enumerate(children):
            if child.type == "link_open":
                end = next(n for n, other in enumerate(children) if n > place and other.type == "link_close")
                yield str(child.attrs["href"]), "".join(part.content for part in children[place:end])


def is_there(path: Path, address: str) -> bool:
    parts = urlsplit(address)
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    return target.exists() and (not parts.fragment or parts.fragment in anchors(target))


def each(paths: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", paths, ids=lambda path: str(path.relative_to(ROOT)))


@each(FILES)
def test_links_have_a_text_and_lead_to_a_file_and_a_heading(path: Path) -> None:
    """No link is empty, which a code host would not show, and each relative one finds its file and its heading."""
    found = list(links(path))
    assert [address for address, text in found if not text.strip()] == []
    relative = [address for address, _ in found if not urlsplit(address).scheme]
    assert [address for address in relative if not is_there(path, address)] == []


@each(FILES)
def test_pages_have_nothing_that_only_sphinx_understands(path: Path) -> None:
    """Paragraphs have no directives, targets or roles; the Python API alone is taken from docstrings, by Sphinx."""
    shown = [text_of(token) for token in tokens(path) if token.type == "inline"]
    assert [text for text in shown if FOREIGN.search(text)] == []
    languages = [token.info for token in tokens(path) if token.type == "fence"]
    accepted = {"{eval-rst}"} if path.name == "api.md" else set()
    assert [info for info in languages if not re.fullmatch(r"\w+", info) and info not in accepted] == []
    comments = [token.content for token in tokens(path) if token.type == "html_block"]
    comments += [token.content for token in inline(path) if token.type == "html_inline"]
    assert [text for text in comments if not MARKED.match(text.strip()) and text.strip() != "<!-- end -->"] == []


@pytest.mark.parametrize("text", [":::{note}", "(target)=", "word\n: meaning", ":language: toml"])
def test_what_only_sphinx_understands_is_noticed(text: str) -> None:
    """The search finds each form that it is meant to find."""
    assert [token for token in READER.parse(text) if token.type == "inline" and FOREIGN.search(token.content)]


@each(FILES)
def test_pictures_exist_and_say_what_they_show(path: Path) -> None:
    """Each picture of a page is a file of the repository, with a text for those who do not see it."""
    for token in inline(path):
        if token.type == "image":
            assert is_there(path, str(token.attrs["src"]))
            assert len(token.content) > 40


def test_every_picture_is_shown() -> None:
    """No picture is forgotten."""
    shown = {
        (path.parent / str(token.attrs["src"])).resolve()
        for path in FILES
        for token in inline(path)
        if token.type == "image"
    }
    assert {path for path in (DOCS / "pictures").iterdir() if path.is_file()} == shown


@each(PICTURES)
def test_drawings_are_well_formed_and_have_both_colour_schemes(path: Path) -> None:
    """A drawing parses, has a title and a description, loads nothing, runs nothing, and can be read in the dark."""
    text = path.read_text(encoding="utf-8")
    root = ElementTree.fromstring(text)
    assert root.tag == f"{SVG}svg"
    assert root.get("viewBox")
    described = set(str(root.get("aria-labelledby")).split())
    assert described == {element.get("id") for name in ("title", "desc") for element in root.iter(f"{SVG}{name}")}
    assert [element.tag for element in root.iter() if element.tag in (f"{SVG}script", f"{SVG}image")] == []
    assert "prefers-color-scheme: dark" in text
    assert "href" not in text
    assert len(text) < 20_000


def test_screenshots_are_small() -> None:
    """A picture of a page is a PNG of at most 100 kB."""
    pictures = sorted((DOCS / "pictures").glob("*.png"))
    assert pictures
    for path in pictures:
        data = path.read_bytes()
        assert data.startswith(b"\x89PNG\r\n")
        assert len(data) <= 100_000, path.name
