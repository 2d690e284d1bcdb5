"""What pages repeat of the code and of the examples is committed, and is what the code and the examples say today."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.committed import MARKED, filled_in, names_of
from docs.generated import PARTS, probe_classes
from tests.test_docs import DOCS, PAGES, ROOT

ANEW = "pytest tests/test_docs_committed.py --regenerate"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_is_between_markers_is_what_the_code_says(path: Path, request: pytest.FixtureRequest) -> None:
    """Generated parts and examples in a page are those of today; ``--regenerate`` writes them."""
    probe_classes(all_extras=True)
    text = path.read_text(encoding="utf-8")
    anew = filled_in(text, path.parent)
    if request.config.getoption("--regenerate"):
        path.write_text(anew, encoding="utf-8")
        return
    assert text == anew, f"Run {ANEW}, and review the difference."


def test_parts_that_are_generated_are_placed_once() -> None:
    """Each part of the reference that is rendered from declarations is in one page, and no page asks for another."""
    asked = [name for path in PAGES for name in names_of("generated", path.read_text("utf-8"))]
    assert sorted(asked) == sorted(PARTS)


def test_every_example_is_shown_in_a_page() -> None:
    """No file of the examples is forgotten, and none that a page includes is missing."""
    shown = {
        path.parent.joinpath(what.split(" from ")[0]).resolve()
        for path in PAGES
        for what in names_of("example", path.read_text("utf-8"))
    }
    links = r"\]\(((?:\.\./)*examples/[^)]+)\)"  # to what is too long to be shown
    shown |= {path.parent.joinpath(to).resolve() for path in PAGES for to in re.findall(links, path.read_text("utf-8"))}
    used_by_code = {DOCS / "examples" / "minimal.toml"}
    files = {path for path in (DOCS / "examples").iterdir() if path.is_file()}
    assert {path for path in shown if path.parent == DOCS / "examples"} | used_by_code == files


def test_no_page_includes_what_is_not_there_to_be_read() -> None:
    """Pages have no directive that includes a file: a code host would show the directive."""
    including = [path.name for path in PAGES if "{literalinclude}" in path.read_text("utf-8")]
    assert including == [], f"Write <!-- example: ../examples/FILE --> on a line of its own, and run {ANEW}."


def test_markers_are_filled_in_whether_or_not_they_have_an_end(tmp_path: Path) -> None:
    """A marker without an end gets its text; one with an old text gets the new; nothing else of the page changes."""
    (tmp_path / "a.toml").write_text("a = 1\nb = 2\n")
    (tmp_path / "b.toml").write_text("a = 1\nb = 3\n")
    anew = "<!-- example: a.toml from b -->\n\n```toml\nb = 2\n```\n\n<!-- end -->\n\nText.\n"
    assert filled_in("<!-- example: a.toml from b -->\n\nText.\n", tmp_path) == anew
    assert filled_in(anew.replace("b = 2", "old"), tmp_path) == anew
    two = f"<!-- example: b.toml -->\n\n{anew}"
    assert [found["what"] for found in MARKED.finditer(two)] == ["b.toml", "a.toml from b"]
    assert filled_in(filled_in(two, tmp_path), tmp_path).endswith(anew)
    changed = filled_in("  <!-- difference: a.toml b.toml -->\n", tmp_path)
    assert "  -b = 2\n  +b = 3\n" in changed
    with pytest.raises(ValueError, match=r"No line of a\.toml"):
        filled_in("<!-- example: a.toml from c -->", tmp_path)
