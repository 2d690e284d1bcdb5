"""
What a monitor concludes of a hostname, in the closed lists of words that monitors report, the database stores and the
dashboard shows, and the buckets in which latencies are counted. No word or number in them is a site's own.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

#: The place of the monitor that asks through the public front; every other place is the id of a node.
OUTSIDE = "outside"

#: ``wrong-site``: another site of the platform answers, as its signature proves. ``unknown``: nobody could look.
UP, DOWN, WRONG_SITE = "up", "down", "wrong-site"
MAINTENANCE, SUSPENDED, UNKNOWN = "maintenance", "suspended", "unknown"
STATES = (UP, DOWN, WRONG_SITE, MAINTENANCE, SUSPENDED, UNKNOWN)
#: Those that are somebody's to repair. They are concluded of several probes that agree.
BAD = frozenset({DOWN, WRONG_SITE})

#: Why, where there is something to say.
REFUSED, TIMEOUT, DNS, TLS, RESET = "refused", "timeout", "dns", "tls", "reset"
CERTIFICATE_EXPIRED, CERTIFICATE_NAME = "certificate-expired", "certificate-name"
STATUS, NOT_READY, NO_PROOF, WRONG_PROOF = "status", "not-ready", "no-proof", "wrong-proof"
TOO_LARGE, REDIRECT, CONTENT = "too-large", "redirect", "content"
#: Each with what is told of it. A site without a probe key is ``up`` with the reason ``no-proof``.
REASONS = {
    "": "",
    REFUSED: "The connection was refused.",
    TIMEOUT: "There was no whole answer in time.",
    DNS: "The name does not resolve to an address that may be asked.",
    TLS: "No encrypted connection came about.",
    CERTIFICATE_EXPIRED: "The certificate has expired, or is not valid yet.",
    CERTIFICATE_NAME: "The certificate is another name's.",
    STATUS: "The status is another than the expected one.",
    NOT_READY: "The site says itself that it is not ready.",
    NO_PROOF: "The answer does not prove whose it is.",
    WRONG_PROOF: "The answer's proof is of none of the platform's sites.",
    TOO_LARGE: "The answer is larger than a monitor reads.",
    REDIRECT: "The answer is a redirect to somewhere else.",
    CONTENT: "The page does not have the text that it must have.",
    RESET: "The connection ended before a whole answer, or the answer was no HTTP.",
}

#: How many probes in a row must agree before a hostname counts as bad; one is enough for it to be good again.
AGREEING = 2

#: Upper bounds, in milliseconds, of the buckets in which latencies are counted; the last bucket has what is above.
#: 700 is the budget of a site that states none.
LATENCY_BOUNDS = (10, 20, 50, 100, 200, 400, 700, 1000, 2000, 5000)
LATENCY_BUDGET = 700
BUCKETS = len(LATENCY_BOUNDS) + 1


def bucket_of(milliseconds: float) -> int:
    """Return the index of the bucket that a latency is counted in."""
    return bisect_left(LATENCY_BOUNDS, milliseconds)


def find_quantile(counts: Sequence[int], share: float) -> float | None:
    """
    Return the latency in milliseconds that a ``share`` of those counted do not exceed, in a straight line through its
    bucket; None if there are none. Of the last bucket only its lower bound is known.
    """
    wanted, before = sum(counts) * share, 0
    for index, count in enumerate(counts):
        if count and before + count >= wanted:
            lower = LATENCY_BOUNDS[index - 1] if index else 0
            upper = LATENCY_BOUNDS[index] if index < len(LATENCY_BOUNDS) else lower
            return lower + (upper - lower) * max(0.0, wanted - before) / count
        before += count
    return None
