"""Everything that is hosted together."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from uuid import NAMESPACE_URL, UUID, uuid5

from wagtail_multihost.exceptions import Problem, SecretUnreadableError
from wagtail_multihost.spec.identifiers import parse_platform_name, shown
from wagtail_multihost.spec.keys import PLATFORM_KEY_LENGTH
from wagtail_multihost.spec.names import BUCKET_PREFIXES
from wagtail_multihost.spec.secret import Secret
from wagtail_multihost.spec.server import NginxOptions, UwsgiOptions
from wagtail_multihost.spec.validation import parse_path, problem_of, refuse

ORIGIN = re.compile(r"https?://\{hostname\}(?::([0-9]{1,5}))?")
HEADER = re.compile(r"HTTP_[A-Z0-9_]+")
SLUG_PREFIXES = tuple(prefix.rstrip("-") for prefix in BUCKET_PREFIXES)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformSpec:
    """
    A platform: its ``name`` and ``environment`` (``production`` refuses sites that are not pinned),
    ``data`` (the folder of local databases and files), ``sockets`` (the folder of unix sockets),
    ``origin`` (how visitors reach a hostname), ``secret_key`` (at least 32 characters; every site's key
    derives from it) and ``secure_proxy_ssl_header`` (Django's setting, for a proxy that ends TLS).
    ``secret_key`` is None where it was not read; ``sources`` says where each key was read.
    """

    name: str
    data: Path
    environment: str = "development"
    sockets: Path = Path("/run/multihost")
    origin: str = "https://{hostname}"
    secret_key: Secret | None = None
    secure_proxy_ssl_header: tuple[str, str] | None = None
    nginx: NginxOptions = field(default_factory=NginxOptions)
    uwsgi: UwsgiOptions = field(default_factory=UwsgiOptions)
    sources: dict[str, str] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        refuse(platform_problems(self))

    @property
    def scheme(self) -> str:
        """``http`` or ``https``, as visitors use it."""
        return self.origin.partition(":")[0]

    def origin_of(self, hostname: str, *, has_tls: bool = False) -> str:
        """
        Return the origin of ``hostname``, such as ``https://aurora.example.org``. A hostname that the front
        server has a certificate for (``has_tls``) is on https, whatever the platform's origin says.
        """
        if has_tls and self.scheme == "http":
            return f"https://{hostname}"
        return self.origin.format(hostname=hostname)

    def local_path(self, site: str, name: str) -> Path:
        """Return the path of ``name`` in the folder of the site id ``site``."""
        return Path(self.data, "sites", site, name)

    def uid_of(self, site: str) -> UUID:
        """Return the UUIDv5 of the site id ``site``: its uid unless the registry pins one."""
        return uuid5(uid_namespace(self.name), site)


@cache
def uid_namespace(platform: str) -> UUID:
    return uuid5(NAMESPACE_URL, f"wagtail-multihost:{platform}")


def check_key(key: Secret) -> Secret:
    """Return the platform's key when it can be read and is long enough."""
    try:
        length = len(key.reveal())
    except SecretUnreadableError as error:
        raise ValueError(str(error)) from None
    if length < PLATFORM_KEY_LENGTH:
        raise ValueError(f"The platform's key is too short: at least {PLATFORM_KEY_LENGTH} characters.")
    return key


def platform_problems(platform: PlatformSpec) -> Iterator[Problem]:
    yield from problem_of("name", parse_platform_name, platform.name)
    if platform.name == "xn" or platform.name.startswith(SLUG_PREFIXES[1:]):
        yield Problem("name", f"The platform name {shown(platform.name)} starts bucket names that S3 reserves.")
    yield from problem_of("environment", parse_platform_name, platform.environment)
    yield from problem_of("data", parse_path, platform.data)
    yield from problem_of("sockets", parse_path, platform.sockets)
    if ":" in str(platform.sockets):
        yield Problem("sockets", "The folder of sockets is not accepted: a colon in an address comes before a port.")
    match = ORIGIN.fullmatch(platform.origin)
    if not match or (match[1] and not 1 <= int(match[1]) <= 65535):
        yield Problem("origin", f"The origin {shown(platform.origin)} is not accepted: write https://{{hostname}}.")
    if platform.secret_key is not None:
        yield from problem_of("secret_key", check_key, platform.secret_key)
    header = platform.secure_proxy_ssl_header
    if header is not None and (len(header) != 2 or not HEADER.fullmatch(header[0]) or not header[1].isalnum()):
        yield Problem("secure_proxy_ssl_header", 'Write it as Django does: ["HTTP_X_FORWARDED_PROTO", "https"].')
