"""Labels of sites: words by which people choose them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.spec.samples import a_site
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.registry import open_registry

HEAD = '[platform]\nname = "aviary"\n[sites.aurora]\nhostnames = ["aurora.example.org"]\n'


def test_labels_are_read_from_a_file_and_from_variables(tmp_path: Path) -> None:
    """A name and a text each, in the order in which they are stated."""
    path = tmp_path / "sites.toml"
    path.write_text(f'{HEAD}labels = {{ team = "press", plan = "gold" }}\n', encoding="utf-8")
    [site] = open_registry(path, {}).load().sites
    assert site.labels == (("team", "press"), ("plan", "gold"))
    environ = {
        "MULTIHOST_SITE": "aurora",
        "MULTIHOST_SITE_HOSTNAMES": "aurora.example.org",
        "MULTIHOST_PLATFORM_NAME": "aviary",
        "MULTIHOST_SITE_LABELS__TEAM": "press",
    }
    assert open_registry("env:", environ).load().sites[0].labels == (("team", "press"),)


@pytest.mark.parametrize("label", [("a", "b"), ("0", "b"), ("a.b_c-d", "Prêt à porter"), ("a" * 63, "b" * 63)])
def test_label_is_accepted_up_to_its_limits(label: tuple[str, str]) -> None:
    """A word of at most 63 characters, and one line of at most 63 in any script."""
    assert a_site(labels=(label,)).labels == (label,)


@pytest.mark.parametrize(
    ("label", "start"),
    [
        *((("x", text), "The text ") for text in ("", "b" * 64, "b\nc", "b\x1b[31m")),
        *(((name, "b"), "The label ") for name in ("", "a" * 64, "A", "-a", ".a", "_a", "a b", "a/b", "ä")),
    ],
)
def test_label_over_its_limits_is_refused(label: tuple[str, str], start: str) -> None:
    """The problem is told under the key, and of what is wrong."""
    with pytest.raises(ConfigurationError) as caught:
        a_site(labels=(label,))
    [problem] = caught.value.problems
    assert problem.where == "labels" and problem.message.startswith(start)


def test_label_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """At its own name in the file."""
    path = tmp_path / "sites.toml"
    path.write_text(f"{HEAD}labels = {{ team = 7 }}\n", encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        open_registry(path, {}).load()
    assert [problem.where for problem in caught.value.problems] == ["sites.toml: sites.aurora.labels.team"]
