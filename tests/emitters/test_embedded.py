"""The target of a runner on one's own machine: what it starts, and that it is for nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.emitters.conftest import make_plan, make_platform, make_site, texts
from wagtail_multihost.emitters import Plan, emitters
from wagtail_multihost.exceptions import RenderError
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.uwsgi import UwsgiOptions

HTTP = UwsgiOptions(http="127.0.0.1:8000")


def own_machine(**options: object) -> PlatformSpec:
    return make_platform(**{"environment": "development", "uwsgi": HTTP, **options})


def plan_of(**options: object) -> Plan:
    return make_plan(make_site("aurora"), make_site("borealis"), platform=own_machine(**options))


def test_runner_gets_what_uwsgi_itself_would_start() -> None:
    """The inis and the list of hosts are those of the target uwsgi: a runner that began with these restarts nothing."""
    plan = plan_of()
    uwsgi = texts("uwsgi", plan)
    found = texts("embedded", plan)
    assert sorted(found) == ["embedded/aurora.ini", "embedded/borealis.ini", "embedded/hosts.txt"]
    for path, text in found.items():
        assert text == uwsgi[path.replace("embedded", "uwsgi-emperor" if path.endswith(".txt") else "uwsgi")]


def test_runner_starts_each_site_at_once() -> None:
    """A site that uWSGI would start on demand has a socket of its own here: nobody else would start it."""
    always = texts("embedded", plan_of())
    assert texts("embedded", plan_of(uwsgi=replace(HTTP, on_demand=True))) == always


def test_site_is_the_same_whoever_writes_its_files() -> None:
    """The agent knows what snapshots say, the command does not: the runner restarts nothing for that."""
    assert texts("embedded", replace(plan_of(), digests={"aurora": "0" * 32})) == texts("embedded", plan_of())


def test_one_site_is_rendered_alone() -> None:
    """With a chosen site the others' inis stay as they are, and the hosts of all are listed."""
    found = texts("embedded", replace(plan_of(), only=frozenset({"aurora"})))
    assert sorted(found) == ["embedded/aurora.ini", "embedded/hosts.txt"]
    assert "borealis.example.org" in found["embedded/hosts.txt"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"environment": "production"}, "for development alone"),
        ({"environment": "staging"}, "for development alone"),
        ({"user": "site-{site}", "uwsgi": UwsgiOptions()}, "platform.user"),
        ({"user": "www"}, "platform.user"),
        ({"uwsgi": UwsgiOptions()}, "platform.uwsgi.http"),
    ],
)
def test_other_machines_are_refused(options: dict[str, object], words: str) -> None:
    """All sites share an account, so it is for one's own machine: neither for production, nor with accounts."""
    with pytest.raises(RenderError, match=words):
        texts("embedded", plan_of(**options))


def test_shared_account_is_always_said() -> None:
    """Whoever emits several sites for a runner is told that they are not kept apart."""
    assert ["run under the account of their runner" in one for one in emitters()["embedded"].cautions(plan_of())] == [
        True
    ]
    alone = make_plan(make_site("aurora"), platform=own_machine())
    assert list(emitters()["embedded"].cautions(alone)) == []
