"""Pages of sites that monitors look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.spec.samples import a_site
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.registry import open_registry
from wagtail_multihost.spec.site import MOST_PAGES, PAGE_PATH_LENGTH, PAGE_TEXT_LENGTH

HEAD = '[platform]\nname = "aviary"\n[sites.aurora]\nhostnames = ["aurora.example.org"]\n'


def test_pages_are_read_from_a_file(tmp_path: Path) -> None:
    """A path and a text each, in the order in which they are stated."""
    path = tmp_path / "sites.toml"
    path.write_text(f'{HEAD}watched_pages = {{ "/" = "Welcome", "/a/?b=c" = "Grüße" }}\n', encoding="utf-8")
    [site] = open_registry(path, {}).load().sites
    assert site.watched_pages == (("/", "Welcome"), ("/a/?b=c", "Grüße"))


@pytest.mark.parametrize("page", [("/", "b" * PAGE_TEXT_LENGTH), ("/" + "a" * (PAGE_PATH_LENGTH - 1), "<b>")])
def test_page_is_accepted_up_to_its_limits(page: tuple[str, str]) -> None:
    """A path of a URL, and one line in any script."""
    assert a_site(watched_pages=(page,)).watched_pages == (page,)


@pytest.mark.parametrize(
    ("page", "start"),
    [
        *((("/", text), "The text ") for text in ("", "b" * (PAGE_TEXT_LENGTH + 1), "b\nc", "b\x1b[31m")),
        *(
            ((path, "b"), "The path ")
            for path in ("", "a", "//evil.example/", "/a b", "/a\r\nHost: b", "/#a", "/ä", "/" + "a" * PAGE_PATH_LENGTH)
        ),
    ],
)
def test_page_over_its_limits_is_refused(page: tuple[str, str], start: str) -> None:
    """The problem is told under the key, and of what is wrong."""
    with pytest.raises(ConfigurationError) as caught:
        a_site(watched_pages=(page,))
    [problem] = caught.value.problems
    assert problem.where == "watched_pages" and problem.message.startswith(start)


def test_more_pages_than_a_monitor_asks_for_are_refused() -> None:
    """Each is a request in every period."""
    with pytest.raises(ConfigurationError, match="6 pages; at most 5"):
        a_site(watched_pages=tuple((f"/{number}", "x") for number in range(MOST_PAGES + 1)))
