"""How a node says whether it may be asked: by files, and by the command's exit code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.node.machine import Machine
from tests.spec.samples import a_platform
from wagtail_multihost.node.agent import Agent
from wagtail_multihost.node.command import run
from wagtail_multihost.node.monitor_link import Saying
from wagtail_multihost.node.planning import Planner
from wagtail_multihost.node.supervising import Supervisor
from wagtail_multihost.nodeapi.node_states import MONITOR_SILENT
from wagtail_multihost.spec.nginx import NginxOptions


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    return tmp_path


def test_unhealthy_node_is_not_ready_and_nginx_is_told(folder: Path) -> None:
    ready, marker = folder / "ready", folder / "unhealthy"
    supervisor = Supervisor({}, ready)
    supervisor.tell_ready()
    for is_healthy in (True, False, False, True):
        supervisor.show_health(is_healthy=is_healthy, marker=marker)
        assert (ready.exists(), marker.exists()) == (is_healthy, not is_healthy)
    supervisor.tell_stopping()
    assert not ready.exists()


def test_marker_of_a_killed_agent_goes(folder: Path) -> None:
    """A start stands for the replacement that was wanted."""
    (folder / "unhealthy").touch()
    Supervisor({}, None).show_health(is_healthy=True, marker=folder / "unhealthy")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("make", [lambda path: path.write_text("mine"), lambda path: path.mkdir()])
def test_what_is_no_marker_is_not_removed(folder: Path, make: Callable[[Path], Any]) -> None:
    make(folder / "unhealthy")
    Supervisor({}, None).show_health(is_healthy=True, marker=folder / "unhealthy")
    assert (folder / "unhealthy").exists()


def test_marker_is_no_link_to_elsewhere(folder: Path) -> None:
    (folder / "unhealthy").symlink_to(folder / "made")
    Supervisor({}, None).show_health(is_healthy=False, marker=folder / "unhealthy")
    assert not (folder / "made").exists()


@pytest.mark.parametrize(("targets", "marker"), [(("nginx", "uwsgi"), Path("/run/x")), (("uwsgi",), None)])
def test_marker_is_where_nginx_looks(targets: tuple[str, ...], marker: Path | None) -> None:
    platform = a_platform(options=(NginxOptions(unhealthy=Path("/run/x")),))
    planner: Any = SimpleNamespace(specs=SimpleNamespace(platform=platform), options=SimpleNamespace(targets=targets))
    assert Planner.unhealthy_marker.fget(planner) == marker  # type: ignore[attr-defined]


def test_agent_says_what_its_healer_says(folder: Path) -> None:
    """Not before it is ready at all: a node that starts is no unhealthy one."""
    said: list[Any] = []
    conditions = SimpleNamespace(set=lambda kind, **values: said.append((kind, values)))
    supervisor = SimpleNamespace(show_health=lambda **values: said.append(values))
    healer = SimpleNamespace(said={MONITOR_SILENT: Saying(True, "It is.")}, is_unhealthy=True)
    agent: Any = SimpleNamespace(
        healer=healer,
        conditions=conditions,
        supervisor=supervisor,
        is_ready=False,
        planner=SimpleNamespace(unhealthy_marker=None),
    )
    Agent.note_health(agent)
    assert said == [(MONITOR_SILENT, {"status": True, "message": "It is."})]
    agent.is_ready = True
    Agent.note_health(agent)
    assert said[2] == {"is_healthy": False, "marker": None}
    agent.healer = None
    Agent.note_health(agent)
    assert said[3] == {"is_healthy": True, "marker": None}


@pytest.fixture(name="ask")
def _ask(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Return what asks the command whether the node is ready."""

    def ask(*lines: str) -> int:
        machine = Machine(folder, "aurora", agent="\n".join(lines))
        for name, value in machine.environ.items():
            monkeypatch.setenv(name, value)
        return run(["--ready"])

    return ask


def test_command_says_whether_the_node_may_be_asked(
    folder: Path, ask: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    line = f'ready = "{folder}/ready"'
    assert ask(line) == 1
    assert f"The node may not be asked now: there is no {folder}/ready." in capsys.readouterr().err
    (folder / "ready").touch()
    assert ask(line) == 0
    assert ask() == 2
    assert "agent.ready is missing" in capsys.readouterr().err


@pytest.mark.parametrize("key", ["probe_targets", "observations"])
def test_monitor_needs_both_files(
    folder: Path, ask: Callable[..., int], key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(f'{key} = "/run/x.json"') == 2
    other = {"probe_targets": "observations", "observations": "probe_targets"}[key]
    assert f"agent.{other}: It is missing: a monitor needs both files." in capsys.readouterr().err


@pytest.mark.parametrize(
    "line", ['heal = "everything"', "heal_alone = -1", "heal_alone = true", 'monitor_user = "x y"', "heal_pause = 0"]
)
def test_keys_of_healing_have_bounds(ask: Callable[..., int], line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(line) == 2
    assert f"agent.{line.partition(' ')[0]}: It must be" in capsys.readouterr().err
