"""What of a site's output is passed on, letter by letter."""

from __future__ import annotations

import pytest

from wagtail_multihost.launch.letters import CSI, Filter, Lines, Raw, Screen

ESC = "\x1b"
#: Sequences that are passed on as they are.
ACCEPTED = [
    *(f"{ESC}[{final}" for final in "@ABCDEFGHJKLMPSTXdfmr"),
    *(f"{ESC}[12;3{final}" for final in "@ABCDEFGHJKLMPSTXdfmr"),
    f"{ESC}[{'1;' * 20}m",
    f"{ESC}[38:5:1m",
    *(f"{ESC}[?{mode}{final}" for mode in (1, 7, 12, 25, 47, 1047, 1048, 1049, 2004) for final in "hl"),
    *(f"{ESC}{rest}" for rest in ("7", "8", "D", "E", "M", "=", ">", "(B", "(0", ")B", ")0")),
]
#: Sequences of which nothing is left.
LEFT_OUT = [
    *(f"{ESC}[{final}" for final in "IOQNRUVWYZ`abceghijklnopqstuvwxyz{|}~"),
    f"{ESC}[?6n",
    f"{ESC}[?1m",
    f"{ESC}[>c",
    f"{ESC}[ q",
    f"{ESC}[1$r",
    f"{ESC}[!p",
    f"{ESC}[4h",
    f"{ESC}[20l",
    f"{ESC}[?25$p",
    *(f"{ESC}[?{mode}h" for mode in (2, 3, 9, 1000, 1004, 1006, 2026)),
    f"{ESC}[?7;25h",
    f"{ESC}[?77h",
    f"{ESC}[{'1' * 41}m",
    f"{ESC}[{'1' * 64}m",
    f"{ESC}[{'1' * 64}    m",
    *(f"{ESC}{rest}" for rest in ("c", "H", "N", "O", "Z", "(A", "(1", " F", "#8", "%G", "/A", "n", "0", "~")),
    *(f"{ESC}{kind}text{end}" for kind in "PX]^_" for end in ("\x07", f"{ESC}\\", "\x9c")),
    f"{ESC}]0;a title\x07",
    f"{ESC}]52;c;aWQ=\x07",
    f"{ESC}]8;;http://x\nmore\x07",
]


def shown(letters: Filter, *parts: str | bytes) -> str:
    """Return what is passed on of the parts, one after the other."""
    return b"".join(letters.feed(part if isinstance(part, bytes) else part.encode()) for part in parts).decode()


@pytest.mark.parametrize("sequence", ACCEPTED)
def test_sequence_that_only_draws_reaches_the_terminal(sequence: str) -> None:
    """Colours, moves of the cursor and modes that report nothing pass, whole and in any parts."""
    assert shown(Screen(), f"a{sequence}b") == f"a{sequence}b"
    assert shown(Screen(), *f"a{sequence}b") == f"a{sequence}b"


@pytest.mark.parametrize("sequence", LEFT_OUT)
def test_sequence_that_does_more_is_left_out(sequence: str) -> None:
    """What makes a terminal answer, act or reset leaves nothing, whole and in any parts; the text around stays."""
    assert shown(Screen(), f"a{sequence}b") == "ab"
    assert shown(Screen(), *f"a{sequence}b") == "ab"


@pytest.mark.parametrize(
    ("sequence", "is_accepted"),
    [("\x1b[31m", True), ("\x1b[?25h", True), ("\x1b[c", False), ("\x1b[1$m", False), ("\x1b[4h", False)],
)
def test_judgement_of_a_sequence_is_yes_or_no(sequence: str, is_accepted: bool) -> None:
    """A sequence is accepted or not."""
    found = CSI.fullmatch(sequence)
    assert found and Screen().is_accepted(found) is is_accepted


@pytest.mark.parametrize(
    ("text", "passed"),
    [
        (f"{ESC}[{'1' * 65}m", f"[{'1' * 65}m"),
        (f"{ESC}[1     m", "[1     m"),
        (f"{ESC}[1\x01m", "[1\\x01m"),
        (f"{ESC}\x01x", "\\x01x"),
        (f"{ESC}{ESC}[31mx", f"{ESC}[31mx"),
        (f"{ESC}[{ESC}[31mx", f"[{ESC}[31mx"),
        (f"{ESC}é", "é"),
    ],
)
def test_what_is_no_sequence_loses_its_escape(text: str, passed: str) -> None:
    """An escape that begins nothing is left out, and what follows is text."""
    assert shown(Screen(), text) == passed


@pytest.mark.parametrize(("digits", "passed"), [(69, ""), (70, f"[{'1' * 70}")])
def test_sequence_that_never_ends_is_not_kept(digits: int, passed: str) -> None:
    """What may become a sequence waits for the rest of it, up to the length of the longest that there is."""
    screen = Screen()
    assert shown(screen, f"{ESC}[{'1' * digits}") == passed
    assert len(screen.rest) == (0 if passed else digits + 2)


def test_text_waits_for_nothing_but_a_sequence() -> None:
    """What is begun is kept, and text is passed on at once."""
    screen = Screen()
    assert [shown(screen, part) for part in ("ab", f"c{ESC}", "[3", "1", "md", f"e{ESC}[", "Hf")] == [
        "ab",
        "c",
        "",
        "",
        f"{ESC}[31md",
        "e",
        f"{ESC}[Hf",
    ]


