"""Case 13: a site connects to its own servers, whatever the variables and the home of its process say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import pytest
from psycopg.pq import Conninfo

from tests.cases.processes import asked, registry_of
from tests.cases.tls_redis import tls_redis
from tests.servers.postgres import Postgres, running_postgres
from tests.servers.s3 import OPERATOR, REGION, S3Server

#: What libpq reads that is no parameter (EnvironmentOptions in fe-connect.c, and pg_service.conf).
NO_PARAMETERS = ("DATESTYLE", "GEQO", "LOCALEDIR", "OAUTHDEBUG", "REQUIRESSL", "SERVICEFILE", "SYSCONFDIR", "TZ")
#: What is taken out of the variables of a site with PostgreSQL and S3.
REMOVED = (
    "PGDATESTYLE",
    "PGGEQO",
    "PGLOCALEDIR",
    "PGOAUTHDEBUG",
    "PGSERVICE",
    "PGSERVICEFILE",
    "PGSYSCONFDIR",
    "PGTZ",
    "SSLKEYLOGFILE",
)
QUOTED = r"""['"]((?:AWS|BOTO|BOTOCORE|REDIS|REQUESTS|CURL|OTEL)_[A-Z0-9_]+|NETRC|SSLKEYLOGFILE)['"]"""
#: OpenSSL's (https://docs.openssl.org/3.0/man7/openssl-env/), and those of proxies.
OPENSSL = ("CTLOG_FILE", "OPENSSL_ENGINES", "OPENSSL_MODULES", "RANDFILE", "SSL_CERT_DIR", "SSL_CERT_FILE")
PROXIES = ("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "http_proxy", "https_proxy")
#: What a machine says of its role, and is not told of.
OF_THE_ROLE = ("AWS_CONTAINER_", "AWS_DEFAULT_REGION", "AWS_EC2_", "AWS_EXECUTION_ENV", "AWS_REGION", "AWS_ROLE_")
DATABASE = """
from django.db import connection
def of_server():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_user, inet_server_port(), current_setting('DateStyle'), current_setting('geqo'), "
            "current_setting('TimeZone'), (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid())"
        )
        return list(cursor.fetchone())
"""
EVERYTHING = f"""
import json, os
{DATABASE}
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
database = of_server()
cache.set("page", "of aurora")
name = default_storage.save("a.txt", ContentFile(b"of aurora"))
http = default_storage.connection.meta.client._endpoint.http_session
print(json.dumps({{
    "database": database,
    "cache": cache.get("page"),
    "file": default_storage.open(name).read().decode(),
    "verify": http._verify,
    "proxies": http._proxy_config._proxies,
    "variables": dict(os.environ),
}}))
"""
EACH = f"""
import json, os
{DATABASE}
usual = of_server()
found = {{}}
for name in json.loads(os.environ["CASE_NAMES"]):
    os.environ[name] = "evil"
    connection.close()
    try:
        found[name] = of_server() == usual
    except Exception as error:
        found[name] = str(error)
    del os.environ[name]
print(json.dumps(found))
"""


class Servers(NamedTuple):
    postgres: Postgres
    redis: int
    s3: S3Server
    registry: str


@pytest.fixture(scope="module")
def servers(server_folder: Path) -> Iterator[Servers]:
    from moto.server import ThreadedMotoServer

    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    s3 = S3Server(f"http://{host}:{port}")
    s3.add_bucket("rig--aurora")
    folder = server_folder / "redis-ambient"
    with running_postgres(server_folder / "postgres-ambient") as postgres, tls_redis(folder) as redis:
        postgres.add_role("aurora", "of-aurora")
        postgres.add_database("site1", "aurora")
        keys = f'access_key = "{OPERATOR.access_key}", secret_key = "{OPERATOR.secret_key}", region = "{REGION}"'
        registry = (
            f'database = "postgresql://aurora:of-aurora@127.0.0.1:{postgres.port}/site1"\n'
            f'cache = "rediss://localhost:{redis}/0?ssl_ca_certs={folder}/authority.pem"\n'
            f'storage = {{ backend = "s3", bucket = "rig--aurora", endpoint = "{s3.endpoint}", {keys} }}\n'
        )
        yield Servers(postgres, redis, s3, registry)
    moto.stop()


def of_libpq() -> list[str]:
    """Return every variable of the installed libpq."""
    known = [option.envvar.decode() for option in Conninfo.get_defaults() if option.envvar]
    return sorted({*known, *(f"PG{name}" for name in NO_PARAMETERS)})


def of_sources() -> list[str]:
    """Return every variable that the sources of the installed clients name."""
    found = set()
    for package in ("botocore", "boto3", "redis", "requests", "s3transfer", "storages", "urllib3"):
        for source in Path(str(import_module(package).__file__)).parent.rglob("*.py"):
            found.update(re.findall(QUOTED, source.read_text(encoding="utf-8")))
    return sorted(found)


def hostile(folder: Path) -> dict[str, str]:
    """Return every variable, leading elsewhere, with a home in which every file does."""
    home = folder / "home"
    for name, text in (
        (".pgpass", "*:*:*:*:evil\n"),
        (".pg_service.conf", "[evil]\nhost=evil.invalid\n"),
        *((f".postgresql/{name}", "evil") for name in ("root.crt", "root.crl", "postgresql.crt", "postgresql.key")),
        (".aws/config", "[default]\nendpoint_url = http://127.0.0.1:9\nregion = evil\n"),
        (".aws/credentials", "[default]\naws_access_key_id = evil\naws_secret_access_key = evil\n"),
        (".netrc", "default login evil password evil\n"),
    ):
        file = home / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o600)
    variables = dict.fromkeys((*of_libpq(), *of_sources(), *OPENSSL, "DATABASE_URL", "REDIS_URL"), "evil")
    variables.update(dict.fromkeys(PROXIES, "http://127.0.0.1:9"))
    variables["SSLKEYLOGFILE"] = str(folder / "missing" / "keys")
    variables["AWS_ENDPOINT_URL"] = variables["AWS_ENDPOINT_URL_S3"] = "http://127.0.0.1:9"
    variables["SSL_CERT_FILE"] = variables["REQUESTS_CA_BUNDLE"] = variables["CURL_CA_BUNDLE"] = "/nonexistent/ca.pem"
    return {**variables, "HOME": str(home)}


def test_variables_of_the_clients_are_found() -> None:
    """The lists are those of the installed libraries, and no shorter than what is known of them."""
    assert {"PGSERVICE", "PGHOSTADDR", "PGSSLMODE", "PGOPTIONS"} < set(of_libpq())
    assert {"AWS_PROFILE", "AWS_CA_BUNDLE", "AWS_MAX_ATTEMPTS", "REQUESTS_CA_BUNDLE", "NETRC"} < set(of_sources())
    assert len(of_sources()) > 40


@pytest.mark.servers
def test_site_connects_to_its_own_whatever_its_variables_say(servers: Servers, tmp_path: Path) -> None:
    """With every variable set that its libraries know, the site finds its database, cache and bucket, and no other."""
    registry, variables = registry_of(tmp_path, servers.registry), hostile(tmp_path)
    usual = json.loads(asked(registry, EVERYTHING, {"HOME": str(tmp_path)}).stdout)
    asking = asked(registry, EVERYTHING, variables)
    assert asking.returncode == 0, asking.stderr
    found = json.loads(asking.stdout)
    assert (found["cache"], found["file"]) == ("of aurora", "of aurora")
    assert found["database"] == usual["database"]
    assert found["database"][:2] == ["aurora", servers.postgres.port]
    assert (found["verify"], found["proxies"]) == (True, {})
    # Nothing is written there, and only what nothing overrides is taken away.
    assert variables.keys() - found["variables"].keys() == set(REMOVED)
    assert {name: found["variables"][name] for name in variables.keys() - set(REMOVED)} == {
        name: value for name, value in variables.items() if name not in REMOVED
    }
    told = said(asking.stderr)
    assert told == sorted(name for name in variables if is_told(name))


def is_told(name: str) -> bool:
    """Return whether a site with PostgreSQL, Redis with TLS and S3 is told that a variable is not taken."""
    if name.startswith(("AWS_", "BOTO_", "BOTOCORE_")):
        return not name.startswith((*OF_THE_ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE"))
    others = {"DATABASE_URL", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR", "SSL_CERT_FILE", "SSLKEYLOGFILE", *PROXIES}
    return name.startswith("PG") or name in others


def said(log: str) -> list[str]:
    """Return the names in the warning of a process."""
    return re.findall(r"[A-Za-z_0-9]+", log.partition("these environment variables: ")[2].partition(".\n")[0])


@pytest.mark.servers
def test_site_is_told_only_of_what_it_has(tmp_path: Path) -> None:
    """A site with SQLite, local memory and files has nothing to do with any of these, and keeps them all."""
    registry, variables = registry_of(tmp_path, ""), hostile(tmp_path)
    asking = asked(registry, "import json, os; print(json.dumps(dict(os.environ)))", variables)
    assert said(asking.stderr) == ["DATABASE_URL"]
    assert variables.items() <= json.loads(asking.stdout).items()


@pytest.mark.servers
def test_each_variable_of_libpq_is_of_no_effect_by_itself(servers: Servers, tmp_path: Path) -> None:
    """One variable does not make up for another."""
    names = [name for name in of_libpq() if name not in REMOVED]
    registry = registry_of(tmp_path, servers.registry)
    asking = asked(registry, EACH, {"CASE_NAMES": json.dumps(names)})
    assert json.loads(asking.stdout or "{}") == dict.fromkeys(names, True), asking.stderr


@pytest.mark.servers
def test_service_leads_nowhere(servers: Servers, tmp_path: Path) -> None:
    """Neither a service that is not defined nor one that is leads a site to another server."""
    (tmp_path / "services").write_text("[corp]\nhost=127.0.0.1\nport=9\ndbname=corp\nsslmode=require\n")
    registry = registry_of(tmp_path, servers.registry)
    for variables in ({"PGSERVICE": "none"}, {"PGSERVICE": "corp", "PGSERVICEFILE": str(tmp_path / "services")}):
        asking = asked(registry, f"{DATABASE}\nprint(of_server()[0])", variables)
        assert asking.stdout == "aurora\n", asking.stderr
        assert said(asking.stderr) == sorted(variables)
