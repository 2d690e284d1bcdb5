"""The targets that multihost_emit and multihost_apply take."""

from __future__ import annotations

from argparse import ArgumentTypeError

import pytest

from wagtail_multihost.management.emitting import parse_target


@pytest.mark.parametrize("name", ["nginx", "uwsgi", "systemd"])
def test_target_is_found_by_its_name(name: str) -> None:
    """Each of the built-in ones is there."""
    assert parse_target(name).name == name


@pytest.mark.parametrize("name", ["", "apache"])
def test_target_that_is_none_is_told_with_those_that_are(name: str) -> None:
    """The sentence has what was given, and what is accepted."""
    with pytest.raises(ArgumentTypeError, match=r"There is no target .*Accepted: nginx, uwsgi, systemd"):
        parse_target(name)


@pytest.mark.parametrize(("name", "meant"), [("ngnix", "nginx"), ("NGINX", "nginx"), ("uswgi", "uwsgi")])
def test_misspelt_target_gets_a_suggestion(name: str, meant: str) -> None:
    """And no list."""
    with pytest.raises(ArgumentTypeError, match=rf"There is no target '{name}'\. Did you mean {meant}\?$"):
        parse_target(name)
