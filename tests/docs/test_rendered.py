"""The pages that Sphinx builds show what their Markdown means, and every link in them leads somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup, Tag

from docs.conf import LISTED
from tests.test_docs import DOCS, PAGES

NAMES = sorted(str(path.relative_to(DOCS).with_suffix(".html")) for path in PAGES if path.is_relative_to(DOCS))
#: Markup that a reader sees only where it was not understood.
RAW = {
    ":::": ":::{note}",
    "<!--": "<!-- generated: settings -->",
    r"\]\(": "[text](link)",
    r"\|\s*:?---": "|---|---|",
    r"(?m)^\s*\|.*\|\s*$": "| a | b |",
    r"```": "```toml",
    r"\{[a-z-]+\}`": "{ref}`there`",
    r"\[!\w+\]": "[!NOTE]",
    r"(?m)^#+ ": "## Heading",
    r"\*\*\w": "**bold",
    r"(?m)^\([\w-]+\)=": "(target)=",
    r"(?m)^:\w+: ": ":language: toml",
}


@cache
def soup(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def article(path: Path) -> Tag:
    """Return what a page is about, without the theme around it."""
    found = soup(path).find("article")
    assert isinstance(found, Tag)
    return found


def text_of(page: Tag) -> str:
    """Return a page's text without its code."""
    return "".join(text for text in page.find_all(string=True) if not text.find_parent(["pre", "code", "dt"]))


@pytest.mark.parametrize(("pattern", "markup"), RAW.items(), ids=RAW.values())
def test_each_kind_of_raw_markup_is_noticed(pattern: str, markup: str) -> None:
    """The search finds each kind of markup that it is meant to find, as text of a page."""
    shown = markup.replace("<", "&lt;")
    assert re.search(pattern, text_of(BeautifulSoup(f"<p>{shown}</p>", "html.parser")))


@pytest.mark.parametrize("name", NAMES)
def test_no_page_shows_raw_markup(name: str, built: Path) -> None:
    """The text of a page, less its code, has no markup that was not understood."""
    text = text_of(article(built / name))
    assert [match[0] for pattern in RAW for match in re.finditer(pattern, text)] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_page_has_one_title_and_headings_in_order(name: str, built: Path) -> None:
    """A page has one h1, and no heading is two levels below the one before it."""
    levels = [int(heading.name[1]) for heading in article(built / name).find_all(re.compile("^h[1-6]$"))]
    assert levels.count(1) == 1
    assert [pair for pair in pairwise(levels) if pair[1] > pair[0] + 1] == []


@pytest.mark.parametrize("name", NAMES)
def test_code_is_highlighted_in_a_language_that_its_page_names(name: str, built: Path) -> None:
    """Every block of code says what it is in; Sphinx's warnings would tell if it could not be read as that."""
    blocks = article(built / name).select("div.highlight")
    unnamed = [
        block.get_text()[:60]
        for block in blocks
        if not any(re.match("highlight-(?!default|none)", word) for word in block.parent["class"])
    ]
    assert unnamed == []


def test_long_pages_have_code_and_buttons_to_copy_it(built: Path) -> None:
    """The script that puts a button on each block of code is in the pages."""
    page = soup(built / "tutorial/first-street.html")
    assert len(page.select("div.highlight")) > 10
    assert any("copybutton" in script["src"] for script in page.select("script[src]"))


def links(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the path and the anchor of each link and picture of a page that is inside the documentation."""
    for tag in soup(path).select("a[href], img[src]"):
        address = str(tag.get("href") or tag.get("src"))
        parts = urlsplit(address)
        if not parts.scheme and not parts.netloc:
            yield unquote(parts.path), unquote(parts.fragment)


@cache
def anchors(path: Path) -> set[str]:
    return {str(tag["id"]) for tag in soup(path).find_all(id=True)}


def is_there(page: Path, target: str, anchor: str) -> bool:
    path = (page.parent / target).resolve() if target else page
    if not path.is_file():
        return False
    return not anchor or path.suffix != ".html" or anchor in anchors(path)


@pytest.mark.parametrize("name", [*NAMES, "genindex.html", "search.html"])
def test_links_and_anchors_lead_somewhere(name: str, built: Path) -> None:
    """Each link of a page to another page, an anchor or a picture finds it."""
    page = built / name
    found = list(links(page))
    assert len(found) > 5
    assert [link for link in found if not is_there(page, *link)] == []


def test_every_picture_says_what_it_shows(built: Path) -> None:
    """Each picture in a page has a text for those who do not see it, longer than a name."""
    pictures = [picture for name in NAMES for picture in article(built / name).find_all("img")]
    assert pictures
    assert [str(picture["src"]) for picture in pictures if len(str(picture.get("alt", ""))) < 40] == []


def test_pages_say_which_version_they_are_of(built: Path) -> None:
    """The version of the package is beside the title, and each page leads to its source."""
    from wagtail_multihost.version import own_version

    page = soup(built / "reference/commands.html")
    assert own_version() in page.get_text()
    (edit,) = {str(link["href"]) for link in page.select(".edit-this-page a")}
    assert edit.endswith("/edit/main/docs/reference/commands.md")


def test_the_changelog_is_a_page(built: Path) -> None:
    """The documentation has the file CHANGELOG.md, its newest section first."""
    headings = [heading.get_text() for heading in article(built / "changelog.html").find_all("h2")]
    assert headings[0].startswith("[Unreleased]") or headings[0].startswith("Unreleased")


@pytest.mark.parametrize("path", [path for path in PAGES if path.name == "index.md"], ids=str)
def test_index_pages_say_a_line_about_each_page(path: Path) -> None:
    """An index lists every page of its folder once, with a sentence on what it is for."""
    text = path.read_text(encoding="utf-8")
    listed = LISTED.findall(text)
    beside = {entry.stem for entry in path.parent.glob("*.md")} - {"index"}
    below = {f"{entry.parent.name}/index" for entry in path.parent.glob("*/index.md")}
    assert sorted(listed) == sorted(beside | below)
    assert len(re.findall(r"^- \[[^\]]+\]\([^)]+\): .{10,}\.$", text, re.MULTILINE)) == len(listed)
