"""The cache in front of a site, which Wagtail tells about changed pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, TypeAlias, get_args

from wagtail_multihost.exceptions import Problem
from wagtail_multihost.spec.frozen import Frozen, frozen
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.secret import Secret
from wagtail_multihost.spec.validation import refuse

FrontendBackend: TypeAlias = Literal["http", "cloudflare", "cloudfront"]
FRONTEND_BACKENDS: tuple[FrontendBackend, ...] = get_args(FrontendBackend)
ZONE = re.compile(r"[A-Za-z0-9]{1,64}")
LOCATION = re.compile(r"https?://[A-Za-z0-9.\[\]:-]+/?")
FIELDS = {
    "http": ("location",),
    "cloudflare": ("zone", "token"),
    "cloudfront": ("zone", "access_key", "secret_key"),
}


@frozen
class FrontendCacheSpec(Frozen):
    """
    A cache that Wagtail purges: ``http`` (Varnish, Squid or nginx at ``location``), ``cloudflare`` (``zone`` and a
    ``token`` for it) or ``cloudfront`` (the distribution as ``zone``; ``access_key`` and ``secret_key``, or the role
    of the container or the machine).
    """

    backend: FrontendBackend
    location: str = ""
    zone: str = ""
    token: Secret | None = None
    access_key: Secret | None = None
    secret_key: Secret | None = None

    def __post_init__(self) -> None:
        refuse(frontend_problems(self))


def frontend_problems(frontend: FrontendCacheSpec) -> Iterator[Problem]:
    if frontend.backend not in FRONTEND_BACKENDS:
        accepted = ", ".join(FRONTEND_BACKENDS)
        yield Problem("backend", f"The backend {shown(frontend.backend)} is not known; accepted: {accepted}.")
        return
    for key in ("location", "zone", "token", "access_key", "secret_key"):
        if getattr(frontend, key) and key not in FIELDS[frontend.backend]:
            yield Problem(key, f"A frontend cache of the backend {frontend.backend} does not take it.")
    if frontend.backend == "http" and not LOCATION.fullmatch(frontend.location):
        yield Problem("location", "The location is not accepted: it must be http(s)://host:port, without credentials.")
    if frontend.backend != "http" and not ZONE.fullmatch(frontend.zone):
        yield Problem("zone", f"The zone {shown(frontend.zone)} is not accepted: it must be letters and digits.")
    if frontend.backend == "cloudflare" and frontend.token is None:
        yield Problem("token", "Cloudflare needs a token or a token_file.")
    if (frontend.access_key is None) != (frontend.secret_key is None):
        missing = "access_key" if frontend.access_key is None else "secret_key"
        yield Problem(missing, "An access key and a secret key belong together; give both or neither.")
