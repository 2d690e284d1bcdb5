"""The rules of a site's user on a shared Redis, as the documentation has them."""

from __future__ import annotations

import re
from pathlib import Path

from wagtail_multihost.spec.redis_rules import SITE_COMMANDS, site_rules

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "redis-users.acl"
# A literal, so that a command that is added to the list is added here too, with a look at what it does.
ACCEPTED = (
    "ping select client|setname get mget set del exists incrby ttl pttl expire pexpire expireat pexpireat persist"
)


def test_example_of_users_has_the_rules_of_the_package() -> None:
    """The documentation's file of users is what the package says, user by user, and nobody else may log in."""
    lines = EXAMPLE.read_text().splitlines()
    expected = [
        f"user {site} {site_rules(f'aviary.{site}')} >replace-this-password-{number}"
        for number, site in enumerate(("aurora", "borealis"), start=1)
    ]
    assert lines == ["user default off", *expected]


def test_rules_name_commands_one_by_one() -> None:
    """No category, which would bring commands that nobody looked at; no channel; the site's keys alone."""
    assert tuple(ACCEPTED.split()) == SITE_COMMANDS
    assert site_rules("a.b").split() == [
        *("reset", "on", "resetchannels", "~a.b:*", "~a.b.*"),
        *(f"+{command}" for command in ACCEPTED.split()),
    ]


def test_no_page_gives_a_site_a_category() -> None:
    """No page tells an operator to allow whole categories of Redis commands."""
    pages = [*ROOT.glob("docs/**/*.md"), *ROOT.glob("docs/examples/*"), ROOT / "README.md"]
    found = [page.name for page in pages if page.is_file() and re.search(r"(?<!-)\+@[a-z]+", page.read_text())]
    assert found == []
