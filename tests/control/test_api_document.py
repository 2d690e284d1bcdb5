"""Programs that know nothing but the OpenAPI document: one that looks for mistakes, and a client that is generated."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.control.clients import document, token_of
from tests.control.fleet import Fleet
from tests.control.live import Server, running_control

pytestmark = pytest.mark.projects

#: What a record may have is said by its problems, not by the document, so that many a valid body is refused.
LEFT_OUT = "positive_data_acceptance"
EXAMPLES, SEED = "4", "13"


@pytest.fixture(name="server")
def _server(live_fleet: Fleet, tmp_path: Path) -> Iterator[Server]:
    """Serve for one test: between two, Django's content types get other numbers, which a server remembers."""
    with running_control(tmp_path) as server:
        yield server


@pytest.fixture(name="token")
def _token(live_fleet: Fleet) -> str:
    live_fleet.add("aurora", aliases=["www.example.org"])
    return token_of(live_fleet.user("olga", operator=True))


def run(*words: str | Path, folder: Path, seconds: float = 600) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*map(str, words)], cwd=folder, capture_output=True, text=True, timeout=seconds, check=False)


def write_document(server: Server, token: str, folder: Path) -> Path:
    """Write the document as the server gives it."""
    found = server.ask("GET", "/openapi.json", token).body
    assert found == document()
    path = folder / "openapi.json"
    path.write_text(json.dumps(found))
    return path


def test_every_answer_to_random_requests_is_as_stated(server: Server, token: str, tmp_path: Path) -> None:
    """Valid and invalid requests of every operation, also without the token: no error, nothing that is not stated."""
    path = write_document(server, token, tmp_path)
    config = tmp_path / "schemathesis.toml"
    config.write_text("[generation]\ndatabase = 'none'\n")
    program = Path(sys.executable).with_name("schemathesis")
    done = run(
        *(program, "--config-file", config, "run", path, "--url", server.url),
        *("--header", f"Authorization: Bearer {token}", "--seed", SEED, "--max-examples", EXAMPLES),
        *("--phases", "examples,coverage,fuzzing", "--exclude-checks", LEFT_OUT, "--no-color", "--workers", "2"),
        *("--continue-on-failure", "--request-timeout", "60", "--no-shrink"),
        folder=tmp_path,
    )
    assert done.returncode == 0, done.stdout[-12000:] + done.stderr[-3000:]
    assert f"Tested: {len(operations())}" in done.stdout, done.stdout
    assert "Internal Server Error" not in server.log.read_text()


def operations() -> list[Any]:
    return [one for methods in document()["paths"].values() for one in methods.values()]


def test_generated_client_works(
    server: Server, token: str, live_fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_document(server, token, tmp_path)
    program = Path(sys.executable).with_name("openapi-python-client")
    config = tmp_path / "client.yaml"
    config.write_text("post_hooks: []\n")
    client_folder = tmp_path / "control_client"
    words = ("--path", path, "--config", config, "--meta", "none", "--output-path", client_folder)
    done = run(program, "generate", *words, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Warning" not in done.stdout + done.stderr, done.stdout + done.stderr
    monkeypatch.syspath_prepend(tmp_path)
    made = importlib.import_module("control_client")
    names = {"put_site": "sites", "patch_site": "sites", "list_sites": "sites", "list_events": "events"}
    sites = {name: importlib.import_module(f"control_client.api.{tag}.{name}") for name, tag in names.items()}
    models = importlib.import_module("control_client.models")
    client = made.AuthenticatedClient(base_url=server.url, token=token)
    record = models.RecordBodyRecord.from_dict({"hostnames": ["borealis.example.com"]})
    with client:
        created = sites["put_site"].sync("borealis", client=client, body=models.RecordBody(record=record))
        assert type(created).__name__ == "SiteChanged", created
        assert created.site.id == "borealis"
        patch = models.PatchBody(record=models.PatchBodyRecord.from_dict({"admins": ["a@example.com"]}))
        stale = sites["patch_site"].sync("borealis", client=client, body=patch, if_match='"7"')
        assert (stale.status, type(stale).__name__) == (412, "ProblemDetails")
        changed = sites["patch_site"].sync("borealis", client=client, body=patch, if_match='"1"')
        assert changed.revision == live_fleet.revision
        assert [site.id for site in sites["list_sites"].sync(client=client).sites] == ["aurora", "borealis"]
        page = sites["list_events"].sync(client=client, after=created.revision)
        assert [event.type_ for event in page.events] == ["site.changed"]
