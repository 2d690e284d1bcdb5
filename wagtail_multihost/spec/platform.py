"""Everything that is hosted together."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, UUID, uuid5

from wagtail_multihost.exceptions import Problem, SecretUnreadableError
from wagtail_multihost.spec.frozen import Frozen, frozen
from wagtail_multihost.spec.identifiers import DIGITS, parse_platform_name, parse_slug, shown
from wagtail_multihost.spec.names import BUCKET_PREFIXES
from wagtail_multihost.spec.secret import Secret
from wagtail_multihost.spec.validation import parse_path, problem_of, refuse

if TYPE_CHECKING:
    from wagtail_multihost.spec.nginx import NginxOptions
    from wagtail_multihost.spec.systemd import SystemdOptions
    from wagtail_multihost.spec.uwsgi import UwsgiOptions

HEADER = r"HTTP_[A-Z0-9_]+"
#: Exact in every JSON reader.
HIGHEST_REVISION = 2**53
KEY_ID = r"[a-z0-9][a-z0-9-]{0,31}"
ACCOUNT = r"[a-z_][a-z0-9_-]{0,31}"
RUNNERS = ("uwsgi", "gunicorn")
PRODUCTION = "production"
NODE_LENGTH = 40
NODE_ADDRESS = r"(?:\[[0-9A-Fa-f:]+\]|[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?):[0-9]{1,5}"
SLUG_PREFIXES = tuple(prefix.rstrip("-") for prefix in BUCKET_PREFIXES)


@frozen
class PlatformSpec(Frozen):
    """
    A platform: its ``name`` and ``environment`` (``production`` refuses sites that are not pinned),
    ``data`` (the folder of local databases and files), ``sockets`` (the folder of unix sockets),
    ``origin`` (how visitors reach a hostname), ``secret_key`` (at least 32 characters; every site's key
    derives from it) and ``secure_proxy_ssl_header`` (Django's setting, for a proxy that ends TLS).
    ``secret_key`` is None where it was not read; ``sources`` says where each key was read.

    A keyring takes the place of ``secret_key`` while the key is changed: ``secret_keys`` are pairs of a key id
    and a key, ``key_id`` the one that sites use unless they state another. ``revision`` orders the states of
    a registry in time, 0 where that is not known. ``group`` is the group (``{site}`` in it) that reads a site's
    snapshot, ``media_group`` the one that reads its local uploads, for the front server. ``user`` is the account
    (``{site}`` in it) that a site's processes run as, blank where all sites have
    one; ``runner`` is the server that they are processes of. ``shares_registry`` says that sites' processes may read
    all of the registry, in production too. ``nodes`` are pairs of a name and the address (``10.0.0.5:8080``) of a
    machine that serves sites behind a front server; without them all is on one machine. ``nginx``, ``uwsgi`` and
    ``systemd`` are options of the emitters, None for their defaults. ``templates`` is a folder of templates that take
    the place of the emitters'; ``snapshots`` is the folder where sites' processes find their snapshots, None where they
    read the registry itself.
    """

    name: str
    data: Path
    environment: str = "development"
    sockets: Path = Path("/run/multihost")
    origin: str = "https://{hostname}"
    secret_key: Secret | None = None
    secret_keys: tuple[tuple[str, Secret], ...] = ()
    key_id: str = ""
    revision: int = 0
    group: str = ""
    media_group: str = ""
    user: str = ""
    runner: str = "uwsgi"
    shares_registry: bool = False
    templates: Path | None = None
    snapshots: Path | None = None
    secure_proxy_ssl_header: tuple[str, str] | None = None
    nodes: tuple[tuple[str, str], ...] = ()
    nginx: NginxOptions | None = None
    uwsgi: UwsgiOptions | None = None
    systemd: SystemdOptions | None = None
    sources: dict[str, str] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        refuse(platform_problems(self))

    @property
    def scheme(self) -> str:
        """``http`` or ``https``, as visitors use it."""
        return self.origin.partition(":")[0]

    @property
    def keyring(self) -> dict[str, Secret]:
        """The platform's keys by their ids; the only key of a platform without a keyring has a blank id."""
        if self.secret_keys:
            return dict(self.secret_keys)
        return {} if self.secret_key is None else {"": self.secret_key}

    def group_of(self, site: str) -> str:
        """Return the group that reads the snapshot of the site id ``site``; blank when none is stated."""
        return self.group.replace("{site}", site)

    def media_group_of(self, site: str) -> str:
        """Return the group that reads the local uploads of the site id ``site``; blank when none is stated."""
        return self.media_group.replace("{site}", site)

    def user_of(self, site: str) -> str:
        """Return the account that processes of the site id ``site`` run as; blank when none is stated."""
        return self.user.replace("{site}", site)

    @property
    def account(self) -> str:
        """What names the accounts of sites, with ``{site}`` in it or not: ``user``, or else that of the units."""
        return self.user or (self.systemd.user if self.systemd else "")

    def account_of(self, site: str) -> str:
        """Return the account of the site id ``site``, by whichever server it is served; blank when none is stated."""
        return self.account.replace("{site}", site)

    def own_group_of(self, site: str) -> str:
        """Return the group that only the site id ``site`` has; blank when none is stated."""
        return self.group_of(site) if "{site}" in self.group else ""

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
    from wagtail_multihost.spec.keys import PLATFORM_KEY_LENGTH  # loads only where the platform's key is

    try:
        length = len(key.reveal())
    except SecretUnreadableError as error:
        raise ValueError(str(error)) from None
    if length < PLATFORM_KEY_LENGTH:
        raise ValueError(f"The platform's key is too short: at least {PLATFORM_KEY_LENGTH} characters.")
    return key


def keyring_problems(platform: PlatformSpec) -> Iterator[Problem]:
    ids = [key_id for key_id, _ in platform.secret_keys]
    for key_id, key in platform.secret_keys:
        if not re.fullmatch(KEY_ID, key_id):
            yield Problem("secret_keys", f"The key id {shown(key_id)} must match {KEY_ID}.")
        yield from problem_of(f"secret_keys.{key_id}", check_key, key)
    if ids and platform.secret_key is not None:
        yield Problem("secret_key", "It stands beside secret_keys; give only one of the two.")
    if platform.key_id and platform.key_id not in ids:
        yield Problem("key_id", f"The key id {shown(platform.key_id)} is not one of the secret_keys.")
    if ids and not platform.key_id:
        yield Problem("key_id", "Name the one of the secret_keys that sites use.")


def parse_account(value: str, *, what: str) -> str:
    """Return ``value`` when it is the name of a user or a group, in which ``{site}`` may stand."""
    if not re.fullmatch(ACCOUNT, value.replace("{site}", "a")):
        raise ValueError(f"The {what} {shown(value)} is not accepted: it must be a {what}'s name, with {{site}} in it.")
    return value


def server_problems(platform: PlatformSpec) -> Iterator[Problem]:
    for key in ("templates", "snapshots"):
        if (folder := getattr(platform, key)) is not None:
            yield from problem_of(key, parse_path, folder)
    for key, what in (("group", "group"), ("media_group", "group"), ("user", "user")):
        if account := getattr(platform, key):
            yield from problem_of(key, parse_account, account, what=what)
    if platform.runner not in RUNNERS:
        yield Problem("runner", f"The runner {shown(platform.runner)} is not known; accepted: {', '.join(RUNNERS)}.")
    for name, address in platform.nodes:
        yield from problem_of("nodes", parse_slug, name, what="The node", length=NODE_LENGTH)
        if not re.fullmatch(NODE_ADDRESS, address):
            yield Problem(f"nodes.{name}", f"The address {shown(address)} is not accepted: write 10.0.0.5:8080.")


def is_origin(text: str) -> bool:
    """Return whether ``text`` is ``http://{hostname}`` or ``https://{hostname}``, with or without a port."""
    start, name, port = text.partition("{hostname}")
    digits = port.removeprefix(":")
    has_port = port != digits and DIGITS.issuperset(digits) and len(digits) <= 5 and 1 <= int(digits or 0) <= 65535
    return start in ("http://", "https://") and bool(name) and (not port or has_port)


def platform_problems(platform: PlatformSpec) -> Iterator[Problem]:
    yield from problem_of("name", parse_platform_name, platform.name)
    if platform.name == "xn" or platform.name.startswith(SLUG_PREFIXES[1:]):
        yield Problem("name", f"The platform name {shown(platform.name)} starts bucket names that S3 reserves.")
    yield from problem_of("environment", parse_platform_name, platform.environment)
    yield from problem_of("data", parse_path, platform.data)
    yield from problem_of("sockets", parse_path, platform.sockets)
    if ":" in str(platform.sockets):
        yield Problem("sockets", "The folder of sockets is not accepted: a colon in an address comes before a port.")
    if not is_origin(platform.origin):
        yield Problem("origin", f"The origin {shown(platform.origin)} is not accepted: write https://{{hostname}}.")
    if platform.secret_key is not None:
        yield from problem_of("secret_key", check_key, platform.secret_key)
    yield from keyring_problems(platform)
    if platform.revision < 0:
        yield Problem("revision", f"The revision {platform.revision} is not accepted: it must be 0 or more.")
    yield from server_problems(platform)
    header = platform.secure_proxy_ssl_header
    if header is not None and (len(header) != 2 or not re.fullmatch(HEADER, header[0]) or not header[1].isalnum()):
        yield Problem("secure_proxy_ssl_header", 'Write it as Django does: ["HTTP_X_FORWARDED_PROTO", "https"].')
