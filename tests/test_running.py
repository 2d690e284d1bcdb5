"""Who a process is, and what starts afresh when it becomes another one."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import wagtail_multihost
from tests.spec.samples import PLATFORM_KEY, a_platform, a_site
from wagtail_multihost import running
from wagtail_multihost.running import (
    Running,
    current,
    own_id,
    own_site,
    register_reset,
    registered_site,
    set_running,
)

AURORA = Running(platform=a_platform(), site=a_site())
BOREALIS = Running(platform=a_platform(), site=a_site(id="borealis"))


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_current", None)
    monkeypatch.setattr(running, "_resets", {})


def test_process_is_what_it_became_last() -> None:
    """Before that it is nobody, and without a site it has neither a name nor a place."""
    assert (current(), own_site(), own_id(), registered_site()) == (None, None, "", None)
    set_running(Running())
    assert (current(), own_site(), own_id(), registered_site()) == (Running(), None, "", None)
    set_running(AURORA)
    assert current() is AURORA
    assert (own_site(), own_id(), registered_site()) == (AURORA.site, "aurora", (AURORA.platform, AURORA.site))


def test_site_of_a_test_run_is_in_no_registry() -> None:
    """It is the process's own all the same."""
    set_running(Running(platform=a_platform(), site=a_site(), ephemeral=True))
    assert (own_id(), registered_site()) == ("aurora", None)


@pytest.mark.parametrize("half", [Running(platform=a_platform()), Running(site=a_site())])
def test_site_of_a_registry_has_a_platform(half: Running) -> None:
    """One without the other is none."""
    set_running(half)
    assert registered_site() is None


def test_what_a_process_is_prints_no_secret() -> None:
    """Neither the values that were applied nor the project's are shown."""
    made = Running(platform=a_platform(), project={"A": "hidden"}, values={"SECRET_KEY": "hidden"})
    assert "hidden" not in repr(made) and PLATFORM_KEY not in repr(made) and "aviary" in repr(made)


def test_resets_are_called_once_a_change_in_the_order_of_their_registration() -> None:
    """Not for the first, nor where the same site is applied again; the new one is known by then."""
    called: list[tuple[str, str]] = []

    @register_reset
    def first() -> None:
        called.append(("first", own_id()))

    second = register_reset(lambda: called.append(("second", own_id())))
    assert register_reset(first) is first
    set_running(AURORA)
    set_running(Running(platform=a_platform(), site=a_site(), values={"OTHER": 1}))
    assert called == []
    set_running(BOREALIS)
    assert called == [("first", "borealis"), ("second", "borealis")]
    register_reset(second)
    set_running(Running())
    assert called[2:] == [("first", ""), ("second", "")]


def test_error_of_a_reset_keeps_no_other_from_being_called() -> None:
    """It is raised at the end, and several are raised together."""
    called: list[str] = []

    def fail(error: Exception) -> None:
        raise error

    register_reset(lambda: fail(KeyError("a")))
    register_reset(lambda: called.append("after"))
    set_running(AURORA)
    with pytest.raises(KeyError, match="a"):
        set_running(BOREALIS)
    assert called == ["after"] and current() is BOREALIS
    register_reset(lambda: fail(OSError("b")))
    with pytest.raises(ExceptionGroup) as caught:
        set_running(AURORA)
    assert [type(error) for error in caught.value.exceptions] == [KeyError, OSError]
    assert called == ["after", "after"]


def test_command_line_is_read_in_one_place() -> None:
    """What a process does is decided by what it was started for; three commands read their own words."""
    package = Path(wagtail_multihost.__file__).parent
    readers = {
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if "templates" not in path.parts and reads_command_line(path)
    }
    own = {"health/command.py", "management/as_site.py", "operations/courier/command.py"}
    assert readers == {*own, "resolver/starting.py"}


def reads_command_line(path: Path) -> bool:
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return any(isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.argv" for node in nodes)
