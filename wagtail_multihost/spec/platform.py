"""The platform: everything that is hosted together."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, UUID, uuid5

from wagtail_multihost.exceptions import Problem
from wagtail_multihost.spec.declared import declared_problems, key
from wagtail_multihost.spec.frozen import Frozen, frozen
from wagtail_multihost.spec.identifiers import NODE_LENGTH, parse_codebase, parse_slug, shown
from wagtail_multihost.spec.kinds import DECLARATIONS, KEY_ID, SWITCH, TARGETS, choice, integer
from wagtail_multihost.spec.names import BUCKET_PREFIXES
from wagtail_multihost.spec.platform_kinds import (
    ACCOUNT,
    FOLDER,
    GROUP,
    HEADER_PAIR,
    KEYRING,
    NAME,
    NODES,
    ORIGIN,
    PLATFORM_KEY,
    SOCKETS,
    check_platform_key,
)
from wagtail_multihost.spec.secret import Secret
from wagtail_multihost.spec.type_words import WHOLE_NUMBER
from wagtail_multihost.spec.validation import problem_of, raise_problems

if TYPE_CHECKING:
    from wagtail_multihost.spec.options import Options, Overrides, Stated
    from wagtail_multihost.spec.project_settings import ProjectSettings
    from wagtail_multihost.spec.variables import Variables

#: The highest that is exact in every JSON reader.
HIGHEST_REVISION = 2**53
KEY_ID_FORM = r"[a-z0-9][a-z0-9-]{0,31}"
#: The names of :mod:`wagtail_multihost.spec.runner`, which no site's process loads.
RUNNER_NAMES = ("uwsgi", "gunicorn")
PRODUCTION = "production"
PORT = "(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
#: Python's and PostgreSQL's regular expressions alike.
NODE_ADDRESS = rf"(?:\[[0-9A-Fa-f:]+\]|[a-z0-9](?:[a-z0-9.-]{{0,251}}[a-z0-9])?):{PORT}"
SLUG_PREFIXES = tuple(prefix.rstrip("-") for prefix in BUCKET_PREFIXES)

OF_THE_PLATFORMS_KEY = (
    "For each site whose SECRET_KEY derives from it, all that a change of SECRET_KEY does: at once when the "
    "site moves to the new key, and the rest when the old key leaves the keyring.",
    "Nothing of sites with a secret_key of their own.",
)


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
    machine that serves sites behind a front server; without them all is on one machine. ``project_settings`` are pairs
    of a name and the declaration of a setting that is the project's own, ``env`` the same for environment variables of
    sites' processes. ``codebases`` are pairs of a name and what sites that state it run instead of the platform's
    code. ``options`` are those of emitters, where any are stated. ``templates`` is a folder of templates that take the
    place of the emitters'; ``snapshots`` is the folder where sites' processes find their snapshots, None where they
    read the registry itself.
    """

    name: str = key(NAME, "The platform's name. Derived names start with it.", required=True, front=True)
    environment: str = key(
        NAME,
        '`"production"` refuses sites that are not pinned, processes that can read more than their own site, and '
        'settings for development. A platform\'s key is made only in `"development"`.',
        "development",
        who="node",
    )
    data: Path = key(
        FOLDER,
        "The folder of local databases and files, and of the platform's key.",
        unless_stated="{base}/data",
        default_text='"data"',
        front=True,
        who="node",
    )
    sockets: Path = key(
        SOCKETS,
        "The folder of unix sockets. With the longest socket's name it has at most 102 bytes, and no colon.",
        Path("/run/multihost"),
        front=True,
        who="node",
    )
    origin: str = key(
        ORIGIN,
        "How visitors reach a hostname: `http` or `https`, and a port if there is one.",
        "https://{hostname}",
        front=True,
    )
    secret_key: Secret | None = key(
        PLATFORM_KEY,
        "Every site's key is derived from it.",
        None,
        default_text="made in `data/platform.key` in development",
        snapshot="refused",
        who="node",
        invalidates=OF_THE_PLATFORMS_KEY,
    )
    secret_keys: tuple[tuple[str, Secret], ...] = key(
        KEYRING,
        "A keyring instead of `secret_key`: `ID` or `ID_file` for each key. "
        "An id has letters a-z, digits and hyphens, at most 32.",
        (),
        snapshot="refused",
        who="node",
    )
    key_id: str = key(
        KEY_ID,
        "The one of the `secret_keys` that sites use.",
        "",
        default_text="required with `secret_keys`",
        snapshot="refused",
    )
    revision: int = key(
        integer(0, HIGHEST_REVISION, what="revision", reader="take_large_integer")._replace(
            label=f"{WHOLE_NUMBER}, 0 to 2^53"
        ),
        "Orders the states of the registry in time: raise it with every change. Machines and databases that have seen "
        "a higher one refuse older states.",
        0,
        unless_stated="{revision}",
        default_text="`0`: unknown",
        snapshot="left out",
    )
    group: str = key(
        GROUP,
        "The group that reads a site's snapshot; `{site}` in it stands for the site's id.",
        "",
        who="node",
    )
    media_group: str = key(
        GROUP,
        "The group that reads a site's local uploads, and nothing else of it, for the front server; "
        "`{site}` in it stands for the site's id.",
        "",
        who="node",
    )
    user: str = key(
        ACCOUNT,
        "The account that a site's processes run as; `{site}` in it stands for the site's id. "
        "Without one all sites share the account of their server.",
        "",
        snapshot="left out",
        who="node",
    )
    runner: str = key(
        choice(*RUNNER_NAMES, what="runner"),
        "The server that runs the sites: nginx speaks to it, and the units of the systemd emitter start it.",
        "uwsgi",
        snapshot="left out",
        front=True,
    )
    templates: Path | None = key(
        FOLDER,
        "A folder of your own templates, which replace the emitters' of the same name.",
        None,
        snapshot="left out",
        front=True,
        who="node",
    )
    snapshots: Path | None = key(
        FOLDER,
        "The folder that `multihost_snapshot` writes to: emitted files send sites' processes there.",
        None,
        snapshot="left out",
        who="node",
    )
    shares_registry: bool = key(
        SWITCH, "Whether sites' processes may read the whole registry, in production too.", False, who="node"
    )
    secure_proxy_ssl_header: tuple[str, str] | None = key(
        HEADER_PAIR,
        "Django's setting, for a proxy in front that ends TLS and always sets that header.",
        None,
        front=True,
    )
    nodes: tuple[tuple[str, str], ...] = key(
        NODES,
        "Machines that serve the sites behind a front server: a name and an address such as `10.0.0.5:8080` for each.",
        (),
        snapshot="left out",
        front=True,
    )
    project_settings: ProjectSettings = key(
        DECLARATIONS, "Settings of the project's own that each site has a value of, each declared under its name.", ()
    )
    env: Variables = key(
        DECLARATIONS,
        "Environment variables of sites' processes, each declared under its name.",
        (),
        who="node",
    )
    codebases: tuple[tuple[str, Overrides], ...] = key(
        DECLARATIONS,
        "Other code than the platform's, each under a name that a site's `codebase` may state.",
        (),
        snapshot="left out",
        who="node",
    )
    options: tuple[Options, ...] = key(
        TARGETS, "Options of the {target} emitter.", (), default_text="see there", snapshot="left out"
    )
    sources: dict[str, str] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        raise_problems(platform_problems(self))

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

    def options_of(self, kind: type[Stated]) -> Stated | None:
        """Return the options of the target that ``kind`` declares; None where the platform states none."""
        for options in self.options:
            if options.target == kind.target and isinstance(options, kind):
                return options
        return None

    def with_options(self, options: Options) -> PlatformSpec:
        """Return the platform with ``options`` instead of those of the same target."""
        others = (other for other in self.options if other.target != options.target)
        return replace(self, options=(*others, options))

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
        return self.user or next((options.account for options in self.options if options.account), "")

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


