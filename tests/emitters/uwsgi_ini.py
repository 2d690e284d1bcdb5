"""The options of an ini file, as uWSGI reads it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator


def options_in(lines: Iterator[str]) -> list[tuple[str, str]]:
    """Return the options of an ini file's lines by uWSGI's rules: no quoting, comments at the start of a line only."""
    stripped = [line.strip(" \t\r") for line in lines]
    assert stripped[0] == "[uwsgi]"
    settings = [line for line in stripped[1:] if line and line[0] not in ";#"]
    assert not any(line.startswith("[") or "=" not in line for line in settings)
    return [(key.strip(" \t"), value.strip(" \t")) for key, _, value in (line.partition("=") for line in settings)]


def options_of(text: str) -> list[tuple[str, str]]:
    """Return the options of an emitted file."""
    # uWSGI expands a percent sign while it reads, and $(…) and @(…) afterwards: there must be none.
    # The format of the log has variables of its own, none of which is an option's name.
    expanded = re.sub("^log-format = .*", "", text, flags=re.MULTILINE)
    assert not any(magic in expanded for magic in ("%", "$(", "@("))
    return options_in(itertools.dropwhile(lambda line: line.startswith("#"), iter(text.split("\n"))))


def values_of(text: str, option: str) -> list[str]:
    """Return every value of an option of an emitted file."""
    return [value for key, value in options_of(text) if key == option]
