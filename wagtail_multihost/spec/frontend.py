"""The cache in front of a site, which Wagtail tells about changed pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, TypeAlias, get_args

from wagtail_multihost.exceptions import Problem
from wagtail_multihost.spec.declared import declared_problems, key
from wagtail_multihost.spec.frozen import Frozen, frozen
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.kinds import SECRET, Kind, choice, integer
from wagtail_multihost.spec.secret import Secret
from wagtail_multihost.spec.storage import pair_problems
from wagtail_multihost.spec.validation import raise_problems

FrontendBackend: TypeAlias = Literal["http", "cloudflare", "cloudfront"]
ZONE_FORM = re.compile(r"[A-Za-z0-9]{1,64}")
MOST_SECONDS = 300
FRONTEND_SECONDS = 5  # whoever publishes a page waits for it
LOCATION_FORM = re.compile(r"https?://[A-Za-z0-9.\[\]:-]+/?")


def parse_zone(value: str) -> str:
    """Return ``value`` when it is 1 to 64 letters and digits."""
    if not ZONE_FORM.fullmatch(value):
        raise ValueError(f"The zone {shown(value)} is not accepted: it must be letters and digits.")
    return value


def parse_location(value: str) -> str:
    """Return ``value`` when it is a URL without credentials and a path; what is refused may have a password in it."""
    if not LOCATION_FORM.fullmatch(value):
        raise ValueError("The location is not accepted: it must be http(s)://host:port, without credentials.")
    return value


ZONE = Kind("letters and digits", str, parse_zone)
LOCATION = Kind("`http://host:port` or `https://host:port`", str, parse_location)


@frozen
class FrontendCacheSpec(Frozen):
    """
    A cache that Wagtail purges: ``http`` (Varnish, Squid or nginx at ``location``), ``cloudflare`` (``zone`` and a
    ``token`` for it) or ``cloudfront`` (the distribution as ``zone``; ``access_key`` and ``secret_key``, or the role
    of the container or the machine).
    """

    backend: FrontendBackend = key(
        choice(*get_args(FrontendBackend), what="backend"),
        "What the cache is; `http` is Varnish, Squid or nginx.",
        required=True,
        selects=True,
    )
    location: str = key(LOCATION, "The cache.", "", of=("http",), required=True)
    zone: str = key(ZONE, "The zone or the distribution.", "", of=("cloudflare", "cloudfront"), required=True, own=True)
    token: Secret | None = key(
        SECRET,
        "A token for the zone.",
        None,
        of=("cloudflare",),
        required=True,
        own=True,
        invalidates=(
            "Nothing that is stored. A page that is changed while no valid one is there stays old in that cache.",
        ),
    )
    access_key: Secret | None = key(
        SECRET,
        "The id of the credentials. Without them the role of the container or the machine is used.",
        None,
        of=("cloudfront",),
        own=True,
    )
    secret_key: Secret | None = key(
        SECRET,
        "The key of the credentials.",
        None,
        default_text="required with an access key",
        of=("cloudfront",),
        own=True,
        invalidates=(
            "Nothing that is stored. A page that is changed while no valid one is there stays old in that cache.",
        ),
    )

    timeout: int = key(
        integer(1, MOST_SECONDS, what="timeout", unit="seconds"),
        "How long the cache may be silent when it is told of changed pages.",
        FRONTEND_SECONDS,
    )

    def __post_init__(self) -> None:
        raise_problems(frontend_problems(self))


def frontend_problems(frontend: FrontendCacheSpec) -> Iterator[Problem]:
    yield from declared_problems(frontend)
    if frontend.backend == "cloudfront":
        yield from pair_problems(frontend.access_key, frontend.secret_key)
