"""The command line of the operator, and its folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from tests.accounts import needs_root
from tests.test_docs import DOCS, PAGES, blocks
from wagtail_multihost.exceptions import COULD_NOT, MultihostError
from wagtail_multihost.nodeapi.join_v1 import make_token
from wagtail_multihost.operations.operator import command
from wagtail_multihost.operations.operator.actions import print_status
from wagtail_multihost.operations.operator.command import make_parser, run
from wagtail_multihost.operations.operator.folder import OperatorFolder
from wagtail_multihost.operations.operator.known_nodes import KnownNodes
from wagtail_multihost.operations.operator.node_keys import NodeKey
from wagtail_multihost.operations.operator.tokens import GRACE, TokenStore
from wagtail_multihost.sealing import public_bytes

DATABASE = "postgresql://multihost_operator@127.0.0.1/control"
Said = Callable[..., str]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Said:
    """Run the command as an account that is not root; return what is on stderr after exit code 2."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "umask", lambda mask: mask)  # this process goes on with its own

    def refused(*words: str) -> str:
        try:
            code = run([*words])
        except SystemExit as ended:
            code = ended.code  # type: ignore[assignment]
        assert code == COULD_NOT
        return capsys.readouterr().err

    return refused


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "COMMAND"),
        (["run"], "--database"),
        (["run", "--database", "control"], "Write postgresql://"),
        (["run", "--database", "postgresql://a:hunter2@h/control"], "passfile"),
        (["run", "--database", DATABASE, "--poll", "0"], "1 to 3600"),
        (
            ["mint", "web", "--for", "1", "--database", DATABASE],
            "'1' is no length of time. Accepted: 90s, 30m, 2h, 1d.",
        ),
        (["mint", "web", "--for", "8d", "--database", DATABASE], "at most 7d"),
        (["mint", "web", "--nodes", "0", "--database", DATABASE], "1 to 10000"),
        (["mint", "web", "--nodes", "10001", "--database", DATABASE], "1 to 10000"),
        (["confirm", "web1", "abc", "--database", DATABASE], "64 hexadecimal digits"),
        (["rotate", "--database", DATABASE, "--folder", "/nowhere"], "/nowhere"),
        (["seal", "aurora", "hostnames", "--database", DATABASE], "no secret of a site"),
    ],
)
def test_mistake_is_a_sentence(said: Said, words: list[str], sentence: str) -> None:
    """Each wrong option ends the command before anything is asked, and no password is repeated."""
    text = said(*words)
    assert sentence in text
    assert "hunter2" not in text


