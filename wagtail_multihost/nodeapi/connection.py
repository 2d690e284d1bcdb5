"""
Connections to the control database that end: whatever a server or the way to it does, each wait has a bound.

Neither ``connect_timeout`` nor ``statement_timeout`` is one: the first is for each address of a name, and the second
is kept by the server process, which may be stopped, or behind a firewall that drops what it sends.
"""

from __future__ import annotations

import os
import re
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple

from wagtail_multihost.exceptions import MultihostError
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.libpq import REMOVED, STATED, ambient_overrides
from wagtail_multihost.spec.printing import escape_unprintable
from wagtail_multihost.spec.secret import Secret

if TYPE_CHECKING:
    from psycopg import Connection

#: Of one name; each further one could take LEAST_CONNECT seconds.
MOST_ADDRESSES = 3
#: Where nothing says another one; libpq would take it from PGPORT.
PORT = "5432"
# psycopg and libpq make two seconds of one.
LEAST_CONNECT = 2
#: How much longer than the server's own bound a statement may take before its connection is cut.
GRACE = 2
REASON_LENGTH = 200
DRIVER_MISSING = (
    "PostgreSQL is read by psycopg, which is not installed or finds no libpq. Run: pip install "
    "'wagtail-multihost[postgres]'"
)
#: How a server refuses an account for good, as opposed to one that is starting, or has too many clients.
REFUSALS = (
    "authentication failed",
    "no pg_hba.conf entry",
    "pg_hba.conf rejects",
    "no password supplied",
    "does not exist",
    "permission denied",
    "not permitted to log in",
    "certificate",
)
#: Those by which it says that it does not know the account, or not by this password.
LOGIN_REFUSALS = re.compile(r'authentication failed|not permitted to log in|role ".*" does not exist')
#: Tells a server's process that nobody listens any more: seconds, and milliseconds.
LIVENESS: Mapping[str, str] = {
    "keepalives": "1",
    "keepalives_idle": "5",
    "keepalives_interval": "5",
    "keepalives_count": "5",
    "tcp_user_timeout": "10000",
}
Parameters = Mapping[str, "str | Secret"]
#: Of a statement: in the order of its places, or by their names.
Values = Sequence[object] | Mapping[str, object]


class UnreachableError(MultihostError):
    """The database did not answer, or not in time. It may do so later."""


class RefusedError(MultihostError):
    """The database answered that it does not give what was asked for. ``sqlstate`` is its code, where it has one."""

    def __init__(self, message: str, sqlstate: str = "") -> None:
        self.sqlstate = sqlstate
        super().__init__(message)


class LoginRefusedError(RefusedError):
    """The database does not know the account, or not by this password."""


class Bounds(NamedTuple):
    """How many seconds looking up a name and connecting may take each, and a statement."""

    connect: float = 5
    statement: float = 10


BOUNDS = Bounds()


@contextmanager
def open_connection(parameters: Parameters, bounds: Bounds = BOUNDS) -> Iterator[Connection]:
    """
    Open a connection with libpq's ``parameters``, and close it at the end; every statement commits by itself. What
    the process's environment and the files in its account's home say about PostgreSQL has no effect.

    Raises UnreachableError, RefusedError, or MultihostError where there is no driver.
    """
    connection = connect(parameters, bounds)
    try:
        yield connection
    finally:
        connection.close()


def connect(parameters: Parameters, bounds: Bounds) -> Connection:
    """Return a connection to the first address that accepts one; raises as ``open_connection`` does."""
    refuse_missing_driver()
    for name in REMOVED:
        os.environ.pop(name, None)
    host, port = str(parameters.get("host", "")), str(parameters.get("port", PORT))
    addresses = find_addresses(host, port, bounds.connect)
    deadline = time.monotonic() + bounds.connect
    reason = ""
    for index, address in enumerate(addresses):
        seconds = max(LEAST_CONNECT, (deadline - time.monotonic()) / (len(addresses) - index))
        connection, reason = try_address(parameters, address, seconds, bounds)
        if connection is not None:
            return connection
    if any(refusal in reason for refusal in REFUSALS):
        kind = LoginRefusedError if LOGIN_REFUSALS.search(reason) else RefusedError
        raise kind(f"The database refused the connection: {reason}.")
    raise UnreachableError(f"The database cannot be reached: {reason}.")


