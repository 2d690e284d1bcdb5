"""Case 18: a client's certificate stands in the place of a password."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cases.processes import asked, registry_of
from tests.health.certificates import Pair, make
from tests.servers.accounts import POSTGRES
from tests.servers.postgres import Postgres, running_postgres
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.registry import open_registry

SCRIPT = """
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("SELECT current_user, client_dn FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    print(*cursor.fetchone())
"""
#: The role is the name in the certificate (https://www.postgresql.org/docs/current/auth-cert.html). The tests' own
#: superuser has a password.
RULES = "hostssl all postgres 127.0.0.1/32 scram-sha-256\nhostssl all all 127.0.0.1/32 cert\n"


class Server(NamedTuple):
    """A server that lets in who shows a certificate of the authority, and the folder of the clients' files."""

    postgres: Postgres
    folder: Path


@pytest.fixture(scope="module")
def server(server_folder: Path) -> Iterator[Server]:
    folder = server_folder / "certificates"
    folder.mkdir(0o755)
    authority = make("Rig", 30)
    authority.write(folder, "authority")
    for name in ("aurora", "borealis"):
        make(name, 30, authority).write(folder, name)
    make("aurora", 30, make("Other", 30)).write(folder, "forged")
    for key in folder.glob("*.key"):
        key.chmod(0o600)
    settings = [f"hba_file={POSTGRES.write(server_folder / 'hba.conf', RULES)}", "ssl=on"]
    settings += [f"ssl_ca_file={folder / 'authority.pem'}", *served(make("localhost", 30, authority), server_folder)]
    with running_postgres(server_folder / "postgres-certificates", *settings) as postgres:
        for role in ("aurora", "borealis"):
            postgres.add_role(role, "unused")
            postgres.add_database(f"site_{role}", role)
        yield Server(postgres, folder)


def served(pair: Pair, folder: Path) -> Iterator[str]:
    yield f"ssl_cert_file={POSTGRES.write(folder / 'server.pem', pair.pem.decode())}"
    yield f"ssl_key_file={POSTGRES.write(folder / 'server.key', pair.key_pem.decode())}"


def database(server: Server, certificate: str, **changes: str) -> str:
    """Return a table of the database of aurora, whose client has ``certificate``."""
    folder = server.folder
    options = {
        "sslmode": "verify-full",
        "sslrootcert": f"{folder}/authority.pem",
        "sslcert": f"{folder}/{certificate}.pem",
        "sslkey": f"{folder}/{certificate}.key",
        **changes,
    }
    written = ", ".join(f'{key} = "{value}"' for key, value in options.items())
    return (
        f'{{ engine = "postgresql", host = "localhost", port = {server.postgres.port}, name = "site_aurora", '
        f'user = "aurora", options = {{ {written} }} }}'
    )


@pytest.mark.servers
def test_site_connects_with_its_certificate_and_no_password(server: Server, tmp_path: Path) -> None:
    """The server sees the certificate, whether the site's table has its path or the platform's with {site} in it."""
    table = database(server, "aurora")
    for registry in (table, table.replace("/aurora.", "/{site}.")):
        asking = asked(registry_of(tmp_path, f"database = {registry}\n"), SCRIPT)
        assert asking.stdout == "aurora /CN=aurora\n", asking.stderr


@pytest.mark.servers
@pytest.mark.parametrize("certificate", ["borealis", "forged"])
def test_certificate_of_another_is_of_no_use(server: Server, tmp_path: Path, certificate: str) -> None:
    """Another site's certificate, or one that another authority has signed, lets nobody in."""
    asking = asked(registry_of(tmp_path, f"database = {database(server, certificate)}\n"), SCRIPT)
    assert asking.stdout == ""
    assert "OperationalError" in asking.stderr


@pytest.mark.servers
def test_certificate_of_the_account_is_not_the_sites(server: Server, tmp_path: Path) -> None:
    """A site with a password shows no certificate that lies in the home of whoever runs it, which libpq would take."""
    home = tmp_path / "home" / ".postgresql"
    home.mkdir(parents=True)
    for source, name in (("aurora.pem", "postgresql.crt"), ("aurora.key", "postgresql.key")):
        (home / name).write_bytes((server.folder / source).read_bytes())
        (home / name).chmod(0o600)
    table = database(server, "aurora", sslcert="", sslkey="")
    plain = table.replace(', sslcert = "", sslkey = ""', "").replace("options", 'password = "unused", options')
    asking = asked(registry_of(tmp_path, f"database = {plain}\n"), SCRIPT, {"HOME": str(home.parent)})
    assert asking.stdout == ""
    assert "requires a valid client certificate" in asking.stderr


PLATFORM = '[platform]\nname = "rig"\ndata = "/srv/data"\n'
HOST = 'engine = "postgresql", host = "db.example.org"'


def problems_of(folder: Path, text: str) -> list[tuple[str, str]]:
    path = folder / "sites.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as refused:
        open_registry(path, {}).load()
    return [(problem.where, problem.message) for problem in refused.value.problems]


@pytest.mark.parametrize(
    ("options", "key", "said"),
    [
        ("", "password", "sslcert and sslkey"),
        ('sslmode = "verify-full"', "password", "sslcert and sslkey"),
        ('sslcert = "/c.pem"', "options", "without sslkey"),
        ('sslkey = "/k.pem"', "options", "without sslcert"),
        ('sslcert = "/c.pem", sslkey = "/k.pem", sslpassword = "hunter2"', "options", "sslpassword is not accepted"),
        ('sslcert = "/c.pem", sslkey = "/k.pem", service = "corp"', "options", "service is not accepted"),
        ('sslcert = "/c.pem", sslkey = "/k.pem", user = "borealis"', "options", "state the key user"),
    ],
)
def test_certificate_that_says_nothing_of_the_client_is_refused(
    tmp_path: Path, options: str, key: str, said: str
) -> None:
    """Half of a pair, none, or what says where and who in another way is refused under the key, without a value."""
    site = f'[sites.aurora]\nhostnames = ["a.example.org"]\ndatabase = {{ {HOST}, options = {{ {options} }} }}\n'
    found = problems_of(tmp_path, f"{PLATFORM}{site}")
    assert [where for where, _ in found] == [f"sites.toml: sites.aurora.database.{key}"]
    assert said in found[0][1]
    assert "hunter2" not in str(found)


def test_certificate_that_two_sites_have_is_refused(tmp_path: Path) -> None:
    """Where the certificate alone says who connects, no two sites have one, though they may beside passwords."""
    files = 'sslcert = "/etc/{site}/c.pem", sslkey = "/etc/{site}/k.pem"'
    table = f"[platform.database]\n{HOST.replace(', ', chr(10))}\noptions = {{ {files} }}\n"
    sites = "".join(f'[sites.{site}]\nhostnames = ["{site}.example.org"]\n' for site in ("aurora", "borealis"))
    path = tmp_path / "sites.toml"
    path.write_text(f"{PLATFORM}{table}{sites}")
    found = open_registry(path, {}).load().sites
    assert [dict(site.database.options)["sslkey"] for site in found] == ["/etc/aurora/k.pem", "/etc/borealis/k.pem"]
    [(_, message)] = problems_of(tmp_path, f"{PLATFORM}{table}{sites}".replace("{site}", "shared"))
    assert "client's key '/etc/shared/k.pem' belongs to the sites aurora and borealis" in message
    path.write_text(f"{PLATFORM}{table}password_file = '/etc/{{site}}/password'\n{sites}".replace("{site}/k", "x/k"))
    assert len(open_registry(path, {}).load().sites) == 2
