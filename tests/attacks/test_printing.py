"""Text that a site wrote, on root's terminal."""

from __future__ import annotations

import io
from unittest.mock import Mock

import pytest
from django.core.management.base import OutputWrapper

from wagtail_multihost.identity.comparison import FoundIdentity
from wagtail_multihost.identity.wagtail_site import SiteRow
from wagtail_multihost.management.command import Printed
from wagtail_multihost.node.change_command import print_differences
from wagtail_multihost.node.patches import Difference
from wagtail_multihost.spec.printing import escape_unprintable, one_line

HOSTILE = ["\x1b]0;title\x07", "\x9b6n", "\u202etxt.exe", "a\rforged", "a\u2028b", "\x08\x08", "\u200b"]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_that_steers_a_terminal_is_printed(text: str) -> None:
    """Streams of our commands, values on one line, rows and identities of a site's database."""
    stream = io.StringIO()
    Printed(OutputWrapper(stream)).write(f"{text}\n")  # type: ignore[arg-type]  # a stream is a stream
    shown = [
        stream.getvalue().removesuffix("\n"),
        escape_unprintable(text),
        one_line(text),
        SiteRow(1, text, 80, True).address,
    ]
    shown.append(str(FoundIdentity(text, text, text, text, "", text)))  # type: ignore[arg-type]  # SQLite keeps any value
    assert all(line.isprintable() and "\\" in line for line in shown), shown


def test_a_value_forges_no_line() -> None:
    """A hostname of several lines stays on one."""
    assert one_line("a\nDone.") == "a Done." and "\n" not in SiteRow(1, "a\nDone.", 80, True).address


def test_other_languages_are_left_as_they_are() -> None:
    """Letters, blanks of other widths and line ends are what they are."""
    assert escape_unprintable("Größe\u00a0:\t北京\n") == "Größe\u00a0:\t北京\n"


def test_key_of_a_record_forges_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    """The database states it, and root compares it with what was changed on a node."""
    changer = Mock(changes={"aurora": None}, differences=lambda _: [Difference("labels.\x1b[2J\nborealis", "x", None)])
    print_differences(changer, "aurora", as_json=False)
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert said.splitlines() == [said.strip()]
