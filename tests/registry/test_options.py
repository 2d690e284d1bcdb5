"""Options of servers in a site's table."""

from __future__ import annotations

from pathlib import Path

import pytest

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.registry import open_registry

HEAD = '[platform]\nname = "aviary"\n[sites.aurora]\nhostnames = ["aurora.example.org"]\n'


@pytest.mark.parametrize(
    ("table", "hint"),
    [
        ("nginx = { http = ['80'] }", "It is the same for all sites: state it in [platform.nginx]."),
        ("uwsgi = { build = 'debian' }", "It is the same for all sites: state it in [platform.uwsgi]."),
        ("nginx = { rates = 1 }", "Did you mean rate?"),
    ],
)
def test_option_that_a_site_cannot_state_says_who_can(table: str, hint: str, tmp_path: Path) -> None:
    """An option that all sites share is told from one that there is not."""
    (tmp_path / "sites.toml").write_text(f"{HEAD}{table}\n", encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        open_registry(tmp_path / "sites.toml", {}).load()
    assert [hint in problem.message for problem in caught.value.problems] == [True]
