"""Targets that other packages announce."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

import wagtail_multihost.emitters as package
from wagtail_multihost.emitters import BUILT_IN, emitters, loaded
from wagtail_multihost.exceptions import EmitError

APACHE = replace(BUILT_IN[0], name="apache", options=None)


def broken() -> object:
    raise RuntimeError("hunter2")


def test_target_of_another_package_is_taken_under_its_own_name() -> None:
    """It is an Emitter, and has the name that it is announced by."""
    assert loaded("apache", lambda: APACHE, emitters()) is APACHE


def test_announced_targets_are_beside_the_built_in_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are looked for under the name of the group, and each is found by its own."""
    asked: list[dict[str, str]] = []
    points = [SimpleNamespace(name=name, load=lambda name=name: replace(APACHE, name=name)) for name in ("a", "b")]
    monkeypatch.setattr(package, "entry_points", lambda **options: asked.append(options) or points)
    found = emitters.__wrapped__()
    assert {name: emitter.name for name, emitter in found.items()} == {
        name: name for name in ("nginx", "uwsgi", "systemd", "embedded", "a", "b")
    }
    assert asked == [{"group": "wagtail_multihost.emitters"}]


@pytest.mark.parametrize("name", ["nginx", "uwsgi", "systemd"])
def test_target_takes_no_name_that_is_taken(name: str) -> None:
    """Nobody replaces a built-in target, and what would do so is not even loaded."""
    with pytest.raises(EmitError, match=f"announces the target {name}, which there is already"):
        loaded(name, broken, emitters())


@pytest.mark.parametrize("found", [APACHE, None, object()])
def test_target_that_is_another_thing_is_refused(found: object) -> None:
    """An Emitter of another name, and what is none, is said to be so."""
    with pytest.raises(EmitError, match=r"is no wagtail_multihost\.emitters\.Emitter of that name"):
        loaded("lighttpd", lambda: found, {})


def test_target_that_cannot_be_loaded_is_told_by_its_error() -> None:
    """The kind of the error is said, and not its text."""
    with pytest.raises(EmitError, match=r"cannot be loaded: RuntimeError\.$"):
        loaded("apache", broken, {})
