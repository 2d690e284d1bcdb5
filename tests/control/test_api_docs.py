"""What the documentation says of the API is so: the copy of its document, the how-to's commands, the script."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from tests.control.clients import document, token_of
from tests.control.fleet import Fleet
from tests.control.live import ROOT_FOLDER, Server, running_control
from wagtail_multihost.control.api.schemas import Action
from wagtail_multihost.control.models import ACTIONS, Event

DOCS = ROOT_FOLDER / "docs"
HOW_TO = DOCS / "how-to" / "use-the-api.md"
COPY = DOCS / "reference" / "control-api.json"
SCRIPT = DOCS / "examples" / "create-site-by-api.sh"
CONTROL = "https://control.example.org"


@pytest.fixture(name="server")
def _server(live_fleet: Fleet, tmp_path: Path) -> Iterator[Server]:
    """Serve for one test: between two, Django's content types get other numbers, which a server remembers."""
    with running_control(tmp_path) as server:
        yield server


@pytest.fixture(name="token")
def _token(live_fleet: Fleet) -> str:
    return token_of(live_fleet.user("olga", operator=True))


def test_copy_of_the_document_is_the_document(request: pytest.FixtureRequest) -> None:
    text = json.dumps(document(), indent=1, sort_keys=True) + "\n"
    if request.config.getoption("--regenerate"):
        COPY.write_text(text, encoding="utf-8")
    assert COPY.read_text(encoding="utf-8") == text, "Run pytest tests/control/test_api_docs.py --regenerate."


def commands() -> list[str]:
    """Return the blocks of the how-to that ask the API."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", HOW_TO.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [block for block in blocks if "curl -K" in block]


@pytest.mark.projects
def test_commands_of_the_how_to_work(server: Server, token: str, live_fleet: Fleet, tmp_path: Path) -> None:
    """One after the other, each as it stands but for the address of the control site."""
    (tmp_path / "control.curl").write_text(f'header = "Authorization: Bearer {token}"\nfail-with-body\n')
    assert len(commands()) == 6
    for block in commands():
        text = block.replace(CONTROL, server.url).replace("wait=25", "wait=1")
        done = subprocess.run(["sh", "-euc", text], cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
    dione = live_fleet.site("dione")
    assert dione.record["hostnames"] == ["dione.example.org"]
    assert dione.record["aliases"] == ["www.dione.example.org"]
    assert dione.labels == {"customer": "north", "wave": "first"}
    assert live_fleet.site("rhea").generation == 1
    assert Event.objects.get(site="rhea").metadata["reason"] == "the first wave"


@pytest.mark.projects
def test_script_creates_a_site_and_waits_for_it(server: Server, token: str, live_fleet: Fleet, tmp_path: Path) -> None:
    """The login page of the control site stands in for the site: nothing serves sites here."""
    (tmp_path / "token").write_text(token)
    environ = {**os.environ, "CONTROL": server.url, "TOKEN_FILE": str(tmp_path / "token")}
    words = ["sh", str(SCRIPT), "dione", "dione.example.org", "www.dione.example.org"]

    def run(**variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words, env={**environ, **variables}, cwd=tmp_path, capture_output=True, text=True, timeout=60
        )

    done = run(SITE_URL=f"{server.url}/admin/login/")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("/admin/login/ answers.\n")
    assert live_fleet.site("dione").record["aliases"] == ["www.dione.example.org"]
    again = run(SITE_URL=f"{server.url}/admin/login/")
    assert again.returncode != 0
    assert "412" in again.stdout + again.stderr
    words[2:] = ["rhea", "rhea.example.org", "www.rhea.example.org"]
    silent = run(SITE_URL=f"{server.url}/nowhere/", SECONDS_TO_WAIT="2")
    assert (silent.returncode, silent.stderr.strip()) == (1, f"{server.url}/nowhere/ does not answer.")


def test_document_has_the_actions_that_there_are() -> None:
    assert get_args(Action) == ACTIONS
