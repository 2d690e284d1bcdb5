"""What a database on a server says of its holder, to a process that is no site's; the server is one of the test's."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, InterfaceError, OperationalError

from tests.identity.conftest import OTHER_UID
from tests.spec.samples import DATABASE_PASSWORD, a_site, postgresql, sqlite
from wagtail_multihost.exceptions import IdentityError, SecretUnreadableError
from wagtail_multihost.identity import asking
from wagtail_multihost.identity.asking import Asker, connect_to_database
from wagtail_multihost.identity.comparison import FoundIdentity
from wagtail_multihost.publishing.evidence import Evidence
from wagtail_multihost.spec import Secret
from wagtail_multihost.spec.site import SiteSpec

FOUND = FoundIdentity("aviary", "production", OTHER_UID, 7, "digest", None)
CONFIGURED = "its database cannot be queried with what the registry states, or its answer is not valid"


class Connection:
    """Stands for an open connection of Django's."""

    vendor = "postgresql"

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings_dict = settings
        self.connection: object = "open"
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


class Server:
    """Opens connections, or fails, and answers, or fails; notes what was asked of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opening: Exception | None = None
        self.answer: FoundIdentity | Exception | None = FOUND
        self.opened: list[Connection] = []
        self.attempts: list[str] = []
        self.deadlines: list[str] = []
        monkeypatch.setattr(asking, "connect_to_database", self.open)
        monkeypatch.setattr(asking, "identity_of", self.identity)
        monkeypatch.setattr(asking, "deadline", self.deadline)

    def open(self, site: SiteSpec) -> Connection:
        self.attempts.append(site.id)
        if self.opening:
            raise self.opening
        database = site.database
        self.opened.append(Connection({"NAME": database.name, "HOST": database.host, "PORT": str(database.port)}))
        return self.opened[-1]

    def identity(self, connection: Connection) -> FoundIdentity | None:
        assert connection is self.opened[-1] and connection.connection == "open" and self.deadlines
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    @contextmanager
    def deadline(self, connection: Connection, what: str) -> Any:
        assert connection is self.opened[-1]
        self.deadlines.append(what)
        yield


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    return Server(monkeypatch)


def on_server(**changes: Any) -> SiteSpec:
    return a_site(database=postgresql(**changes))


def test_database_says_whose_it_is(server: Server) -> None:
    """Its word is evidence under its own name, and the connection is closed again."""
    place = "the database aviary__aurora on db.internal:5432"
    assert Asker()(on_server()) == (Evidence(place, OTHER_UID, is_forgeable=True), "")
    assert (server.opened[0].closed, server.opened[0].connection, server.deadlines) == (
        1,
        None,
        ["returned its identity"],
    )


def test_database_that_nobody_has_claimed_says_nothing(server: Server) -> None:
    """Without a row there is no evidence, and nothing to complain of."""
    server.answer = None
    assert Asker()(on_server()) == (None, "")
    assert server.opened[0].connection is None


def test_file_is_not_asked(server: Server) -> None:
    """A SQLite file is found by who looks at files."""
    assert Asker()(a_site(database=sqlite())) == (None, "")
    assert server.attempts == []


@pytest.mark.parametrize(
    "said",
    [
        'connection failed: FATAL:  database "aviary__aurora" does not exist',
        'FATAL:  role "aviary__aurora" does not exist',
    ],
)
def test_server_without_the_sites_database_knows_no_holder(server: Server, said: str) -> None:
    """A database that is still to be made is nobody's, and its server is asked for its other sites."""
    server.opening = OperationalError(said)
    ask = Asker()
    assert ask(on_server()) == (None, "")
    assert ask(on_server()) == (None, "")
    assert len(server.attempts) == 2 and ask.silent == {}


def test_refused_password_is_no_answer(server: Server) -> None:
    """What is not let in has seen nothing: the site is said to be unknown, and other sites of the server are asked."""
    server.opening = OperationalError('FATAL: password authentication failed for user "aviary__aurora"')
    ask = Asker()
    for _ in range(2):
        holder, message = ask(on_server())
        assert holder is None
        assert "refuses the login of the role aviary__aurora" in message
    assert len(server.attempts) == 2 and ask.silent == {}


