"""Variables of other programs, which the process inherited. No site takes a value from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping

from wagtail_multihost.running import register_reset
from wagtail_multihost.spec.libpq import REMOVED
from wagtail_multihost.spec.site import SiteSpec

# Those of the newest libpq, where it cannot be asked (https://www.postgresql.org/docs/current/libpq-envars.html).
LIBPQ = (
    "PGAPPNAME",
    "PGCHANNELBINDING",
    "PGCLIENTENCODING",
    "PGCONNECT_TIMEOUT",
    "PGDATABASE",
    "PGGSSDELEGATION",
    "PGGSSENCMODE",
    "PGGSSLIB",
    "PGHOST",
    "PGHOSTADDR",
    "PGKRBSRVNAME",
    "PGLOADBALANCEHOSTS",
    "PGMAXPROTOCOLVERSION",
    "PGMINPROTOCOLVERSION",
    "PGOPTIONS",
    "PGPASSFILE",
    "PGPASSWORD",
    "PGPORT",
    "PGREQUIREAUTH",
    "PGREQUIREPEER",
    "PGREQUIRESSL",
    "PGSSLCERT",
    "PGSSLCERTMODE",
    "PGSSLCOMPRESSION",
    "PGSSLCRL",
    "PGSSLCRLDIR",
    "PGSSLKEY",
    "PGSSLMAXPROTOCOLVERSION",
    "PGSSLMINPROTOCOLVERSION",
    "PGSSLMODE",
    "PGSSLNEGOTIATION",
    "PGSSLROOTCERT",
    "PGSSLSNI",
    "PGTARGETSESSIONATTRS",
    "PGUSER",
)
AMAZON = ("AWS_", "BOTO_", "BOTOCORE_")
# Set for the role of a container or a machine, which a site without keys of its own uses.
ROLE = ("AWS_CONTAINER_", "AWS_DEFAULT_REGION", "AWS_EC2_", "AWS_EXECUTION_ENV", "AWS_REGION", "AWS_ROLE_")
WEB_IDENTITY = "AWS_WEB_IDENTITY_TOKEN_FILE"
# Whom the clients of S3 and of CloudFront, and those of Redis with TLS, trust, and what stands between.
HTTP_CLIENTS = ("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "REQUESTS_CA_BUNDLE")
AUTHORITIES = ("SSL_CERT_DIR", "SSL_CERT_FILE")
# Where botocore, and Python itself, write the keys of TLS; botocore lets nothing override it.
KEY_LOG = "SSLKEYLOGFILE"

_has_warned = False


class WatchedVariables(Mapping[str, str]):
    """Variables that remember in ``used`` which of them were looked up."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.used: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.used.add(name)
        return self.environ[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.environ)

    def __len__(self) -> int:
        return len(self.environ)

    def __repr__(self) -> str:
        # The values may be secrets, and error pages show the variables of every frame.
        return f"Watched({len(self)} variables)"


def ambient_names(environ: Mapping[str, str], site: SiteSpec) -> list[str]:
    """
    Return the names of the variables that would lead the libraries of what the site has, and only these, to something
    that is not its own.
    """
    has_amazon = uses_amazon(site)
    found = {"DATABASE_URL"}.intersection(environ)
    if site.database.engine == "postgresql":
        candidates = [name for name in environ if name.startswith("PG")]
        found.update(libpq_names().intersection(candidates) if candidates else ())
    if has_amazon:
        found.update(name for name in environ if is_amazon(name) or name.upper() in HTTP_CLIENTS or name == KEY_LOG)
    if site.cache.tls:
        found.update({*AUTHORITIES, KEY_LOG}.intersection(environ))  # a look at the names uses none of them
    return sorted(found)


def libpq_names() -> frozenset[str]:
    """Return the variables that the installed libpq reads."""
    try:
        from psycopg.pq import Conninfo  # loads only where such a variable is set
    except ImportError:
        return frozenset({*LIBPQ, *REMOVED})
    known = {option.envvar.decode() for option in Conninfo.get_defaults() if option.envvar}
    return frozenset({*known, *REMOVED, "PGREQUIRESSL"})


def uses_amazon(site: SiteSpec) -> bool:
    """Return whether a client of Amazon's library is made for the site."""
    frontend = site.frontend
    return site.storage.backend == "s3" or (frontend is not None and frontend.backend == "cloudfront")


def is_amazon(name: str) -> bool:
    return name.startswith(AMAZON) and name.isidentifier() and not name.startswith(ROLE) and name != WEB_IDENTITY


def remove_ambient(site: SiteSpec, environ: MutableMapping[str, str]) -> None:
    """
    Take what libpq and botocore read, and no parameter overrides, out of ``environ``, the process's own variables.
    """
    for name in REMOVED if site.database.engine == "postgresql" else ():
        environ.pop(name, None)
    if uses_amazon(site):
        environ.pop(KEY_LOG, None)


def warn_of_ambient(environ: WatchedVariables, site: SiteSpec) -> None:
    """Warn, once per process, of the variables that are set and that no record uses."""
    global _has_warned
    names = [name for name in ambient_names(environ, site) if name not in environ.used]
    if _has_warned or not names:
        return
    _has_warned = True
    import logging  # loads only where there is something to say

    logging.getLogger("wagtail_multihost.resolver").warning(
        "The site's settings ignore these environment variables: %s.", ", ".join(names)
    )


@register_reset
def forget_warning() -> None:
    global _has_warned
    _has_warned = False
