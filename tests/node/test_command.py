"""What the agent's command refuses before it does anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from wagtail_multihost.node.command import run


@pytest.mark.parametrize("arguments", [["--json"], ["--once", "--json"], ["--let-go", "aurora", "--json"]])
def test_json_without_a_check_starts_no_agent(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(arguments)
    assert ended.value.code == 2
    assert "--json is for --check alone" in capsys.readouterr().err


def test_folder_that_cannot_be_made_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = ["[agent]", 'registry = "postgres:///control"', 'node = "web1"', 'targets = ["nginx"]']
    lines += ['output = "/etc/multihost"', 'release = "/srv/release.json"', 'state = "/proc/state"']
    path = tmp_path / "node.toml"
    path.write_text("\n".join(lines))
    path.chmod(0o600)
    monkeypatch.setenv("MULTIHOST_NODE_FILE", str(path))
    assert run(["--fingerprint"]) == 2
    assert "/proc/state: The node's key cannot be kept there: No such file or directory." in capsys.readouterr().err
