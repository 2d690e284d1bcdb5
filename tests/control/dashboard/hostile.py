"""Text of a hostile site, node or server: for a browser, for a terminal it is copied to, and for who reads it."""

from __future__ import annotations

import re

#: Runs if it is not escaped, in a text as well as in an attribute, and in a template.
SCRIPT = "'\"></pre><img src=x onerror=window.pwned=1><svg onload=window.pwned=1>{{ 7|add:7 }}"
#: Sets a terminal's title, clears it, and writes backwards and with letters that have no width.
TERMINAL = "\x1b]0;evil\x07\x1b[2J\x9b31m\u202egnp.exe\u2066\u200b\u2028next\rline"
HOSTILE = f"{SCRIPT}{TERMINAL}"
#: What no page may have of it, whatever is shown.
UNSHOWN = ("<img src=x", "<svg onload", "\x1b", "\x07", "\x9b", "\u202e", "\u2066", "\u200b", "\u2028", "add:7 }}14")


def found_in(text: str) -> list[str]:
    """Return what of a hostile text is in a page as it was sent."""
    return [one for one in UNSHOWN if one in text]


def shown_hostility(text: str) -> list[str]:
    """Return the same without the values of fields, which a browser shows as they were entered."""
    return found_in(re.sub('value="[^"]*"', "", text))