def test_refusal_with_words_of_a_site_in_it_is_its_own(server: Server) -> None:
    """A role may name a library that is not there, in words such as these, and speaks for no other site."""
    library = 'FATAL:  role "x" does not exist'
    server.opening = OperationalError(
        f'failed: FATAL:  could not access file "$libdir/plugins/{library}": No such file'
    )
    ask = Asker()
    assert ask(on_server()) == (None, "its database on db.internal:5432 cannot be queried")
    assert ask.silent == {}


@pytest.mark.parametrize("host", ["db.internal", "/run/postgresql"])
def test_server_that_cannot_be_reached_is_asked_once(server: Server, host: str) -> None:
    """However many sites it has, each is told of it; a server at another port is asked."""
    server.opening = OperationalError("connection refused")
    ask, message = Asker(), f"its database on {host}:5432 cannot be queried"
    sites = [on_server(host=host), on_server(host=host, name="other")]
    assert [ask(site) for site in sites] == [(None, message)] * 2
    assert len(server.attempts) == 1
    assert ask(on_server(host=host, port=5433)) == (None, message.replace("5432", "5433"))
    assert len(server.attempts) == 2
    assert Asker()(sites[0]) == (None, message)
    assert len(server.attempts) == 3


def test_database_that_refuses_does_not_silence_its_server(server: Server) -> None:
    """What is in one database may be hostile; the others of its server are asked."""
    server.answer = DatabaseError('FATAL: role "x" does not exist')
    ask = Asker()
    assert ask(on_server()) == (None, "its database cannot be queried: the query failed")
    assert server.opened[0].connection is None and server.opened[0].closed == 1
    server.answer = FOUND
    assert ask(on_server())[0] is not None


@pytest.mark.parametrize("step", ["opening", "answer"])
@pytest.mark.parametrize(
    ("error", "message"),
    [
        (IdentityError("It is no table."), "its database cannot be queried (It is no table.)"),
        (InterfaceError("x"), CONFIGURED),
        (ImproperlyConfigured("x"), CONFIGURED),
        (ValueError("x"), CONFIGURED),
    ],
)
def test_what_cannot_be_asked_is_a_sentence(server: Server, step: str, error: Exception, message: str) -> None:
    """A secret that cannot be read, settings that are none and an answer that is none end no run over all sites."""
    setattr(server, step, error)
    ask = Asker()
    assert ask(on_server()) == (None, message)
    assert ask.silent == {} and all(connection.connection is None for connection in server.opened)
    server.opening, server.answer = None, FOUND
    assert ask(on_server())[0] is not None


def test_other_errors_are_ours(server: Server) -> None:
    """A defect is not taken for a database's answer; the connection is closed all the same."""
    server.answer = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        Asker()(on_server())
    assert server.opened[0].connection is None


@pytest.fixture
def _driver(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A driver that notes with what it connects."""
    from django.db.backends.postgresql.base import DatabaseWrapper

    given: list[dict[str, Any]] = []
    monkeypatch.setattr(DatabaseWrapper, "get_new_connection", lambda self, params: given.append(params) or object())
    return given


@pytest.mark.parametrize(
    ("host", "password", "expected"),
    [("db.internal", Secret(DATABASE_PASSWORD), DATABASE_PASSWORD), ("/run/postgresql", None, "")],
)
def test_connection_is_the_sites_own(
    _driver: list[dict[str, Any]], host: str, password: Secret | None, expected: str
) -> None:
    """It has the site's database, role and password, and nothing of the surroundings; it is not the default alias."""
    opened = connect_to_database(on_server(host=host, password=password))
    assert opened.alias == "asked" and opened.connection is not None
    (given,) = _driver
    assert (given["dbname"], given["user"], given["host"]) == ("aviary__aurora", "aviary__aurora", host)
    assert (str(given["port"]), given["passfile"]) == ("5432", "/nonexistent/pgpass")
    assert given.get("password", "") == expected
    assert opened.settings_dict["ENGINE"] == "django.db.backends.postgresql"


def test_secret_that_cannot_be_read_is_told(_driver: list[dict[str, Any]], tmp_path: Any) -> None:
    """Nothing is connected to without the password that the registry names."""
    site = on_server(password=Secret.from_file(tmp_path / "none"))
    with pytest.raises(SecretUnreadableError):
        connect_to_database(site)
    evidence, message = Asker()(site)
    assert evidence is None and message.startswith("its database cannot be queried (")
    assert _driver == []