@pytest.mark.parametrize("kind", "PX]^_")
def test_string_of_a_terminal_lasts_until_its_end(kind: str) -> None:
    """A string in parts, and one whose end is in two parts, is left out, with sequences in it; then text goes on."""
    screen = Screen()
    parts = (f"a{ESC}", f"{kind}0;t", "itle", f"{ESC}[31m", ESC, "[6n", ESC, "\\b", "c")
    assert [shown(screen, part) for part in parts] == ["a", "", "", "", "", "", "", "b", "c"]


@pytest.mark.parametrize(
    ("parts", "passed"),
    [
        ([f"{ESC}]0;a", "\\b", "\x07c"], "c"),
        ([f"ab\x07{ESC}]0;t\x07c"], "ab\x07c"),
        ([f"{ESC}]\x07c"], "c"),
        ([f"{ESC}]0;t\x07{ESC}[31mc"], f"{ESC}[31mc"),
        ([f"{ESC}]0;t{ESC}", f"{ESC}\\c"], "c"),
    ],
)
def test_string_of_a_terminal_ends_at_its_own_end(parts: list[str], passed: str) -> None:
    """A part's first letter is no second half of an end, and an end before the string is none of it."""
    assert shown(Screen(), *parts) == passed


def test_letters_of_several_bytes_may_come_in_parts() -> None:
    """A letter is passed on when it is whole; bytes that are none are shown."""
    for letters in (Screen(), Lines()):
        assert [shown(letters, part) for part in (b"\xe5\x8c", b"\x97\xff", b"x")] == ["", "北\\xff", "x"]


@pytest.mark.parametrize("letter", "\n\r\t\b\x07")
def test_terminal_gets_the_controls_of_plain_text(letter: str) -> None:
    """Line ends, blanks, steps back and the bell pass at a terminal."""
    assert shown(Screen(), f"a{letter}b") == f"a{letter}b"


@pytest.mark.parametrize("letter", "\x00\x05\x0b\x0c\x0e\x0f\x11\x13\x7f\x84\x9b\x9d\u202e\u200b")
def test_other_controls_are_shown_escaped(letter: str) -> None:
    """Neither at a terminal nor in a file is a control character passed on as itself."""
    escaped = letter.encode("unicode_escape").decode()
    assert shown(Screen(), f"a{letter}b") == shown(Lines(), f"a{letter}b") == f"a{escaped}b"


@pytest.mark.parametrize("mode", ["1", "12", "47", "1047", "1048", "1049", "2004"])
def test_modes_that_were_set_are_taken_back(mode: str) -> None:
    """At the end each mode that is set still is reset; those that were reset, and the usual ones, are not repeated."""
    usual = Screen().end().decode()
    screen = Screen()
    shown(screen, f"{ESC}[?{mode}h{ESC}[?25h{ESC}[?7h")
    assert screen.end().decode() == f"{ESC}[?{mode}l{usual}"
    shown(screen, f"{ESC}[?{mode}l{ESC}[?25l")
    assert screen.end().decode() == usual


def test_modes_are_taken_back_one_by_one() -> None:
    """Several modes are each reset, in one order whatever set them."""
    screen = Screen()
    shown(screen, f"{ESC}[?2004h{ESC}[?1h{ESC}[?1h")
    assert screen.end().decode().startswith(f"{ESC}[?1l{ESC}[?2004l{ESC}[0m")


def test_terminal_is_reset_at_the_end() -> None:
    """Colours, letters, keys, scrolling lines, wrapping and the cursor are the usual ones again, in this order."""
    reset = "\x1b[0m\x1b(B\x1b>\x1b7\x1b[r\x1b8\x1b[?7h\x1b[?25h"
    assert Screen().end().decode() == reset


@pytest.mark.parametrize(
    ("parts", "passed"),
    [
        (["a\r\nb\r\n"], "a\r\nb\r\n"),
        (["a\r", "\nb"], "a\r\nb"),
        (["a\rb"], "a\\rb"),
        (["a\r", "b"], "a\\rb"),
        (["a\r"], "a"),
        (["a\r\r\nb"], "a\\r\r\nb"),
        (["\ta\n"], "\ta\n"),
        ([f"{ESC}[31m"], "\\x1b[31m"),
        (["\x07\b"], "\\x07\\x08"),
    ],
)
def test_lines_keep_their_ends(parts: list[str], passed: str) -> None:
    """Line ends of both kinds are kept, also in parts; a return that ends no line is shown, lest it hide the line."""
    assert shown(Lines(), *parts) == passed


@pytest.mark.parametrize(
    ("given", "left"), [(b"a\r", b"\\r"), (b"a\xe5", b"\\xe5"), (b"a", b""), (b"a\r\xe5", b"\\r\\xe5")]
)
def test_what_was_kept_of_lines_is_shown_at_the_end(given: bytes, left: bytes) -> None:
    """A last return, or a letter that never became whole, is not lost."""
    lines = Lines()
    lines.feed(given)
    assert lines.end() == left


def test_raw_output_is_left_as_it_is() -> None:
    """Every byte is passed on, and nothing is added."""
    assert (Raw().feed(b"\x1b]0;t\x07\xff\r"), Raw().end()) == (b"\x1b]0;t\x07\xff\r", b"")
