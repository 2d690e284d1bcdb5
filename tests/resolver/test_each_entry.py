"""What each entry of the resolver's lists does: a site takes nothing from its surroundings by any one of them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.resolver.conftest import values_of
from tests.resolver.test_caches import caches_of
from tests.spec.samples import a_site, postgresql, redis, s3
from wagtail_multihost.resolver.ambient import ambient_names
from wagtail_multihost.resolver.databases import database_settings

# https://www.postgresql.org/docs/current/libpq-envars.html, those that say where to, as whom or with what.
LEADING = [
    "PGAPPNAME",
    "PGCHANNELBINDING",
    "PGCLIENTENCODING",
    "PGCONNECT_TIMEOUT",
    "PGDATABASE",
    "PGDATESTYLE",
    "PGGEQO",
    "PGGSSENCMODE",
    "PGGSSLIB",
    "PGHOST",
    "PGHOSTADDR",
    "PGOPTIONS",
    "PGPASSFILE",
    "PGPASSWORD",
    "PGKRBSRVNAME",
    "PGLOCALEDIR",
    "PGOAUTHDEBUG",
    "PGPORT",
    "PGREQUIREPEER",
    "PGREQUIRESSL",
    "PGSERVICE",
    "PGSERVICEFILE",
    "PGSSLCERT",
    "PGSSLCOMPRESSION",
    "PGSSLCRL",
    "PGSSLCRLDIR",
    "PGSSLKEY",
    "PGSSLMAXPROTOCOLVERSION",
    "PGSSLMINPROTOCOLVERSION",
    "PGSSLMODE",
    "PGSSLROOTCERT",
    "PGSSLSNI",
    "PGSYSCONFDIR",
    "PGTARGETSESSIONATTRS",
    "PGTZ",
    "PGUSER",
    "DATABASE_URL",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_CA_BUNDLE",
    "AWS_ENDPOINT_URL",
    "BOTO_CONFIG",
    "BOTOCORE_EXPERIMENTAL__PLUGINS",
    "ALL_PROXY",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "http_proxy",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "SSLKEYLOGFILE",
]
REMOTE = a_site(database=postgresql(), cache=redis(tls=True), storage=s3())
OF_THE_MACHINE = [
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_DEFAULT_REGION",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_EXECUTION_ENV",
    "AWS_REGION",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
]


@pytest.mark.parametrize("name", LEADING)
def test_variable_that_leads_elsewhere_is_named(name: str) -> None:
    """Each of them is reported where it is set, to a site that has what would read it, and to no other."""
    assert ambient_names({name: "x", "PATH": "/bin"}, REMOTE) == [name]
    assert ambient_names({name: "x"}, a_site()) == ([name] if name == "DATABASE_URL" else [])


@pytest.mark.parametrize("name", OF_THE_MACHINE)
def test_variable_of_the_machines_role_is_not_named(name: str) -> None:
    """A site without keys has the role of its container or machine, which these tell."""
    assert ambient_names({name: "x"}, REMOTE) == []


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("channel_binding", "prefer"),
        ("hostaddr", ""),
        ("options", ""),
        ("passfile", "/nonexistent/pgpass"),
        ("password", ""),
        ("requirepeer", ""),
        ("gssencmode", "disable"),
        ("sslcert", "/nonexistent/postgresql.crt"),
        ("sslcrl", "/nonexistent/root.crl"),
        ("sslkey", "/nonexistent/postgresql.key"),
        ("sslrootcert", "/nonexistent/root.crt"),
        ("sslmode", "prefer"),
        ("target_session_attrs", "any"),
        ("application_name", "mh:aurora"),
        ("connect_timeout", 5),
        ("keepalives_idle", 30),
        ("keepalives_interval", 10),
        ("keepalives_count", 3),
        ("tcp_user_timeout", 30_000),
    ],
)
def test_each_option_of_libpq_is_given(option: str, value: object) -> None:
    """What is given is not taken from the process's variables or the account's files."""
    settings = values_of(database_settings(a_site(database=postgresql()), {}))["DATABASES"]["default"]
    assert settings["OPTIONS"][option] == value


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("BACKEND", "django.core.cache.backends.redis.RedisCache"),
        ("LOCATION", "redis://:shared@cache.internal:6379/9"),
        ("KEY_PREFIX", "everybody"),
        ("OPTIONS", {"password": "shared", "db": 9}),
    ],
)
@pytest.mark.parametrize("own", [{}, {"cache": redis(password=None)}])
def test_no_part_of_the_projects_address_is_kept(key: str, value: object, own: dict[str, Any]) -> None:
    """The project's server, database, prefix and password are no site's, one by one; the rest is kept."""
    default = caches_of(a_site(**own), {"CACHES": {"default": {key: value, "TIMEOUT": 7}}})["default"]
    assert default.get(key) != value
    assert "shared" not in repr(default)
    assert default["TIMEOUT"] == 7
