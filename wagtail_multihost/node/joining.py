"""
Joining a group by a token: the node makes a key and a password of its own, and gets a role of its own by one call.
Neither the key nor the password is ever sent.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from wagtail_multihost.emitters.apply.programs import program_environment, run_program
from wagtail_multihost.exceptions import MultihostError, SecretUnreadableError
from wagtail_multihost.files.reading import read_no_follow
from wagtail_multihost.files.writing import NewFile, write_files
from wagtail_multihost.node.opening import KEY_FILE
from wagtail_multihost.nodeapi import join_v1, node_v1
from wagtail_multihost.nodeapi.connection import (
    BOUNDS,
    LoginRefusedError,
    RefusedError,
    UnreachableError,
    fetch_row,
    open_connection,
)
from wagtail_multihost.registry.postgres_service import connection_parameters
from wagtail_multihost.registry.postgres_url import Target, parse_postgres_url, postgres_url_problem
from wagtail_multihost.sealing import make_key_file, public_bytes, read_key_file
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.permissions import (
    OWNER_ALONE,
    access_problem,
    make_trusted_folders,
    own_accounts,
    path_problem,
)
from wagtail_multihost.spec.secret import Secret

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
    from psycopg import Connection

    from wagtail_multihost.node.options import AgentOptions

PASSFILE, LOGIN_FILE = "pgpass", "login.json"
FOLDER_MODE = 0o700
ALGORITHM = "scram-sha-256"
OWN_ROLE = re.compile(rf"{node_v1.ROLE}_[a-z0-9_]+")
COMMAND_SECONDS = 30
MOST_OUTPUT = 10_000
#: Seconds between two attempts to join: the database, or whoever gives tokens, has said no.
AGAIN_AFTER = 60.0


class Login:
    """
    The login of a node that joins by a token: the one that it has kept, or else a new one. A login that the database
    refuses, as that of a node which was forgotten, is replaced.
    """

    def __init__(self, options: AgentOptions, clock: Callable[[], float] = time.monotonic) -> None:
        self.options = options
        self.clock = clock
        self.is_settled = options.join is None and not options.token_command
        self.next_attempt = 0.0
        self.was_refused = False

    def find(self, folder: Path) -> str:
        """
        Return the URL of the registry as the node's own role opens it, if that has changed; blank otherwise. Raises
        UnreachableError and RefusedError.
        """
        if self.is_settled:
            return ""
        url = "" if self.was_refused else read_login(folder, self.options)
        if not url:
            if self.clock() < self.next_attempt:
                raise RefusedError("This node has not been let in. It asks again.")
            self.next_attempt = self.clock() + AGAIN_AFTER
            url = self.join(folder)
        self.is_settled, self.was_refused = True, False
        return url

    def join(self, folder: Path) -> str:
        options = self.options
        try:
            token = find_token(options)
            url = join_group(options.registry, options.node, token, folder, address=options.address, zone=options.zone)
            keep_login(folder, options, url)
        except UnreachableError:
            self.next_attempt = 0.0
            raise
        except (MultihostError, ValueError) as error:
            raise error if isinstance(error, RefusedError) else RefusedError(f"Joining: {error}") from None
        except OSError as error:
            raise RefusedError(f"Joining: {error.filename}: {error.strerror}.") from None
        return url

    def note_refusal(self, error: MultihostError) -> None:
        """
        Join anew where the database does not know the login any more, and for no other refusal: a node that joins is
        asked by no front server until it has started.
        """
        if isinstance(error, LoginRefusedError) and (self.options.join or self.options.token_command):
            self.was_refused, self.is_settled = True, False


def find_token(options: AgentOptions) -> str:
    """Return the token of the file or the command that the node file states; raises MultihostError."""
    if options.join is None:
        return run_token_command(options.token_command)
    try:
        return Secret.from_file(options.join).reveal()
    except SecretUnreadableError as error:
        raise MultihostError(f"agent.join: {error}") from None


def run_token_command(command: tuple[str, ...]) -> str:
    """Return the token that a command prints on a line of its own, within COMMAND_SECONDS; raises MultihostError."""
    what = f"agent.token_command: {command[0]}"
    output = os.memfd_create("token", os.MFD_CLOEXEC)
    try:
        with run_program(command, program_environment(), output=output) as process:
            process.wait(COMMAND_SECONDS)
        lines = os.pread(output, MOST_OUTPUT, 0).decode(errors="replace").splitlines()
    except subprocess.TimeoutExpired:
        raise MultihostError(f"{what} did not end within {COMMAND_SECONDS} seconds.") from None
    except OSError as error:
        raise MultihostError(f"{what} cannot be run: {error.strerror}.") from None
    finally:
        os.close(output)
    tokens = [line for line in lines if is_token(line)]
    if process.returncode or not tokens:
        raise MultihostError(f"{what} printed no group's token, and ended with exit code {process.returncode}.")
    return tokens[0]


def is_token(line: str) -> bool:
    try:
        join_v1.parse_token(line)
    except ValueError:
        return False
    return True


def join_group(registry: str, node: str, token_text: str, folder: Path, *, address: str = "", zone: str = "") -> str:
    """
    Join the group of a token as ``node``, and return the URL of the registry as the node's own role opens it. Its key
    and its password are kept in ``folder``; a node that joins again keeps its key. Raises ValueError for what is no
    token, and UnreachableError or RefusedError.
    """
    token = join_v1.parse_token(token_text)
    public = public_bytes(find_key(folder))
    password = secrets.token_urlsafe(32)
    target = parse_postgres_url(registry)
    parameters = {**connection_parameters(target), "user": join_v1.ROLE, "application_name": "multihost-agent"}
    with open_connection(parameters, BOUNDS) as connection:
        values = (
            *(token.id, token.shown_digest, node, address, zone, public, token.prove(node, public)),
            make_verifier(connection, password),
        )
        row = fetch_row(connection, join_v1.JOIN, values, BOUNDS)
    role = str(row[0]) if row else ""
    if not OWN_ROLE.fullmatch(role):
        raise RefusedError(f"The database gave this node the role {shown(role)}, which is not one of nodes.")
    # libpq reads nothing but the password after the last colon of the first line that fits.
    write_files([NewFile(str(folder / PASSFILE), f"*:*:*:{role}:{password}\n".encode())])
    return Target({**target.parameters, "user": role, "passfile": str(folder / PASSFILE)}).url


def find_key(folder: Path) -> X25519PrivateKey:
    """Return the node's key in its folder, which is made if there is none; raises SealingError and OSError."""
    for new in make_trusted_folders(folder, FOLDER_MODE):
        new.chmod(FOLDER_MODE)
    try:
        return read_key_file(folder / KEY_FILE)
    except FileNotFoundError:
        return make_key_file(folder / KEY_FILE)


def make_verifier(connection: Connection, password: str) -> str:
    """Return what the server keeps of a password, from which it cannot be told (libpq's PQencryptPasswordConn)."""
    return connection.pgconn.encrypt_password(password.encode(), b"", ALGORITHM.encode()).decode()


def keep_login(folder: Path, options: AgentOptions, url: str) -> None:
    """Keep the URL by which this node opens its registry; raises OSError."""
    document = {"registry": options.registry, "node": options.node, "url": url}
    write_files([NewFile(str(folder / LOGIN_FILE), f"{json.dumps(document)}\n".encode())])


def read_login(folder: Path, options: AgentOptions) -> str:
    """Return the URL that was kept; blank if there is none for this node and registry, or it is not to be trusted."""
    path = folder / LOGIN_FILE
    try:
        data, status = read_no_follow(path)
        document = json.loads(data)
    except (OSError, ValueError, RecursionError):
        return ""
    if access_problem(status, OWNER_ALONE, own_accounts()) or path_problem(path) or not isinstance(document, dict):
        return ""
    url = document.get("url")
    is_own = (document.get("registry"), document.get("node")) == (options.registry, options.node)
    return url if is_own and isinstance(url, str) and not postgres_url_problem(url) else ""
