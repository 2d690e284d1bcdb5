"""What the targets are, and what one has that says nothing more than its files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from tests.emitters.conftest import make_plan, make_platform, make_site
from wagtail_multihost.emitters import EmittedFile, Emitter, Stage, emitters
from wagtail_multihost.spec.nginx import NginxOptions
from wagtail_multihost.spec.systemd import SystemdOptions
from wagtail_multihost.spec.uwsgi import UwsgiOptions

KINDS = (NginxOptions, UwsgiOptions, SystemdOptions)
UNITS = ("multihost@a.service", "multihost@a.socket", "multihost-publish@a.service", "multihost-publish@a.timer")


@pytest.mark.parametrize(
    ("name", "folders", "runs_sites", "emits_all", "paths"),
    [
        ("nginx", ("nginx", "nginx/sites"), False, True, []),
        ("uwsgi", ("uwsgi", "uwsgi-on-demand", "uwsgi-emperor"), True, False, ["uwsgi/a.ini", "uwsgi-on-demand/a.ini"]),
        (
            "systemd",
            ("systemd", "systemd/tmpfiles.d", "systemd/multihost*.d"),
            *(True, False, [f"systemd/{unit}.d/50-site.conf" for unit in UNITS]),
        ),
        ("embedded", ("embedded",), True, False, ["embedded/a.ini"]),
    ],
)
def test_targets_say_where_their_files_are_and_for_whom(
    name: str, folders: tuple[str, ...], runs_sites: bool, emits_all: bool, paths: list[str]
) -> None:
    """Each is found by its name, with the folders that stale files are looked for in, and those of a site's own."""
    emitter = emitters()[name]
    assert list(emitters())[:4] == ["nginx", "uwsgi", "systemd", "embedded"]
    assert (emitter.name, emitter.folders) == (name, folders)
    assert (emitter.runs_sites, emitter.emits_all, bool(emitter.generation)) == (runs_sites, emits_all, name == "nginx")
    assert [str(path) for path in emitter.paths_of("a")] == paths


def test_generation_is_a_file_of_nginx_that_shows_its_token() -> None:
    """It lies where the main file includes it, readable for all, and belongs to no site."""
    make = emitters()["nginx"].generation
    assert make
    file = make("abc123")
    assert file == EmittedFile(PurePosixPath("nginx/generation.conf"), file.text, 0o644, "", "")
    assert "abc123" in file.text
    assert "a" * 128 in make("a" * 128).text


def test_target_that_says_no_more_than_its_files_has_nothing_else() -> None:
    """It is checked by nobody, belongs to no machine with sites, and has no file of a single site."""
    emitter = Emitter(name="x", summary="", folders=(), emit=lambda plan: iter(()))
    assert list(emitter.validate(Stage(make_plan(), Path("/x"), frozenset()))) == []
    assert (emitter.runs_sites, emitter.generation, emitter.emits_all, tuple(emitter.paths_of("a"))) == (
        *(False, None, False),
        (),
    )


def test_plan_without_options_has_the_defaults_and_all_sites() -> None:
    """What a platform does not state is as the options have it, and nobody is left out."""
    plan = make_plan(make_site("a"), make_site("b"))
    assert [plan.options(kind) for kind in KINDS] == [NginxOptions(), UwsgiOptions(), SystemdOptions()]
    assert (plan.only, plan.node, plan.source) == (frozenset(), "", "")
    assert [site.id for site in plan.chosen] == ["a", "b"]
    assert [site.id for site in replace(plan, only=frozenset({"b", "gone"})).chosen] == ["b"]


def test_plan_lays_a_sites_options_over_the_platforms() -> None:
    """For each server the site's own are on top, and the rest is the platform's."""
    own = make_site(
        "a", nginx=(("rate", 1),), uwsgi=(("processes", 9),), systemd=(("workers", 9),), code=(("wsgi", "b:c"),)
    )
    options = (
        NginxOptions(rate=5, burst=7),
        UwsgiOptions(processes=5, threads=7),
        SystemdOptions(workers=5, threads=7),
    )
    plan = make_plan(
        own, make_site("b"), platform=make_platform(nginx=options[0], uwsgi=options[1], systemd=options[2])
    )
    first, second = plan.sites
    assert (
        plan.options(NginxOptions, first).rate,
        plan.options(NginxOptions, first).burst,
        plan.options(NginxOptions, second).rate,
    ) == (1, 7, 5)
    assert (
        plan.options(UwsgiOptions, first).processes,
        plan.options(UwsgiOptions, first).threads,
        plan.options(UwsgiOptions, second).processes,
    ) == (9, 7, 5)
    assert (
        plan.options(SystemdOptions, first).workers,
        plan.options(SystemdOptions, first).threads,
        plan.options(SystemdOptions, second).workers,
    ) == (
        9,
        7,
        5,
    )
    assert plan.codebase_of(first) == replace(plan.codebase, wsgi="b:c")
    assert plan.codebase_of(second) is plan.codebase
