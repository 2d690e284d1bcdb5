"""Filters for a site's output: no sequence passes that makes a terminal answer, type, or stay changed."""

from __future__ import annotations

import codecs
import re
from typing import Protocol

from wagtail_multihost.spec.printing import escape_unprintable

ENCODING = "utf-8"
# ECMA-48, and xterm's control sequences (https://invisible-island.net/xterm/ctlseqs/ctlseqs.html).
CSI = re.compile(r"\x1b\[(?P<parameters>[0-?]{0,64})(?P<middle>[ -/]{0,4})(?P<final>[@-~])")
STRING = re.compile(r"\x1b[PX\]^_]")
STRING_END = re.compile(r"\x07|\x1b\\|\x9c")
SHORT = re.compile(r"\x1b[ -/]?[0-~]")
LONGEST = 72
#: Colours, and moves of the cursor within the screen.
FINALS = frozenset("@ABCDEFGHJKLMPSTXdfmr")
NUMBERS = re.compile(r"[0-9;:]{0,40}")
#: Cursor keys, wrapping, cursor, alternate screen, bracketed paste. All others report something, or change keys.
MODE = re.compile(r"\?(1|7|12|25|47|1047|1048|1049|2004)")
SHORTS = frozenset(f"\x1b{rest}" for rest in ("7", "8", "D", "E", "M", "=", ">", "(B", "(0", ")B", ")0"))
KEPT = "\n\r\t\b\x07"
#: The whole screen scrolls again, and the cursor stays where it is.
RESET = "\x1b[0m\x1b(B\x1b>\x1b7\x1b[r\x1b8\x1b[?7h\x1b[?25h"


class Filter(Protocol):
    """Takes output as it arrives and returns what is passed on."""

    def feed(self, data: bytes) -> bytes:
        """Return what is passed on of ``data`` and of what was held back before."""

    def end(self) -> bytes:
        """Return what is passed on at the end."""


class Raw:
    """Passes everything on unchanged."""

    def feed(self, data: bytes) -> bytes:
        return data

    def end(self) -> bytes:
        return b""


def make_decoder() -> codecs.IncrementalDecoder:
    return codecs.getincrementaldecoder(ENCODING)("backslashreplace")


class Lines:
    """For output that does not go to a terminal: lines of text, with everything else escaped."""

    def __init__(self) -> None:
        self.decoder = make_decoder()
        self.rest = ""

    def feed(self, data: bytes, *, final: bool = False) -> bytes:
        text = self.rest + self.decoder.decode(data, final)
        self.rest = "\r" if text.endswith("\r") and not final else ""
        lines = text.removesuffix(self.rest).split("\r\n")
        return "\r\n".join(escape_unprintable(line) for line in lines).encode(ENCODING)

    def end(self) -> bytes:
        return self.feed(b"", final=True)


class Screen:
    """For a terminal: text, colours and cursor movement. Sequences that make a terminal answer or act are left out."""

    def __init__(self) -> None:
        self.decoder = make_decoder()
        self.rest = ""
        self.is_in_string = False
        self.modes: set[str] = set()

    def feed(self, data: bytes) -> bytes:
        text, self.rest = self.rest + self.decoder.decode(data), ""
        passed: list[str] = []
        position = 0
        while position < len(text):
            if self.is_in_string:
                position = self.after_string(text, position)
            elif text[position] == "\x1b":
                position = self.after_sequence(text, position, passed)
            else:
                end = text.find("\x1b", position)
                end = len(text) if end < 0 else end
                passed.append(escape_unprintable(text[position:end], kept=KEPT))
                position = end
        return "".join(passed).encode(ENCODING)

    def after_string(self, text: str, position: int) -> int:
        """Leave out a string that is addressed to the terminal, such as a title; return where the rest begins."""
        if found := STRING_END.search(text, position):
            self.is_in_string = False
            return found.end()
        self.rest = "\x1b" if text.endswith("\x1b") else ""
        return len(text)

    def after_sequence(self, text: str, position: int, passed: list[str]) -> int:
        """Pass on a sequence if it is accepted; return where the rest begins."""
        if begun := STRING.match(text, position):
            self.is_in_string = True
            return begun.end()
        found = CSI.match(text, position)
        if found is None and not text.startswith("\x1b[", position):
            found = SHORT.match(text, position)
        if found is None:
            if len(text) - position < LONGEST and may_continue(text[position:]):
                self.rest = text[position:]
                return len(text)
            return position + 1
        if self.is_accepted(found):
            passed.append(found[0])
        return found.end()

    def is_accepted(self, found: re.Match[str]) -> bool:
        if found.re is SHORT:
            return found[0] in SHORTS
        if found["middle"]:
            return False
        if found["final"] in "hl":
            return self.is_mode(found["parameters"], found["final"] == "h")
        return found["final"] in FINALS and NUMBERS.fullmatch(found["parameters"]) is not None

    def is_mode(self, parameters: str, is_on: bool) -> bool:
        if not MODE.fullmatch(parameters):
            return False
        self.modes.add(parameters) if is_on else self.modes.discard(parameters)
        return True

    def end(self) -> bytes:
        """Return what restores the terminal's colours, cursor, keys and screen."""
        off = "".join(f"\x1b[{mode}l" for mode in sorted(self.modes - {"?25", "?7"}))
        return f"{off}{RESET}".encode(ENCODING)


def may_continue(text: str) -> bool:
    """Return whether ``text`` may be the start of a sequence."""
    return re.fullmatch(r"\x1b(\[[0-?]*[ -/]*|[ -/]?)", text) is not None
