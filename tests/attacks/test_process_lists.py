"""What another account sees of the documented commands while they run: their arguments, and never a secret."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.accounts import needs_root
from tests.attacks.cluster import make_site, opened_cluster
from tests.servers.postgres import HOST, SUPERUSER, Postgres
from tests.test_docs import DOCS, blocks

pytestmark = [pytest.mark.servers, needs_root]

PROGRAMS = ("psql", "curl", "sed", "cat")
#: Stands before a program in PATH: notes what ``nobody`` can read of this process, and becomes the program. Nothing is
#: missed, as by a look now and then: the arguments and variables stay what they are here.
WITNESS = """#!/bin/sh
/usr/bin/setpriv --reuid nobody --regid nogroup --clear-groups \\
    /bin/cat /proc/$$/cmdline /proc/$$/environ >> {seen} 2>> {seen}.refused
exec {program} "$@"
"""


class Witness:
    """A folder for the front of PATH, and what another account has seen of the programs there."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder / "bin", folder / "seen"
        self.folder.mkdir()
        for name in PROGRAMS:
            script = self.folder / name
            script.write_text(WITNESS.format(seen=self.file, program=f"/usr/bin/{name}"))
            script.chmod(0o755)

    def run(self, command: str, **variables: str) -> str:
        """Run a shell's line; return what was seen of it."""
        self.file.write_text("")
        environ = {"PATH": f"{self.folder}:{os.defpath}", **variables}
        done = subprocess.run(
            ["sh", "-c", command], env=environ, cwd=DOCS / "examples", capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return self.file.read_bytes().replace(b"\0", b" ").decode()


@pytest.fixture(name="witness")
def _witness(tmp_path: Path) -> Witness:
    return Witness(tmp_path)


@pytest.fixture(name="server", scope="module")
def _server() -> Iterator[tuple[Postgres, Path]]:
    with opened_cluster() as opened:
        yield opened


def documented(page: str, start: str) -> str:
    """Return the line of a page's commands that starts so."""
    lines = [line for text in blocks(DOCS / "how-to" / page, "shell") for line in text.splitlines()]
    (found,) = [line for line in lines if line.startswith(start)]
    return found


def variables_of(server: Postgres, folder: Path) -> dict[str, str]:
    passfile = folder / "superuser"
    passfile.touch(mode=0o600)
    passfile.write_text(f"{HOST}:*:*:{SUPERUSER}:{server.password}\n")
    return {"PGHOST": HOST, "PGPORT": str(server.port), "PGUSER": SUPERUSER, "PGPASSFILE": str(passfile)}


def test_password_of_a_new_role_is_in_no_process_list(
    server: tuple[Postgres, Path], tmp_path: Path, witness: Witness
) -> None:
    """The documented psql, run as it is written, makes a role that can log in, and nobody sees its password."""
    password = secrets.token_urlsafe(16)
    file = tmp_path / "password"
    file.write_text(f"{password}\n")
    line = documented("use-postgresql-redis-s3.md", "psql ").replace("/run/secrets/aurora_db", str(file))
    seen = witness.run(line, **variables_of(server[0], tmp_path))
    assert "site_name=aviary__aurora" in seen
    assert f"cat {file}" in seen
    assert password not in seen
    server[0].connect("aviary__aurora", "aviary__aurora", password).close()


def test_password_that_is_an_argument_is_seen(server: tuple[Postgres, Path], tmp_path: Path, witness: Witness) -> None:
    """The witness bites: it sees a password among the arguments, and no variable of another account's process."""
    line = """psql -X -v site_password="$(cat secret)" -c "SELECT 1" """.replace("secret", str(tmp_path / "file"))
    (tmp_path / "file").write_text("seen-by-everybody")
    seen = witness.run(line, **variables_of(server[0], tmp_path), OWN_VARIABLE="seen-by-nobody-else")
    assert "seen-by-everybody" in seen
    assert "seen-by-nobody-else" not in seen
    assert "Permission denied" in Path(f"{witness.file}.refused").read_text()


def test_missing_password_makes_no_role(server: tuple[Postgres, Path], tmp_path: Path) -> None:
    """Where the file of the password is empty, the script makes nothing and says why."""
    file = tmp_path / "empty"
    file.touch()
    words = ["psql", "-X", "-q", "-v", "site_name=aviary__lyra", "-v", f"password_file={file}", "-f", "create-site.sql"]
    environ = {"PATH": os.defpath, **variables_of(server[0], tmp_path)}
    done = subprocess.run(words, env=environ, cwd=DOCS / "examples", capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "The file of the password is empty" in done.stderr
    assert server[0].execute(SUPERUSER, "SELECT FROM pg_roles WHERE rolname = 'aviary__lyra'") == []


def test_made_by_the_script_is_what_the_tests_use(server: tuple[Postgres, Path]) -> None:
    """The password that ends with a line break in its file is the one that logs in."""
    assert make_site(*server, "aviary__vela").is_served()


@pytest.mark.parametrize(
    ("page", "start", "token_from"),
    [
        ("drain-before-stopping.md", "sed ", "/run/secrets/health-token"),
        (
            "probe-health.md",
            "python manage.py multihost_health --token | ",
            "python manage.py multihost_health --token",
        ),
    ],
)
def test_token_of_a_request_is_in_no_process_list(
    tmp_path: Path, witness: Witness, page: str, start: str, token_from: str
) -> None:
    """The documented curl sends the token of a site, and nobody sees it."""
    token, heard = secrets.token_urlsafe(16), []

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            heard.append(self.headers["Authorization"])
            self.send_response(200)
            self.end_headers()

        do_GET = do_POST = answer  # http.server asks for these names

        def log_message(self, *words: object) -> None:
            pass

    (tmp_path / "token").write_text(f"{token}\n")
    web = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=web.handle_request)
    thread.start()
    source = str(tmp_path / "token") if token_from.startswith("/") else f"cat {tmp_path / 'token'}"
    line = re.sub(r"127\.0\.0\.1:8000", f"127.0.0.1:{web.server_port}", documented(page, start))
    seen = witness.run(line.replace(token_from, source))
    thread.join(10)
    web.server_close()
    assert heard == [f"Bearer {token}"]
    assert "curl" in seen
    assert token not in seen