def keyring_problems(platform: PlatformSpec) -> Iterator[Problem]:
    ids = [key_id for key_id, _ in platform.secret_keys]
    for key_id, secret in platform.secret_keys:
        if not re.fullmatch(KEY_ID_FORM, key_id):
            yield Problem("secret_keys", f"The key id {shown(key_id)} must match {KEY_ID_FORM}.")
        yield from problem_of(f"secret_keys.{key_id}", check_platform_key, secret)
    if ids and platform.secret_key is not None:
        yield Problem("secret_key", "It is stated together with secret_keys; give only one of the two.")
    if platform.key_id and platform.key_id not in ids:
        yield Problem("key_id", f"The key id {shown(platform.key_id)} is not one of the secret_keys.")
    if ids and not platform.key_id:
        yield Problem("key_id", "It must name the one of the secret_keys that sites use.")


def parse_node_address(value: str) -> str:
    """Return the address ``value`` of a node, a host and a port; raises ValueError with a sentence."""
    if not re.fullmatch(NODE_ADDRESS, value):
        raise ValueError(f"The address {shown(value)} is not accepted: write 10.0.0.5:8080.")
    return value


def node_problems(platform: PlatformSpec) -> Iterator[Problem]:
    for name, address in platform.nodes:
        yield from problem_of("nodes", parse_slug, name, what="The node", length=NODE_LENGTH)
        yield from problem_of(f"nodes.{name}", parse_node_address, address)


def platform_problems(platform: PlatformSpec) -> Iterator[Problem]:
    yield from declared_problems(platform)
    if platform.name == "xn" or platform.name.startswith(SLUG_PREFIXES[1:]):
        yield Problem("name", f"The platform name {shown(platform.name)} would start bucket names that S3 reserves.")
    yield from keyring_problems(platform)
    yield from node_problems(platform)
    for name, _ in platform.codebases:
        yield from problem_of(f"codebases.{name}", parse_codebase, name)
    if platform.project_settings:
        from wagtail_multihost.spec.project_settings import project_setting_problems  # loads only where there are some

        yield from project_setting_problems(platform.project_settings)
    if platform.env:
        from wagtail_multihost.spec.variables import declared_variable_problems  # loads only where there are some

        yield from declared_variable_problems(platform.env)
