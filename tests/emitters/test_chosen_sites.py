"""Files of chosen sites: what goes when a site changes, and what others need meanwhile."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from tests.emitters.conftest import make_plan, make_platform, make_site
from wagtail_multihost.emitters import Stage, emitters
from wagtail_multihost.emitters.apply import ApplyRequest
from wagtail_multihost.emitters.apply.writing import write_changes
from wagtail_multihost.spec.site import SiteSpec

CHANGES = {
    "nginx": ({"nginx": (("rate", 5),)}, "nginx/sites/{}.conf"),
    "uwsgi": ({"uwsgi": (("on_demand", True),)}, "uwsgi-on-demand/{}.ini"),
    "systemd": ({"systemd": (("tasks", 50),)}, "systemd/multihost@{}.service.d/50-site.conf"),
}


@pytest.mark.parametrize("target", CHANGES)
def test_file_that_a_chosen_site_has_no_more_is_removed(target: str, tmp_path: Path) -> None:
    """What a chosen site had before its change goes, and the files of sites that are not chosen stay."""
    options, path = CHANGES[target]
    platform = make_platform(runner="gunicorn" if target == "systemd" else "uwsgi")
    stated = [make_site(site, **options) for site in ("aurora", "borealis")]

    def write(*sites: SiteSpec, only: frozenset[str] = frozenset()) -> None:
        plan = make_plan(*sites, platform=platform, directory=tmp_path, only=only)
        write_changes(ApplyRequest(emitters=(emitters()[target],), directory=tmp_path, load=lambda: plan))

    write(*stated)
    assert (tmp_path / path.format("aurora")).exists()
    write(make_site("aurora"), stated[1], only=frozenset({"aurora"}))
    assert not (tmp_path / path.format("aurora")).exists()
    assert (tmp_path / path.format("borealis")).exists()


def test_own_server_of_a_site_that_is_not_chosen_goes_with_its_reason(tmp_path: Path) -> None:
    """The shared server has the names of such a site at once: its own server would have them a second time."""

    def write(*sites: SiteSpec, only: frozenset[str] = frozenset()) -> None:
        plan = make_plan(*sites, directory=tmp_path, only=only)
        write_changes(ApplyRequest(emitters=(emitters()["nginx"],), directory=tmp_path, load=lambda: plan))

    write(make_site("aurora"), make_site("borealis", nginx=(("rate", 5),)))
    write(make_site("aurora"), make_site("borealis"), only=frozenset({"aurora"}))
    assert "borealis.example.org" in (tmp_path / "nginx/http-names.conf").read_text(encoding="utf-8")
    assert not (tmp_path / "nginx/sites/borealis.conf").exists()


def test_vassal_that_goes_is_not_given_to_uwsgi(tmp_path: Path) -> None:
    """A site that goes is among the changed files, and its vassal in no scratch copy."""
    (tmp_path / "uwsgi").mkdir()
    (tmp_path / "uwsgi/aurora.ini").write_text("[uwsgi]\n")
    changed = frozenset(PurePosixPath(f"uwsgi/{site}.ini") for site in ("aurora", "borealis"))
    stage = Stage(make_plan(make_site("aurora")), tmp_path, changed)
    assert [validation.what for validation in emitters()["uwsgi"].validate(stage)] == ["uwsgi/aurora.ini"]
