"""URLs of registries in PostgreSQL: what they may say, and that no secret is repeated; services and passfiles."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from tests.registry.conftest import shown_by_error_pages
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.registry import open_registry
from wagtail_multihost.registry.postgres import PostgresRegistry
from wagtail_multihost.registry.postgres_service import connection_parameters, private_files
from wagtail_multihost.registry.postgres_url import parse_postgres_url
from wagtail_multihost.spec.secret import Secret

HIDDEN = "hunter7"
SERVICES = f"""\
# A comment.
[control]
host=db.internal
port = 5433
dbname=control

[other]
user=other
[with-password]
dbname=control
password={HIDDEN}=7
"""


@pytest.fixture(name="services")
def _services(tmp_path: Path) -> Path:
    path = tmp_path / "services"
    path.write_text(SERVICES.replace("port = 5433", "port=5433"))
    path.chmod(0o600)
    return path


def parameters(url: str) -> dict[str, str | Secret]:
    return connection_parameters(parse_postgres_url(url))


@pytest.mark.parametrize(
    ("url", "same", "name"),
    [
        ("postgres://db.internal/control", "postgresql://db.internal/control", "postgresql://db.internal/control"),
        ("postgresql:///control", "postgresql:///control", "postgresql:///control"),
        (
            "postgres://node-1@DB.internal:5433/control?passfile=/etc/m/pass",
            "postgresql://node-1@db.internal:5433/control?passfile=/etc/m/pass",
            "postgresql://db.internal:5433/control",
        ),
        ("postgres://[::1]:5433/control", "postgresql://[::1]:5433/control", "postgresql://[::1]:5433/control"),
        (
            "postgres:///control?host=/run/Pg&passfile=/a%20b",
            "postgresql:///control?host=/run/Pg&passfile=/a%20b",
            "postgresql:///control",
        ),
        ("postgres://%2Frun%2FPg/control", "postgresql:///control?host=/run/Pg", "postgresql:///control"),
        ("postgres:///?service=control", "postgresql:///?service=control", "postgresql:///?service=control"),
        (
            "postgres://db/c?sslmode=verify-full&sslrootcert=/etc/ca.pem",
            "postgresql://db/c?sslmode=verify-full&sslrootcert=/etc/ca.pem",
            "postgresql://db/c",
        ),
    ],
)
def test_url_opens_the_registry_and_can_be_opened_again(url: str, same: str, name: str) -> None:
    """In one spelling, without what messages need not say; no driver is needed for that, nor a server."""
    registry = open_registry(url, {})
    assert isinstance(registry, PostgresRegistry)
    assert (registry.url, registry.name) == (same, name)
    again = open_registry(registry.url, {})
    assert isinstance(again, PostgresRegistry)
    assert again.target == registry.target


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        (f"postgres://u:{HIDDEN}@db/c", "It has a password"),
        (f"postgres://u:@db/c?application_name={HIDDEN}", "It has a password"),
        (f"postgres://u@db/c?password={HIDDEN}", "It has a password"),
        (f"postgres://u@db/c?sslpassword={HIDDEN}", "It has a password"),
        (f"postgres://u:{HIDDEN}/x@db/c", "It is not the URL"),
        (f"postgres://u:{HIDDEN}?x@db/c", "It is not the URL"),
        (f"postgres://u:{HIDDEN}#x@db/c", "It is not the URL"),
        (f"postgres://u@db:{HIDDEN}/c", "It is not the URL"),
        ("postgres://db:0/c", "It is not the URL"),
        ("postgres://db:99999/c", "It is not the URL"),
        ("postgres://a,b/c", "It is not the URL"),
        ("postgres://db/c/d", "It is not the URL"),
        ("postgres://db/c?service", "It is not the URL"),
        ("postgres://db", "It names no database"),
        ("postgres://", "It names no database"),
        ("postgres://db/c?connect_timeout=900", "'connect_timeout' is not accepted"),
        ("postgres://db/c?options=-c%20x", "'options' is not accepted"),
        ("postgres://db/c?passfile=pass", "The passfile 'pass' is not an absolute path"),
        ("postgres://db/c?passfile=", "The parameter passfile is blank"),
        ("postgres://db/c?sslmode=off", "The sslmode 'off' is not known"),
        ("postgres://db/c?servicefile=/x", "none is named with service"),
        ("postgres://db/c?host=/run/pg", "The parameter host is for the folder of a unix socket"),
        ("postgres:///c?host=db", "The parameter host is for the folder of a unix socket"),
        ("postgres://db/c?sslmode=require&sslmode=disable", "It has a parameter twice"),
    ],
)
def test_url_that_is_not_accepted_is_not_repeated(url: str, sentence: str) -> None:
    """What may be a part of a password is in no sentence and in no frame."""
    with pytest.raises(ConfigurationError) as refused:
        open_registry(url, {"MULTIHOST_REGISTRY": url})
    (problem,) = refused.value.problems
    assert (problem.where, sentence in problem.message) == ("MULTIHOST_REGISTRY", True), problem.message
    assert HIDDEN not in shown_by_error_pages(refused.value)


def test_service_states_what_the_url_does_not(services: Path) -> None:
    """The URL is stronger, as for libpq; without a user it is the account of the process."""
    found = parameters(f"postgres://db2/?service=control&servicefile={services}")
    assert {key: found[key] for key in ("host", "port", "dbname")} == {
        "host": "db2",
        "port": "5433",
        "dbname": "control",
    }
    assert found["user"] == pwd.getpwuid(os.geteuid()).pw_name
    assert "service" not in found and "servicefile" not in found


def test_password_of_a_service_is_a_secret(services: Path) -> None:
    """All of it, signs of equality too; nothing shows it."""
    found = parameters(f"postgres:///?service=with-password&servicefile={services}")
    assert isinstance(found["password"], Secret) and found["password"].reveal() == f"{HIDDEN}=7"
    assert HIDDEN not in repr(found)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "There is no service 'control'"),
        ("[control]\nuser=u\n", "The service 'control' names no dbname"),
        ("[control]\ndbname=c\nservicefile=/x\n", "The key 'servicefile' is not accepted"),
        ("[control]\ndbname=c\nconnect_timeout=900\n", "The key 'connect_timeout' is not accepted"),
        ("[control]\ndbname=c\nhost=a,b\n", "It names several hosts"),
        (f"[control]\ndbname=c\npassword {HIDDEN}\n", "is not accepted"),
    ],
)
def test_service_that_is_not_accepted_is_told(services: Path, text: str, sentence: str) -> None:
    """What would lift our bounds is refused, and so is what nobody would expect."""
    services.write_text(text)
    with pytest.raises(ConfigurationError, match=sentence):
        parameters(f"postgres:///?service=control&servicefile={services}")


@pytest.mark.parametrize(("name", "mode"), [("control", 0o622), ("with-password", 0o644)])
def test_service_that_others_can_write_or_whose_password_they_can_read_is_refused(
    services: Path, name: str, mode: int
) -> None:
    """It says where root's registry is."""
    services.chmod(mode)
    with pytest.raises(ConfigurationError, match=f"It has the mode {mode:04o}"):
        parameters(f"postgres:///?service={name}&servicefile={services}")