def refuse_missing_driver() -> None:
    """Raise MultihostError where psycopg is not installed."""
    try:
        import psycopg  # noqa: F401  # an extra, which loads only where a database is read
    except ImportError:
        is_missing = True
    else:
        is_missing = False
    if is_missing:
        raise MultihostError(DRIVER_MISSING)


def try_address(parameters: Parameters, address: str, seconds: float, bounds: Bounds) -> tuple[Connection | None, str]:
    """Return a connection to one address, or None and why there is none; no error has the password in its frames."""
    import psycopg

    stated = {key: value.reveal() if isinstance(value, Secret) else value for key, value in parameters.items()}
    options = f"-c statement_timeout={int(bounds.statement * 1000)} {stated.pop('options', '')}".strip()
    known = {
        **ambient_overrides(STATED),
        **LIVENESS,
        "application_name": "multihost",
        "client_encoding": "UTF8",
        "host": "",
        "port": PORT,
        **stated,
        "options": options,
        "connect_timeout": str(int(seconds)),
    }
    if address:
        known["hostaddr"] = address
    try:
        return psycopg.connect(autocommit=True, prepare_threshold=None, **known), ""  # type: ignore[arg-type]
    except psycopg.Error as error:
        return None, reason_of(error)


def find_addresses(host: str, port: str, seconds: float) -> list[str]:
    """
    Return the addresses of a name, at most MOST_ADDRESSES; a blank one for a socket, and what is an address already.
    Raises UnreachableError.
    """
    with suppress(ValueError):
        return [str(ip_address(host))]
    if not host or host.startswith("/"):
        return [""]
    answers: SimpleQueue[list[str] | OSError] = SimpleQueue()

    def look_up() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
            answers.put([str(entry[4][0]) for entry in found])
        except OSError as error:
            answers.put(error)

    # Nothing ends a look-up: it is left behind.
    threading.Thread(target=look_up, daemon=True).start()
    try:
        answer = answers.get(timeout=seconds)
    except Empty:
        answer = TimeoutError(0, f"no name server answered within {seconds:g} seconds")
    if isinstance(answer, OSError):
        raise UnreachableError(f"The database cannot be reached: the name {shown(host)}: {answer.strerror}.")
    return list(dict.fromkeys(answer))[:MOST_ADDRESSES]


def fetch_row(
    connection: Connection, statement: str, values: Values = (), bounds: Bounds = BOUNDS
) -> tuple[Any, ...] | None:
    """Return the first row of what a statement finds; raises UnreachableError or RefusedError."""
    return next(iter(fetch_rows(connection, statement, values, bounds)), None)


def fetch_rows(
    connection: Connection, statement: str, values: Values = (), bounds: Bounds = BOUNDS
) -> list[tuple[Any, ...]]:
    """Return the rows of what a statement finds, if it finds any; raises UnreachableError or RefusedError."""
    import psycopg

    late = f"The database did not answer within {bounds.statement:g} seconds."
    with watch_over(connection, bounds.statement + GRACE) as has_cut:
        failure: Exception | None = None
        try:
            found = connection.execute(statement, values)
            return found.fetchall() if found.description else []
        except psycopg.errors.QueryCanceled:
            failure = UnreachableError(late)
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            failure = UnreachableError(late if has_cut.is_set() else f"The connection ended: {reason_of(error)}.")
        except psycopg.Error as error:
            failure = RefusedError(f"The database refused a statement: {reason_of(error)}.", error.sqlstate or "")
        except (RecursionError, ValueError):  # in what is read of JSON
            failure = RefusedError("The database answered with something that cannot be read.")
    raise failure


@contextmanager
def watch_over(connection: Connection, seconds: float) -> Iterator[threading.Event]:
    """
    Cut the connection after ``seconds``, which ends whatever waits for it; the event that is given is set then. No
    timeout of psycopg's does that: a cancellation waits for the server, and ``notifies`` returns without an error.
    """
    has_cut = threading.Event()
    # A descriptor of its own: psycopg's may be closed, and its number be that of another file, when the time has come.
    own = socket.socket(fileno=os.dup(connection.fileno()))

    def cut() -> None:
        has_cut.set()
        with suppress(OSError):
            own.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield has_cut
    finally:
        timer.cancel()
        timer.join()
        own.close()


def reason_of(error: Exception) -> str:
    """Return in a few words why there is no connection or no answer: what libpq says, less the address."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    reason = lines[0].rpartition(" failed: ")[2].strip().rstrip(".")
    return escape_unprintable(reason)[:REASON_LENGTH]
