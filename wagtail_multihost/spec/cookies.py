"""Names of cookies that a site keeps from before it was one of the platform's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from wagtail_multihost.exceptions import Problem
from wagtail_multihost.spec.identifiers import DIGITS, WORD, is_made_of, shown
from wagtail_multihost.spec.kinds import Kind

if TYPE_CHECKING:
    from wagtail_multihost.spec.site import SiteSpec

COOKIE_LENGTH = 64
#: The keys of a site that name its cookies.
COOKIE_KEYS = ("session_cookie", "csrf_cookie", "language_cookie")
# A browser accepts a cookie whose name begins with one of them over https alone, and with the first from the host
# itself alone; in any case of letters
# (https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis#name-cookie-name-prefixes).
HOST_PREFIX = "__Host-"
SECURE_PREFIX = "__Secure-"
#: A two-letter domain whose second level is at most this long is taken for one like co.uk, which nobody owns.
SECOND_LEVEL_LENGTH = 3


def parse_cookie_name(value: str) -> str:
    """Return ``value`` when it is a cookie's name that every server's rules can have."""
    # RFC 6265 allows more signs, some of which mean something in patterns of front servers.
    if not is_made_of(value, WORD | DIGITS, "-.", COOKIE_LENGTH):
        raise ValueError(
            f"The cookie name {shown(value)} is not accepted: it must be 1 to {COOKIE_LENGTH} letters, digits, '_', "
            "'-' and '.', the first a letter, a digit or '_'."
        )
    return value


COOKIE = Kind(f"cookie name, at most {COOKIE_LENGTH} characters", str, parse_cookie_name)


def is_bound_to_host(name: str) -> bool:
    """Return whether browsers accept a cookie of this name from the host itself alone."""
    return name.lower().startswith(HOST_PREFIX.lower())


def needs_https(name: str) -> bool:
    """Return whether browsers accept a cookie of this name over https alone."""
    return name.lower().startswith((HOST_PREFIX.lower(), SECURE_PREFIX.lower()))


def own_cookies(site: SiteSpec) -> list[tuple[str, str]]:
    """Return the keys by which a site names its cookies, with the names."""
    return [(key, name) for key in COOKIE_KEYS if (name := getattr(site, key))]


def cookie_problems(site: SiteSpec) -> Iterator[Problem]:
    """Yield a problem for each cookie that has the name of another one of the site."""
    seen: dict[str, str] = {}
    for key, name in own_cookies(site):
        first = seen.setdefault(name, key)
        if first != key:
            yield Problem(key, f"The cookie name {shown(name)} is also that of {first}; each must have its own.")


def owned_domain(hostname: str) -> str:
    """Return the domain below which names of one owner are, as far as the name alone says."""
    labels = hostname.split(".")
    is_open = len(labels) > 2 and len(labels[-1]) == 2 and len(labels[-2]) <= SECOND_LEVEL_LENGTH
    return ".".join(labels[-3 if is_open else -2 :])