def test_service_file_that_is_missing_is_named(tmp_path: Path) -> None:
    """With the path that was looked at."""
    with pytest.raises(ConfigurationError, match=r"There is no service 'x' in /.*/none\."):
        parameters(f"postgres:///?service=x&servicefile={tmp_path / 'none'}")


@pytest.mark.parametrize(
    ("mode", "sentence"), [(0o640, "or libpq ignores it"), (0o604, "or libpq ignores it"), (None, "cannot be read")]
)
def test_passfile_that_libpq_would_ignore_is_refused(tmp_path: Path, mode: int | None, sentence: str) -> None:
    """Silently it would be as if there were no password."""
    path = tmp_path / "pass"
    if mode is not None:
        path.touch()
        path.chmod(mode)
    with pytest.raises(ConfigurationError, match=sentence) as refused:
        parameters(f"postgres://db/c?passfile={path}")
    assert refused.value.problems[0].where == str(path)


def test_files_with_which_anybody_could_read_the_registry_are_known(tmp_path: Path) -> None:
    """A site's process must not be able to read them."""
    target = parse_postgres_url("postgres:///c?passfile=/p&service=s&servicefile=/s&sslkey=/k&sslrootcert=/r")
    assert private_files(target) == (Path("/p"), Path("/s"), Path("/k"))
