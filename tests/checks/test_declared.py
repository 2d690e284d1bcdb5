"""Settings that processes without a site do not have, and variables that this process does not."""

from __future__ import annotations

import os

import pytest
from django.conf import global_settings

from tests.checks.conftest import Serve, ids_of
from tests.spec.samples import a_platform, a_site
from wagtail_multihost import running
from wagtail_multihost.checks.declared import check_declared
from wagtail_multihost.running import Running
from wagtail_multihost.spec.project_settings import parse_setting_name

SITE = a_site(project_settings=(("STRIPE_KEY", "x"), ("FEE", 1)), env=(("NEW_RELIC", "Aurora 100%"),))


def become(monkeypatch: pytest.MonkeyPatch, **project: object) -> None:
    monkeypatch.setattr(running, "_current", Running(platform=a_platform(), site=SITE, project=project))


def test_a_setting_without_a_placeholder_is_w034(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named, and one that the settings module states is not."""
    monkeypatch.setenv("NEW_RELIC", "Aurora 100%")
    become(monkeypatch, FEE=0)
    found = check_declared(None)
    assert ids_of(found) == ["W034"]
    assert "STRIPE_KEY" in found[0].msg
    assert "FEE" not in found[0].msg
    become(monkeypatch, FEE=0, STRIPE_KEY="")
    assert check_declared(None) == []


@pytest.mark.parametrize("value", [None, "aurora"])
def test_a_variable_that_is_missing_or_another_is_w035(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    """A container whose own definition lacks it is found; values are not shown."""
    monkeypatch.setattr(os, "environ", {} if value is None else {"NEW_RELIC": value})
    become(monkeypatch, FEE=0, STRIPE_KEY="")
    found = check_declared(None)
    assert ids_of(found) == ["W035"]
    assert "Aurora" not in found[0].msg


def test_nothing_is_said_without_a_site(serve: Serve) -> None:
    """Build mode has neither, and does not need to."""
    serve(None)
    assert check_declared(None) == []


def test_no_setting_of_django_can_be_declared() -> None:
    """Every setting of the installed version is refused as a name of the project's own."""
    accepted = []
    for name in filter(str.isupper, dir(global_settings)):
        try:
            accepted.append(parse_setting_name(name))
        except ValueError:
            continue
    assert accepted == []
