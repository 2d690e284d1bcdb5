"""The spec of a site."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import field
from typing import TYPE_CHECKING
from uuid import UUID

from wagtail_multihost.exceptions import Problem
from wagtail_multihost.spec.cache import CacheSpec
from wagtail_multihost.spec.cookies import COOKIE, cookie_problems
from wagtail_multihost.spec.database import DatabaseSpec
from wagtail_multihost.spec.declared import declared_problems, key, part
from wagtail_multihost.spec.frozen import Frozen, frozen
from wagtail_multihost.spec.identifiers import (
    ALPHANUMERIC,
    CODEBASE_LENGTH,
    NODE_LENGTH,
    is_made_of,
    parse_codebase,
    parse_node_group,
    parse_site_id,
    shown,
)
from wagtail_multihost.spec.kinds import (
    HOSTNAMES,
    KEY_ID,
    OPTIONS,
    PROJECT_VALUES,
    SECRETS,
    SETTINGS,
    SWITCH,
    TARGETS,
    VARIABLES,
    Kind,
    accept_any,
    choice,
    integer,
)
from wagtail_multihost.spec.names import Names
from wagtail_multihost.spec.secret import Secret
from wagtail_multihost.spec.storage import StorageSpec
from wagtail_multihost.spec.type_words import STRINGS_BY_NAME
from wagtail_multihost.spec.validation import problem_of, raise_problems

if TYPE_CHECKING:
    from wagtail_multihost.spec.frontend import FrontendCacheSpec
    from wagtail_multihost.spec.mail import MailSpec
    from wagtail_multihost.spec.options import Overrides
    from wagtail_multihost.spec.overrides import SettingValue
    from wagtail_multihost.spec.project_settings import Values
    from wagtail_multihost.spec.tls import TlsSpec
    from wagtail_multihost.spec.variables import Environ

STATES = ("active", "maintenance", "suspended")
ADDRESS = r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?"

LABEL_LENGTH = 63
#: Of the pages of a site that monitors look at: each is a request in every period.
MOST_PAGES, PAGE_PATH_LENGTH, PAGE_TEXT_LENGTH = 5, 300, 200
# wagtail.images.utils.generate_signature takes SECRET_KEY alone. Sessions, password-reset links and signing.Signer
# take SECRET_KEY_FALLBACKS too (django.contrib.auth.get_user, django.contrib.auth.tokens, django.core.signing), and
# so does wagtail.models.APIToken.candidate_key_hashes of Wagtail 8, which never stores a new digest.
OF_THE_SECRET_KEY = (
    "At once: signed addresses of images (the serve view of wagtail.images), which are checked without fallbacks. "
    "Pages that are rendered again have new ones; pages in caches, sent mail and other servers' copies do not.",
    "At once: sessions kept only in a cache (django.contrib.sessions.backends.cache), unless it is Redis or memcached.",
    "Nothing else while the old key is a fallback: password-reset links and signed values are accepted, and a "
    "session is signed again when its user comes back.",
    "When the old key is no longer a fallback: sessions of users who did not come back, password-reset links, signed "
    "values, and the API tokens that Wagtail 8 made with it. Their digests are never renewed: give out new tokens.",
)


def parse_mail_address(value: str) -> str:
    """Return ``value`` when it is a mail address."""
    if not re.fullmatch(ADDRESS, value):
        raise ValueError(f"The mail address {shown(value)} is not accepted.")
    return value


def parse_label(pair: tuple[str, str]) -> tuple[str, str]:
    """Return a label when its name is a word and its text one line of at most 63 characters."""
    name, text = pair
    if not is_made_of(name, ALPHANUMERIC, "._-", LABEL_LENGTH):
        raise ValueError(
            f"The label {shown(name)} is not accepted: it must be 1 to {LABEL_LENGTH} letters a-z, digits, '.', '_' "
            "and '-', the first a letter or a digit."
        )
    if not 0 < len(text) <= LABEL_LENGTH or not text.isprintable():
        raise ValueError(
            f"The text {shown(text)} of the label {name} is not accepted: it must be one line of 1 to {LABEL_LENGTH} "
            "characters."
        )
    return pair


#: It signs proofs and nothing else.
OF_THE_PROBE_KEY = (
    "At once: proofs by the former key. Where a node has that still, a monitor takes the site for another one.",
    "Nothing else: no session, address or value depends on it.",
)


def parse_page_path(value: str) -> str:
    """Return the path of a page, with a query or without: printable ASCII without blanks."""
    is_plain = value.isascii() and value.isprintable() and not set(' "<>\\^`{|}#').intersection(value)
    if not (value.startswith("/") and not value.startswith("//") and is_plain and len(value) <= PAGE_PATH_LENGTH):
        raise ValueError(
            f"The path {shown(value)} is not accepted: it must start with one slash and be at most {PAGE_PATH_LENGTH} "
            "characters of a URL."
        )
    return value


def parse_watched_page(pair: tuple[str, str]) -> tuple[str, str]:
    """Return a page that a monitor looks at when its path is one, and the text that it must have is one line."""
    path, text = pair
    parse_page_path(path)
    if not 0 < len(text) <= PAGE_TEXT_LENGTH or not text.isprintable():
        raise ValueError(
            f"The text {shown(text)} of the page {path} is not accepted: it must be one line of 1 to "
            f"{PAGE_TEXT_LENGTH} characters."
        )
    return pair


UNIQUE_ID = Kind("UUID", UUID, accept_any, "take_uid")
SECRET_KEY_LENGTH = 50  # characters, as Django's check security.W009 asks
SITE_KEY = Kind(f"secret, at least {SECRET_KEY_LENGTH} characters", Secret, accept_any)
PROBE_KEY = Kind("secret, 43 characters of base64 for URLs", Secret, accept_any)
ADDRESSES = Kind("list of mail addresses", tuple, parse_mail_address, each=True)
CODEBASE = Kind(f"slug, at most {CODEBASE_LENGTH} characters", str, parse_codebase)
NODE_NAMES = Kind("list of names", tuple, accept_any)
NODE_GROUP = Kind(f"slug, at most {NODE_LENGTH} characters", str, parse_node_group)
MOST_REPLICAS = 100
LABELS = Kind(STRINGS_BY_NAME, dict, parse_label, "take_texts_by_name", each=True)
WATCHED_PAGES = Kind(STRINGS_BY_NAME, dict, parse_watched_page, "take_texts_by_name", each=True)


@frozen
class SiteSpec(Frozen):
    """
    One Wagtail instance: ``id``, immutable ``uid``, ``hostnames`` (the first is canonical, the others
    redirect to it), ``aliases`` (hostnames that are served as they are), key ``epoch`` (1 or more),
    ``names``, ``database``, ``cache``, ``storage``, ``tls`` and its own ``settings``.
    ``mail`` (None: the project's), ``frontend`` (a cache in front of it that Wagtail purges), ``admins`` (mail
    addresses that get its error reports). ``secret_key`` and ``secret_key_fallbacks`` are keys of its own; where
    they are missing, keys derive from the platform's, the one named ``key_id`` or else the platform's choice. So does
    ``probe_key``, by which it proves to monitors which site it is.
    ``session_cookie``, ``csrf_cookie`` and ``language_cookie`` are names that its cookies had before.
    ``state`` is ``active``, or ``maintenance`` or ``suspended``: then the front server shows a page instead of it.
    ``nodes`` are the platform's nodes that serve it; an empty tuple stands for all. A managed
    fleet places it on ``replicas`` nodes of a ``node_group`` instead. ``labels`` are pairs of texts by
    which people choose sites, ``watched_pages`` paths and the texts by which monitors know their pages.
    ``project_settings`` are its values of the settings that the platform declares for the
    project, ``env`` variables of its processes. ``code`` is what it runs instead of the platform's code: what the
    platform lists under the name ``codebase``, with its own over it. ``options`` are its own for each target, over the
    platform's.
    ``pinned`` says whether the registry states the uid and the names; ``sources`` where each key was read.
    """

    id: str
    hostnames: tuple[str, ...] = key(
        HOSTNAMES,
        "The first is canonical; the others redirect to it.",
        required=True,
        front=True,
        who="site",
    )
    aliases: tuple[str, ...] = key(HOSTNAMES, "Served as they are.", (), front=True, who="site")
    enabled: bool = key(
        SWITCH, "A disabled site is refused by its process and left out of emitted files.", True, front=True
    )
    uid: UUID = key(
        UNIQUE_ID,
        "Never changes and is never used again. The site's key is derived from it.",
        default_text="UUIDv5 of the platform's name and the id",
        own=True,
    )
    epoch: int = key(
        integer(1, what="epoch"),
        "Raise it to change the site's key.",
        1,
        invalidates=OF_THE_SECRET_KEY,
    )
    key_id: str = key(
        KEY_ID, "The one of the platform's `secret_keys` that this site uses.", "", default_text="the platform's"
    )
    secret_key: Secret | None = key(
        SITE_KEY,
        "A key of its own instead of the derived one.",
        None,
        default_text="derived from the platform's",
        own=True,
        invalidates=OF_THE_SECRET_KEY,
    )
    secret_key_fallbacks: tuple[Secret, ...] = key(
        SECRETS,
        "Keys of its own that stay valid for what they signed, each a value or `env:NAME`.",
        (),
        own=True,
    )
    probe_key: Secret | None = key(
        PROBE_KEY,
        "The Ed25519 key by which its process proves to monitors which site it is, of its own instead of the derived "
        "one.",
        None,
        default_text="derived from the platform's",
        own=True,
        who="node",
        invalidates=OF_THE_PROBE_KEY,
    )
    session_cookie: str = key(
        COOKIE,
        "The name that its session cookie had before it was moved here, so that nobody has to log in again. "
        "Without `__Host-` in front, other names of the domain can plant such a cookie: take it out later.",
        "",
        default_text="made of the id",
        own=True,
        front=True,
    )
    csrf_cookie: str = key(
        COOKIE,
        "The same of the CSRF cookie, so that open forms can still be sent.",
        "",
        default_text="made of the id",
        own=True,
        front=True,
    )
    language_cookie: str = key(
        COOKIE, "The same of the language cookie.", "", default_text="made of the id", own=True, front=True
    )
    admins: tuple[str, ...] = key(ADDRESSES, "Who gets its error reports.", (), who="site")
    labels: tuple[tuple[str, str], ...] = key(
        LABELS,
        "Words by which sites are chosen, such as a team or a plan; they have no other effect.",
        (),
        snapshot="left out",
    )
    watched_pages: tuple[tuple[str, str], ...] = key(
        WATCHED_PAGES,
        f"At most {MOST_PAGES} paths of its first hostname that monitors ask for beside its readiness, each with a "
        "text that the page must have.",
        (),
        snapshot="left out",
        who="site",
    )
    names: Names = part("wagtail_multihost.spec.names:Names", "Pinned names.", "derived")
    state: str = key(
        choice(*STATES, what="state"),
        "Whether nginx shows the site, or a page instead of it while its processes go on.",
        "active",
        snapshot="left out",
        front=True,
    )
    nodes: tuple[str, ...] = key(
        NODE_NAMES, "The platform's nodes that serve it.", (), default_text="all", snapshot="left out", front=True
    )
    node_group: str = key(
        NODE_GROUP,
        "In a managed fleet: the group of nodes that it is placed in.",
        "",
        default_text="the fleet's default group",
        snapshot="left out",
    )
    replicas: int | None = key(
        integer(1, MOST_REPLICAS, what="number of replicas"),
        "In a managed fleet: on how many nodes of its group it is.",
        None,
        default_text="those of its group; 1 where a part of it is on the node itself",
        snapshot="left out",
    )
    codebase: str = key(
        CODEBASE,
        "The one of `platform.codebases` that it runs.",
        "",
        default_text="the platform's code",
        snapshot="left out",
    )
    code: Overrides = key(
        OPTIONS,
        "Code of its own, over its `codebase`.",
        (),
        default_text="the platform's",
        snapshot="left out",
        who="node",
    )
    options: tuple[tuple[str, Overrides], ...] = key(
        TARGETS, "Its own options of the {target} emitter.", (), default_text="the platform's", snapshot="left out"
    )
    database: DatabaseSpec = part(
        "wagtail_multihost.spec.database:DatabaseSpec", "Where its data is.", "SQLite in the platform's data folder"
    )
    cache: CacheSpec = part(
        "wagtail_multihost.spec.cache:CacheSpec", "Its cache; the key prefix is its own.", "local memory"
    )
    storage: StorageSpec = part(
        "wagtail_multihost.spec.storage:StorageSpec",
        "Where its uploaded files are.",
        "files in the platform's data folder",
        front=True,
    )
    mail: MailSpec | None = part("wagtail_multihost.spec.mail:MailSpec", "How it sends mail.", "the project's", None)
    frontend: FrontendCacheSpec | None = part(
        "wagtail_multihost.spec.frontend:FrontendCacheSpec",
        "The cache in front of it that Wagtail purges.",
        "none",
        None,
    )
    tls: TlsSpec | None = part("wagtail_multihost.spec.tls:TlsSpec", "Its certificate.", "none", None, front=True)
    settings: tuple[tuple[str, SettingValue], ...] = key(
        SETTINGS, "Django settings of its own.", (), default_text="the platform's, key by key", who="site"
    )
    project_settings: Values = key(
        PROJECT_VALUES,
        "Its values of the settings that `platform.project_settings` declares, each a secret as a value, `env:NAME` or "
        "`NAME_file`.",
        (),
        default_text="the declared defaults",
        # Root reads the file that NAME_file names, and the variable of env:NAME: either may be a neighbour's secret.
        who="node",
    )
    env: Environ = key(
        VARIABLES,
        "Its values of the variables that `platform.env` declares: the environment of its processes.",
        (),
        default_text="the declared defaults",
    )
    pinned: bool = False
    sources: dict[str, str] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        raise_problems(site_problems(self))

    @property
    def canonical(self) -> str:
        """The hostname that the others redirect to."""
        return self.hostnames[0]

    @property
    def hosts(self) -> tuple[str, ...]:
        """Every hostname and alias."""
        return (*self.hostnames, *self.aliases)

    def options_of(self, target: str) -> Overrides:
        """Return the options of a target that the site states."""
        return next((stated for name, stated in self.options if name == target), ())

    def has_tls(self, hostname: str) -> bool:
        """Return whether the front server has a certificate for ``hostname``."""
        return self.tls is not None and self.tls.is_on(hostname)


def site_problems(site: SiteSpec) -> Iterator[Problem]:
    yield from problem_of("id", parse_site_id, site.id)
    yield from hostname_problems(site)
    yield from declared_problems(site)
    for hostname in {*site.tls.pending, *site.tls.off} - set(site.hosts) if site.tls else ():
        yield Problem("tls", f"The hostname {shown(hostname)} is not one of the site's.")
    if len(site.watched_pages) > MOST_PAGES:
        yield Problem("watched_pages", f"There are {len(site.watched_pages)} pages; at most {MOST_PAGES} are accepted.")
    yield from cookie_problems(site)
    if site.settings:
        from wagtail_multihost.spec.overrides import override_problems  # loads only for a site that has settings

        yield from override_problems(site.settings)
    if site.project_settings:
        from wagtail_multihost.spec.project_settings import (
            stated_setting_problems,  # loads only for a site that has some
        )

        yield from stated_setting_problems(site.project_settings)
    if site.env:
        from wagtail_multihost.spec.variables import variable_problems  # loads only for a site that has some

        yield from variable_problems(site.env)


def hostname_problems(site: SiteSpec) -> Iterator[Problem]:
    if not site.hostnames:
        yield Problem("hostnames", "A site needs at least one hostname.")
    if len(set(site.hosts)) < len(site.hosts):
        for hostname, count in Counter(site.hosts).items():
            if count > 1:
                yield Problem("hostnames", f"The hostname {shown(hostname)} is listed {count} times.")
