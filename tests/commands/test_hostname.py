"""multihost_hostname: Wagtail's default Site row gets the hostname and port of the site's record."""

from __future__ import annotations

import io
import json

import pytest
from django.core.management import CommandError, call_command
from wagtail.models import Site

from tests.identity.conftest import Become, become  # noqa: F401  # a fixture

pytestmark = pytest.mark.django_db


def run(*words: str) -> tuple[int, str]:
    """Return the exit code of multihost_hostname and what it prints."""
    out = io.StringIO()
    try:
        call_command("multihost_hostname", *words, stdout=out, stderr=out)
    except CommandError as error:
        return error.returncode, out.getvalue() + str(error)
    return 0, out.getvalue()


def rows() -> set[tuple[str, int, bool]]:
    return set(Site.objects.values_list("hostname", "port", "is_default_site"))


def test_default_row_gets_the_canonical_hostname(become: Become) -> None:  # noqa: F811
    """The command changes the default row, keeps the others, and has nothing to do the second time."""
    become({"hostnames": ("new.example.org", "aurora.example.org")}, origin="http://{hostname}:8000")
    Site.objects.create(hostname="shop.example.org", root_page=Site.objects.get().root_page)
    code, text = run("aurora")
    assert (code, "localhost:80 becomes new.example.org:8000" in text) == (0, True)
    assert rows() == {("new.example.org", 8000, True), ("shop.example.org", 80, False)}
    assert run("aurora") == (0, "There is nothing to do.\n")


@pytest.mark.parametrize(("option", "code"), [("--check", 1), ("--dry-run", 0)])
def test_check_and_dry_run_change_nothing(become: Become, option: str, code: int) -> None:  # noqa: F811
    """Both say what would change; --check exits with 1 until it is done."""
    become()
    assert run("aurora", option)[0] == code
    assert rows() == {("localhost", 80, True)}
    run("aurora")
    assert run("aurora", option) == (0, "There is nothing to do.\n")


def test_changes_of_rows_are_json(become: Become) -> None:  # noqa: F811
    """The site, each change and whether it was made, in one document."""
    become()
    found = json.loads(run("aurora", "--json", "--dry-run")[1])
    assert (found["site"], found["done"], len(found["changes"])) == ("aurora", False, 1)
    assert json.loads(run("aurora", "--json")[1]) == {**found, "done": True}
    assert json.loads(run("aurora", "--json")[1])["changes"] == []


def test_rows_that_leave_no_choice_are_exit_code_2(become: Become) -> None:  # noqa: F811
    """Without a default row the command does nothing and says what to do in the admin."""
    become()
    Site.objects.update(is_default_site=False)
    assert run("aurora")[0] == 2
    assert rows() == {("localhost", 80, False)}


def test_other_site_is_refused(become: Become) -> None:  # noqa: F811
    """In the process of one site the command does nothing for another."""
    become()
    code, text = run("borealis")
    assert (code, "MULTIHOST_SITE" in text) == (2, True)
    assert rows() == {("localhost", 80, True)}


def test_process_of_no_site_is_not_replaced() -> None:
    """Called by other code with no site named, the command does not take that process's place."""
    code, text = run("aurora")
    assert (code, "MULTIHOST_SITE" in text) == (2, True)
    assert rows() == {("localhost", 80, True)}
