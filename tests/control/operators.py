"""The operator on the test database: its folder, its rounds, and its command as a process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.control.roles import PASSWORD, Roles
from tests.servers.postgres import HOST
from wagtail_multihost.control.roles import JOIN
from wagtail_multihost.control.roles import OPERATOR as ROLE
from wagtail_multihost.node.joining import find_key, join_group
from wagtail_multihost.nodeapi.join_v1 import GroupToken
from wagtail_multihost.operations.operator.actions import MINT
from wagtail_multihost.operations.operator.database import OperatorDatabase
from wagtail_multihost.operations.operator.folder import OperatorFolder
from wagtail_multihost.operations.operator.ticks import Operator, Rounds
from wagtail_multihost.operations.operator.tokens import TokenStore
from wagtail_multihost.registry.postgres_url import parse_postgres_url


class OperatorHere:
    """An operator with a new folder below ``root``."""

    def __init__(self, roles: Roles, root: Path) -> None:
        self.roles, self.root = roles, root
        self.folder = OperatorFolder(root / "operator")
        self.folder.make()
        self.database = OperatorDatabase(parse_postgres_url(self.url(ROLE)))
        self.operator = Operator(self.folder, self.database)
        self.rounds = Rounds(self.operator)

    def url(self, role: str) -> str:
        """Return the URL of the database as a role opens it, with the password of tests in a file."""
        path = self.root / f"{role}.pgpass"
        path.write_text(f"*:*:*:{role}:{PASSWORD}\n")
        path.chmod(0o600)
        return f"postgresql://{role}@{HOST}:{self.roles.server.port}/{self.roles.database}?passfile={path}"

    def work(self) -> None:
        """Do all that is due."""
        while self.rounds.turn():
            pass
        assert not self.rounds.failed, self.rounds.failed

    def mint(self, group: str = "web", holds: str = "all", seconds: int = 60, nodes: int = 20) -> GroupToken:
        token = TokenStore(self.folder).mint(group, holds, seconds)
        self.database.ask(MINT, (token.id, group, token.kept_digest, seconds, nodes))
        return token

    def join(self, node: str, token: str, folder: Path | None = None) -> str:
        """Let a node join; return the URL of its own login. Its folder is named after it."""
        folder = folder or self.root / node
        return join_group(self.url(JOIN), node, token, folder)

    def key_of(self, node: str) -> Any:
        return find_key(self.root / node)

    def command(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run the command as a process, with this folder and database."""
        name, *more = words
        options = ["--development", "--folder", str(self.folder.path)]
        options += [] if name == "init" else ["--database", self.url(ROLE)]
        program = [sys.executable, "-P", "-m", "wagtail_multihost.operations.operator"]
        return subprocess.run(
            [*program, name, *options, *more], input=stdin, capture_output=True, text=True, check=False, timeout=60
        )

    def drop(self, *nodes: str) -> None:
        for node in nodes:
            self.roles.server.execute(self.roles.database, "DROP ROLE IF EXISTS {}", f"multihost_node_{node}")

    def close(self) -> None:
        self.database.close()
