"""When a node that joined by a token joins once more."""

from __future__ import annotations

from pathlib import Path

import pytest

from wagtail_multihost.node.joining import Login, keep_login
from wagtail_multihost.node.options import AgentOptions
from wagtail_multihost.nodeapi.connection import LoginRefusedError, MultihostError, RefusedError, UnreachableError

KEPT, NEW = "postgres://multihost_node_web1@db/control", "postgres://multihost_node_web1@db/other"


@pytest.fixture(name="options")
def _options(tmp_path: Path) -> AgentOptions:
    options = AgentOptions(
        registry="postgres://db/control",
        node="web1",
        targets=("uwsgi",),
        output=tmp_path,
        release=tmp_path,
        join=tmp_path / "token",
    )
    keep_login(tmp_path, options, KEPT)
    return options


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (UnreachableError("The connection ended."), ""),
        (RefusedError("The database refused a statement: permission denied for function report.", "42501"), ""),
        (RefusedError("The database refused the connection: no pg_hba.conf entry for host."), ""),
        (LoginRefusedError("The database refused the connection: password authentication failed."), NEW),
    ],
)
def test_only_an_unknown_login_is_replaced(
    options: AgentOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: MultihostError, expected: str
) -> None:
    """Front servers drop a node that joins: all nodes would go at once, while control's database is migrated, say."""
    login = Login(options, lambda: 1000.0)
    monkeypatch.setattr(login, "join", lambda folder: NEW)
    assert (login.find(tmp_path), login.find(tmp_path)) == (KEPT, "")
    login.note_refusal(error)
    assert login.find(tmp_path) == expected
