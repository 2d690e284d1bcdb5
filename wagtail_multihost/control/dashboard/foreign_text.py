"""
Text that a site, a node or a server of strangers wrote, as pages show it: short, on one line, and without what controls
a terminal or turns the direction of writing, since people copy it. The templates escape it for HTML.
"""

from __future__ import annotations

import re

from wagtail_multihost.spec.printing import one_line

LINE_LENGTH = 1500
#: What a choice says of a value that it does not have. Django's own words repeat it, and a link could have brought it.
NOT_OFFERED = {"invalid_choice": "It is none of those that are offered."}
#: A command of which a shell changes nothing.
PLAIN_COMMAND = re.compile(r"[A-Za-z0-9_./:=-]+( [A-Za-z0-9_./:=-]+)*")


def line_of(value: object, most: int = LINE_LENGTH) -> str:
    """Return text on one line, of at most so many characters as it is shown."""
    return one_line(str(value)[:most])[:most]


def can_be_pasted(command: str) -> bool:
    """Return whether a command does nothing else when it is pasted into a shell, whatever a name in it is."""
    return PLAIN_COMMAND.fullmatch(command) is not None