def test_root_is_refused(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has the keys of all sites has no right beside."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert "does not run as root" in said("run", "--database", DATABASE)


def test_token_is_valid_for_an_hour_unless_stated() -> None:
    words = ["mint", "web", "--database", DATABASE]
    found = [make_parser().parse_args([*words, *more]).seconds for more in ([], ["--for", "90s"], ["--for", "7d"])]
    assert found == [3600, 90, 604_800]


def test_help_has_all_exit_codes_and_the_pages_have_commands_that_there_are() -> None:
    """Who writes a unit reads there what an exit code means."""
    text = make_parser().format_help()
    assert [code for code in command.EXIT_CODES if f"\n  {code}  " not in text] == []
    unit = (DOCS / "examples" / "multihost-operator.service").read_text(encoding="utf-8")
    texts = [unit, *(block for path in PAGES for block in blocks(path, "shell", "text"))]
    lines = "\n".join(texts).replace("\\\n", " ").splitlines()
    starts = [
        line.rpartition("multihost-operator ")[2].split("|")[0].split("<")[0]
        for line in lines
        if "multihost-operator " in line
    ]
    found = [words.replace('"', "").split() for words in starts if "--database" in words]
    assert len(found) > 6
    for words in found:
        places = {"FINGERPRINT": "0" * 64}
        assert make_parser().parse_args([places.get(word, word) for word in words]).database


@pytest.mark.parametrize("package", ["cryptography", "psycopg"])
def test_missing_package_is_a_sentence(package: str) -> None:
    """Without the extra the command says how to install it."""
    code = (
        f"import sys; sys.modules[{package!r}] = None; from wagtail_multihost.operations.operator.command import run; "
    )
    code += "run(['init', '--development'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == COULD_NOT
    assert "pip install 'wagtail-multihost[operator]'" in done.stderr


# The folder.


def test_keys_are_made_once_and_are_the_accounts_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Public parts are printed, and nothing of the private ones."""
    before = os.umask(0o022)
    try:
        printed = [
            (run(["init", "--development", "--folder", str(tmp_path / "operator")]), capsys.readouterr())
            for _ in range(2)
        ]
    finally:
        os.umask(before)
    assert [code for code, _ in printed] == [0, 0]
    assert printed[0][1].out == printed[1][1].out
    assert [line.split()[0] for line in printed[0][1].out.splitlines()] == ["recovery", "bundle"]
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "operator").iterdir()}
    assert modes == {"recovery.key": 0o600, "bundle.key": 0o600}
    assert "PRIVATE" not in printed[0][1].out


@pytest.mark.parametrize("name", ["", "recovery.key", "tokens.json", "nodes.json"])
def test_what_others_can_read_or_change_is_not_used(tmp_path: Path, name: str) -> None:
    folder = OperatorFolder(tmp_path / "operator")
    folder.make()
    TokenStore(folder).mint("web", "all", 60)
    KnownNodes(folder).confirm(node_key("web1"))
    path = folder.path / name
    path.chmod(path.stat().st_mode | 0o044)
    with pytest.raises(MultihostError, match="mode"):
        folder.recovery_key()
        KnownNodes(folder).choose_known([node_key("web1")])
        TokenStore(folder).read()


@needs_root
def test_folder_of_another_account_is_not_used(tmp_path: Path) -> None:
    """Nor one that another account could put another in the place of."""
    folder = OperatorFolder(tmp_path / "a" / "operator")
    folder.path.parent.mkdir(0o777)
    folder.path.parent.chmod(0o777)
    with pytest.raises(MultihostError, match="mode 0777"):
        folder.make()
    folder.path.parent.chmod(0o755)
    os.chown(folder.path, 65534, 65534)
    with pytest.raises(MultihostError, match="belongs to"):
        folder.recovery_key()


def node_key(node: str, group: str = "web", holds: str = "all", key: X25519PrivateKey | None = None) -> NodeKey:
    return NodeKey(node, group, holds, "active", public_bytes(key or KEY), None, None, None)


KEY = X25519PrivateKey.generate()


def test_key_is_known_in_its_group_alone(tmp_path: Path) -> None:
    """Not with another key, under another id, in another group, or in one that holds something else now."""
    folder = OperatorFolder(tmp_path / "operator")
    folder.make()
    known = KnownNodes(folder)
    known.confirm(node_key("web1"))
    others = [
        *(node_key("web1", "other"), node_key("web1", holds="placed"), node_key("web2")),
        node_key("web1", key=X25519PrivateKey.generate()),
    ]
    assert known.choose_known([node_key("web1"), *others]) == [node_key("web1")]


def test_proof_of_a_token_is_taken_for_a_day_after_its_end(tmp_path: Path) -> None:
    """And is remembered when it was taken; a token of another operator proves nothing."""
    folder = OperatorFolder(tmp_path / "operator")
    folder.make()
    token = TokenStore(folder, lambda: 0.0).mint("web", "all", 60)
    key = node_key("web1")
    proven = key._replace(token=token.id, proof=token.prove("web1", key.public_key))
    stranger = make_token()
    forged = key._replace(token=stranger.id, proof=stranger.prove("web1", key.public_key))
    late, early = KnownNodes(folder, lambda: GRACE + 61.0), KnownNodes(folder, lambda: GRACE + 59.0)
    assert late.choose_known([proven]) == early.choose_known([forged]) == []
    assert early.choose_known([proven]) == [proven]
    assert late.choose_known([proven]) == [proven]


def test_status_shows_times_as_people_read_them(capsys: pytest.CaptureFixture[str]) -> None:
    node = {"node": "web1", "group": "web", "state": "active", "is_known": True, "unsealed": 0}
    print_status(
        {
            "nodes": [{**node, "seen_at": "2026-12-01T12:56:31+00:00"}, {**node, "seen_at": None}],
            "recovery_is_changing": False,
            "sites_without_key": [],
            "imported_sites_without_key": [],
            "sites_without_probe_key": [],
        }
    )
    first, second = capsys.readouterr().out.splitlines()[:2]
    assert first.startswith("web1 (web, active, seen 2026-12-01 12:56:31 UTC) is known")
    assert second.startswith("web1 (web, active, never seen) is known")
