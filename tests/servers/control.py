"""A control database: the tables that the views of nodes read, filled by plain SQL, and the files of a node beside."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.servers.postgres import HOST, SUPERUSER, Postgres, running_postgres, serve_command
from tests.servers.processes import running, wait_for
from wagtail_multihost.nodeapi import v1
from wagtail_multihost.registry import open_registry
from wagtail_multihost.registry.base import Registry

DATABASE, READER = "control", "reader"
PLATFORM_KEY = "platform-key-0123456789-0123456789-0123456789"
#: What the migrations of the control app make, as far as the views read it.
TABLES = """
CREATE TABLE control_head (id smallint PRIMARY KEY, incarnation uuid, revision bigint, oldest bigint);
CREATE TABLE control_platform (id smallint PRIMARY KEY, record jsonb, generation bigint);
CREATE TABLE control_site (
    uid uuid PRIMARY KEY, id varchar(40) COLLATE "C", generation bigint, record jsonb, retired_at timestamptz
);
CREATE UNIQUE INDEX ON control_site (id) WHERE retired_at IS NULL;
CREATE TABLE control_event (
    revision bigint PRIMARY KEY, type varchar, at timestamptz, site varchar, uid uuid, generation bigint, actor varchar,
    request uuid, metadata jsonb
);
INSERT INTO control_head VALUES (1, gen_random_uuid(), 40, 1);
INSERT INTO control_platform VALUES (1, '{"name": "aviary"}', 1);
"""
RIGHTS = f"GRANT USAGE ON SCHEMA {v1.SCHEMA} TO reader; GRANT SELECT ON ALL TABLES IN SCHEMA {v1.SCHEMA} TO reader"


@dataclass
class Control:
    """The database on a ``server``, and a ``folder`` with the files of a node that reads it as a role of its own."""

    server: Postgres
    folder: Path
    password: str
    stack: contextlib.ExitStack

    @property
    def url(self) -> str:
        return f"postgres://{READER}@{HOST}:{self.server.port}/{DATABASE}?passfile={self.passfile}"

    @property
    def passfile(self) -> Path:
        return self.folder / "passfile"

    @property
    def node_file(self) -> Path:
        return self.folder / "node.toml"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def environ(self) -> dict[str, str]:
        """The variables with which a command reads the registry."""
        return {"MULTIHOST_NODE_FILE": str(self.node_file), "MULTIHOST_REGISTRY": self.url}

    def registry(self, **variables: str) -> Registry:
        return open_registry(None, {**self.environ, **variables})

    def run(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with self.server.connect(DATABASE) as connection:
            cursor = connection.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def tick(self) -> int:
        """Raise the revision, as each change does, and return it."""
        return int(self.run("UPDATE control_head SET revision = revision + 1 RETURNING revision")[0][0])

    def add(self, site: str, **record: object) -> None:
        """Register a site, pinned as registration does it."""
        table = {"hostnames": [f"{site}.example.org"], "uid": str(uuid4()), "names": names_of(site), **record}
        statement = "INSERT INTO control_site (uid, id, generation, record) VALUES (%s, %s, 1, %s)"
        self.run(statement, table["uid"], site, json.dumps(table))
        self.tick()

    def change(self, site: str, **record: object) -> None:
        self.run("UPDATE control_site SET record = record || %s WHERE id = %s", json.dumps(record), site)
        self.tick()

    def retire(self, site: str) -> None:
        self.run("UPDATE control_site SET retired_at = now() WHERE id = %s", site)
        self.tick()

    def change_platform(self, **record: object) -> None:
        self.run("UPDATE control_platform SET record = record || %s", json.dumps(record))
        self.tick()

    def write_node_file(self, more: str = "", *, platform: str = "") -> None:
        """State the folder of data, those of snapshots and secrets, and what else is given."""
        head = f'[platform]\ndata = "{self.data}"\nsnapshots = "{self.folder}/snapshots"\n'
        head += f'secret_key_file = "{self.folder}/platform.key"\n{platform}\n'
        rules = f'[secrets]\nfiles = "{self.folder}/secrets/{{site}}"\nvariables = "MULTIHOST_SECRET_{{SITE}}_"\n'
        self.node_file.write_text(f"{head}{rules}{more}", encoding="utf-8")
        self.node_file.chmod(0o600)


def names_of(site: str) -> dict[str, str]:
    """Return the names of a site that a platform called aviary gives it."""
    plain = site.replace("-", "_")
    return {
        "database": f"aviary__{plain}",
        "role": f"aviary__{plain}",
        "bucket": f"aviary--{site}",
        "key_prefix": f"aviary.{site}",
        "index_prefix": f"aviary_{plain}_",
        "socket": f"{site}.sock",
    }


@contextlib.contextmanager
def stopped(control: Control) -> Iterator[None]:
    """Stop the server, and start it again at the end, as a restart does."""
    cluster = control.folder / "postgres" / "cluster"
    os.kill(int((cluster / "postmaster.pid").read_text().split()[0]), signal.SIGINT)
    wait_for(lambda: not (cluster / "postmaster.pid").exists(), "PostgreSQL to stop")
    try:
        yield
    finally:
        command = serve_command(cluster, control.server.port)
        control.stack.enter_context(running(command, control.folder / "again.log", cwd=Path("/")))
        wait_for(control.server.is_up, "PostgreSQL")


@contextlib.contextmanager
def running_control() -> Iterator[Control]:
    """Serve a control database without sites, in a folder that the server's account may pass."""
    with tempfile.TemporaryDirectory(prefix="multihost-control-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        with running_postgres(folder / "postgres") as server, contextlib.ExitStack() as stack:
            yield make_control(server, folder, stack)


def make_control(server: Postgres, folder: Path, stack: contextlib.ExitStack) -> Control:
    control = Control(server, folder, secrets.token_urlsafe(12), stack)
    server.add_role(READER, control.password)
    server.execute(SUPERUSER, "CREATE DATABASE {}", DATABASE)
    for statement in (TABLES, v1.CREATE, RIGHTS):
        control.run(statement)
    control.passfile.write_text(f"{HOST}:{server.port}:{DATABASE}:{READER}:{control.password}\n")
    control.passfile.chmod(0o600)
    (folder / "platform.key").write_text(PLATFORM_KEY)
    (folder / "platform.key").chmod(0o600)
    control.data.mkdir()
    control.write_node_file()
    return control


def reset(control: Control) -> Control:
    """Empty the database and the node's folders, between two tests."""
    control.run("DELETE FROM control_site")
    control.run("""UPDATE control_platform SET record = '{"name": "aviary"}'""")
    control.run("UPDATE control_head SET incarnation = gen_random_uuid(), revision = 40")
    for folder in (control.data, control.folder / "snapshots"):
        shutil.rmtree(folder, ignore_errors=True)
    control.data.mkdir()
    control.write_node_file()
    return control
