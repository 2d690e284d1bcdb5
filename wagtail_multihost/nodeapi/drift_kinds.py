"""How something on a node differs from what was left there, in the words that nodes report and control reads."""

from __future__ import annotations

import re

#: A file can be missing, edited by hand, changed otherwise, or somebody else's; what no record has is unlisted.
MISSING, EDITED, CHANGED, FOREIGN, UNLISTED, MODE = "missing", "edited", "changed", "foreign", "unlisted", "mode"
ACCOUNT, SILENT, SERVING, GENERATION = "account", "silent", "serving", "generation"
OF_FILES = (MISSING, EDITED, CHANGED, FOREIGN, UNLISTED, MODE)
#: What the list of differences follows in the condition.
START = " since the start: "
#: Where a difference begins, in what follows that.
KIND = re.compile(rf"(?:^|; )({'|'.join((*OF_FILES, ACCOUNT, SILENT, SERVING, GENERATION))}) ")


def kinds_in(message: str) -> frozenset[str]:
    """Return the kinds that the message of a condition Drift names; none of one that is not understood."""
    return frozenset(KIND.findall(message.partition(START)[2]))
