"""Variables of other programs, which the process inherited. No site takes a value from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from wagtail_multihost.running import register_reset

# https://www.postgresql.org/docs/current/libpq-envars.html
LIBPQ = (
    "PGDATABASE",
    "PGHOST",
    "PGHOSTADDR",
    "PGOPTIONS",
    "PGPASSFILE",
    "PGPASSWORD",
    "PGPORT",
    "PGREQUIREPEER",
    "PGSERVICE",
    "PGSERVICEFILE",
    "PGSSLCERT",
    "PGSSLKEY",
    "PGSSLMODE",
    "PGTARGETSESSIONATTRS",
    "PGUSER",
)
AMAZON = "AWS_"
# Set for the role of a container or a machine, which a site without keys of its own uses.
ROLE = ("AWS_CONTAINER_", "AWS_DEFAULT_REGION", "AWS_EC2_", "AWS_EXECUTION_ENV", "AWS_REGION", "AWS_ROLE_")
WEB_IDENTITY = "AWS_WEB_IDENTITY_TOKEN_FILE"

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


def ambient_names(environ: Mapping[str, str]) -> list[str]:
    """Return the names of the variables that lead Django, libpq or boto3 to a database or a bucket."""
    return sorted(name for name in environ if name == "DATABASE_URL" or name in LIBPQ or is_amazon(name))


def is_amazon(name: str) -> bool:
    return name.startswith(AMAZON) and name.isidentifier() and not name.startswith(ROLE) and name != WEB_IDENTITY


def warn_of_ambient(environ: WatchedVariables) -> None:
    """Warn, once per process, of the variables that are set and that no record uses."""
    global _has_warned
    names = [name for name in ambient_names(environ) if name not in environ.used]
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
