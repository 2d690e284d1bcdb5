"""Pages that browsers load again by themselves, until the person who looks at them pauses that."""

from __future__ import annotations

SECONDS = 15
#: The query of a page that is paused. A header does what a script would do, whatever policy the page has.
PAUSED = "refresh=off"
HEADERS = (("Refresh", str(SECONDS)),)
