"""
Joining a group by a token: the node makes a key and a password of its own, and gets a role of its own by one call. Neither
the key nor the password is ever sent.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from wagtail_multihost.files.writing import NewFile, write_files
from wagtail_multihost.node.opening import KEY_FILE
from wagtail_multihost.nodeapi import join_v1
from wagtail_multihost.nodeapi.connection import BOUNDS, fetch_row, open_connection
from wagtail_multihost.registry.postgres_service import connection_parameters
from wagtail_multihost.registry.postgres_url import Target, parse_postgres_url
from wagtail_multihost.sealing import make_key_file, public_bytes, read_key_file
from wagtail_multihost.spec.permissions import make_trusted_folders

if TYPE_CHECKING:
    from psycopg import Connection

PASSFILE = "pgpass"
FOLDER_MODE = 0o700
ALGORITHM = "scram-sha-256"


def join_group(registry: str, node: str, token_text: str, folder: Path, *, address: str = "", zone: str = "") -> str:
    """
    Join the group of a token as ``node``, and return the URL of the registry as the node's own role opens it. Its key and
    its password are kept in ``folder``; a node that joins again keeps its key. Raises ValueError for what is no token,
    and UnreachableError or RefusedError.
    """
    token = join_v1.parse_token(token_text)
    for new in make_trusted_folders(folder, FOLDER_MODE):
        new.chmod(FOLDER_MODE)
    try:
        key = read_key_file(folder / KEY_FILE)
    except FileNotFoundError:
        key = make_key_file(folder / KEY_FILE)
    password = secrets.token_urlsafe(32)
    public = public_bytes(key)
    target = parse_postgres_url(registry)
    parameters = {**connection_parameters(target), "user": join_v1.ROLE, "application_name": "multihost-agent"}
    with open_connection(parameters, BOUNDS) as connection:
        values = (
            *(token.id, token.shown_digest, node, address, zone, public, token.prove(node, public)),
            make_verifier(connection, password),
        )
        row = fetch_row(connection, join_v1.JOIN, values, BOUNDS)
    role = str(row[0]) if row else ""
    # libpq reads nothing but the password after the last colon of the first line that fits.
    write_files([NewFile(str(folder / PASSFILE), f"*:*:*:{role}:{password}\n".encode())])
    return Target({**target.parameters, "user": role, "passfile": str(folder / PASSFILE)}).url


def make_verifier(connection: Connection, password: str) -> str:
    """Return what the server keeps of a password, from which it cannot be told (libpq's PQencryptPasswordConn)."""
    return connection.pgconn.encrypt_password(password.encode(), b"", ALGORITHM.encode()).decode()
