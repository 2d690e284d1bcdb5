"""What the commands that write configurations ask for: the plan, and what makes two runs the same."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.commands.conftest import REGISTRY
from tests.spec.samples import a_platform, a_site
from wagtail_multihost.emitters import Emitter, emitters
from wagtail_multihost.exceptions import ConfigurationError, EmitError
from wagtail_multihost.management import emitting
from wagtail_multihost.management.emitting import (
    apply_request,
    change_lines,
    fingerprint,
    list_targets,
    load_plan,
    refuse_front,
    target_lines,
)
from wagtail_multihost.registry import Contents
from wagtail_multihost.registry.watch import watch_nothing

NODES = '[platform]\nnodes = { one = "10.0.0.1:8000", two = "10.0.0.2:8000" }'


def with_nodes(registry: Path) -> Path:
    """State two nodes, aurora on one of them and borealis on the other."""
    text = REGISTRY.replace("[platform]", NODES)
    for site, node in (("aurora", "one"), ("borealis", "two"), ("corona", "two")):
        text = text.replace(f"[sites.{site}]", f'[sites.{site}]\nnodes = ["{node}"]')
    registry.write_text(text)
    return registry


def options_of(registry: Path, **changes: Any) -> dict[str, Any]:
    values = {
        "targets": [emitters()["nginx"]],
        "registry": str(registry),
        "site": [],
        "node": "",
        "codebase": None,
        "force": False,
        "allow_mass_delete": False,
        "verbosity": 1,
    }
    return {**values, **changes}


def test_plan_has_the_enabled_sites_and_where_the_files_go(registry: Path, tmp_path: Path) -> None:
    """Sites' processes open the registry itself where no folder of snapshots is stated."""
    plan = load_plan(str(registry), tmp_path, [])
    assert [site.id for site in plan.sites] == ["aurora", "borealis"]
    assert (plan.directory, plan.node, plan.only) == (tmp_path, "", frozenset())
    assert plan.registry == plan.source == str(registry)
    assert plan.codebase == emitting.own_codebase()
    registry.write_text(REGISTRY.replace("[platform]", f'[platform]\nsnapshots = "{tmp_path}/run"'))
    plan = load_plan(str(registry), tmp_path, ["aurora"])
    assert (plan.registry, plan.source, plan.only) == (f"{tmp_path}/run", str(registry), {"aurora"})
    with pytest.raises(ConfigurationError, match="corona"):
        load_plan(str(registry), tmp_path, ["corona"])


def test_plan_of_a_node_has_the_sites_that_run_there(registry: Path, tmp_path: Path) -> None:
    """The front has all; a node that nobody has stated is named, with those that were."""
    with_nodes(registry)
    found = {
        node: [site.id for site in load_plan(str(registry), tmp_path, [], node=node).sites]
        for node in ("", "one", "two")
    }
    assert found == {"": ["aurora", "borealis"], "one": ["aurora"], "two": ["borealis"]}
    assert load_plan(str(registry), tmp_path, [], node="one").node == "one"
    with pytest.raises(EmitError, match=r"The node 'three' is not known; accepted: one, two\."):
        load_plan(str(registry), tmp_path, [], node="three")
    registry.write_text(REGISTRY)
    with pytest.raises(EmitError, match=r"'one' is not known; the platform has none"):
        load_plan(str(registry), tmp_path, [], node="one")


def test_site_without_nodes_runs_on_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a site names none, every node has it."""
    platform = a_platform(nodes=(("one", "10.0.0.1:8000"), ("two", "10.0.0.2:8000")))
    sites = (a_site(), a_site(id="borealis", nodes=("two",)))
    known = SimpleNamespace(has_servers=True, is_for_operators=False, url="x")
    known.load = lambda **_: Contents(platform, sites)
    known.for_rendering = lambda tell: known
    monkeypatch.setattr(emitting, "registry_of", lambda url: known)
    found = {node: [site.id for site in load_plan(None, tmp_path, [], node=node).sites] for node in ("", "one", "two")}
    assert found == {"": ["aurora", "borealis"], "one": ["aurora"], "two": ["aurora", "borealis"]}


def test_folder_of_templates_that_is_there_is_taken(registry: Path, tmp_path: Path) -> None:
    """One that is not, and a file in its place, would have others used."""
    folder = tmp_path / "templates"
    registry.write_text(REGISTRY.replace("[platform]", f'[platform]\ntemplates = "{folder}"'))
    with pytest.raises(EmitError, match=r"platform\.templates"):
        load_plan(str(registry), tmp_path, [])
    folder.mkdir()
    assert load_plan(str(registry), tmp_path, []).platform.templates == folder


def test_snapshots_are_no_registry_of_servers(tmp_path: Path) -> None:
    """They have what sites need."""
    folder = tmp_path / "run"
    folder.mkdir()
    with pytest.raises(EmitError, match="Name the registry itself"):
        load_plan(str(folder), tmp_path, [])


def test_target_that_runs_sites_needs_a_node_where_there_are_some() -> None:
    """The front server has none of the sites' processes; the sentence has the target and the nodes."""
    nginx, uwsgi = emitters()["nginx"], emitters()["uwsgi"]
    nodes = (("one", "10.0.0.1:8000"), ("two", "10.0.0.2:8000"))
    front: Any = SimpleNamespace(platform=a_platform(nodes=nodes), node="")
    refuse_front([nginx], front)
    with pytest.raises(EmitError, match=r"The target uwsgi is for a node; give --node and one of one, two\."):
        refuse_front([nginx, uwsgi], front)
    refuse_front([nginx, uwsgi], SimpleNamespace(platform=a_platform(nodes=nodes), node="one"))  # type: ignore[arg-type]
    refuse_front([nginx, uwsgi], SimpleNamespace(platform=a_platform(), node=""))  # type: ignore[arg-type]


def test_wish_is_what_the_options_ask_for(registry: Path, tmp_path: Path) -> None:
    """Each option is a part of it; a target that is named twice is one."""
    told: list[tuple[list[str], int]] = []

    def caution(sentences: Iterable[str], verbosity: int) -> None:
        told.append((list(sentences), verbosity))

    nginx, uwsgi = emitters()["nginx"], emitters()["uwsgi"]
    options = options_of(registry, targets=[uwsgi, nginx, uwsgi], site=["aurora"], force=True, verbosity=2)
    request = apply_request(options, tmp_path, caution, lock_timeout=7)
    assert request.emitters == (uwsgi, nginx)
    assert (request.directory, request.sites, request.lock_timeout) == (tmp_path, {"aurora"}, 7)
    assert (request.force, request.allow_mass_delete, request.watch) == (True, False, watch_nothing)
    assert request.fingerprint == fingerprint(options)
    assert told == []  # nothing is read before the lock is had
    plan = request.load()
    assert (plan.only, plan.directory) == ({"aurora"}, tmp_path)
    ((sentences, verbosity),) = told
    assert verbosity == 2 and len(set(sentences)) == len(sentences)
    assert any("local memory" in text for text in sentences) and any("production" in text for text in sentences)
    assert apply_request(options_of(registry, allow_mass_delete=True), tmp_path, caution).allow_mass_delete is True


def test_wish_is_refused_before_anything_is_told(registry: Path, tmp_path: Path, settings: Any) -> None:
    """Settings of development, and a target that needs a node, end the run."""
    with_nodes(registry)
    options = options_of(registry, targets=[emitters()["uwsgi"]])
    with pytest.raises(EmitError, match="for a node"):
        apply_request(options, tmp_path, pytest.fail).load()
    assert apply_request({**options, "node": "two"}, tmp_path, lambda *told: None).load().node == "two"


def test_runs_that_do_the_same_have_one_fingerprint(registry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is shown, and for which sites, makes no difference; each thing that changes what is done does."""
    options = options_of(registry, json=False, stdout=None, stderr=None, no_color=False, force_color=False)
    first = fingerprint(options)
    same = {
        "site": ["aurora"],
        "verbosity": 3,
        "json": True,
        "stdout": 1,
        "stderr": 1,
        "no_color": True,
        "force_color": True,
    }
    assert {fingerprint({**options, name: value}) for name, value in same.items()} == {first}
    other = registry.with_name("other.toml")
    others = {fingerprint({**options, name: "x"}) for name in ("node", "force", "allow_mass_delete", "reload")}
    others.add(fingerprint({**options, "registry": str(other)}))
    both = [emitters()["nginx"], emitters()["uwsgi"]]
    others |= {fingerprint({**options, "targets": both}), fingerprint({**options, "targets": both[::-1]})}
    monkeypatch.setenv("MULTIHOST_SITE_SECRET_KEY", "a")
    others.add(fingerprint(options))
    monkeypatch.setenv("MULTIHOST_SITE_SECRET_KEY", "b")
    others.add(fingerprint(options))
    monkeypatch.delenv("MULTIHOST_SITE_SECRET_KEY")
    monkeypatch.setenv("SOMETHING_ELSE", "a")
    assert fingerprint(options) == first
    with monkeypatch.context() as patch:
        patch.setenv("PATH", "/elsewhere")
        others.add(fingerprint(options))
        patch.delenv("PATH")
        others.add(fingerprint(options))
    for name, value in (("own_version", "0"), ("own_codebase", "x")):
        with monkeypatch.context() as patch:
            patch.setattr(emitting, name, lambda value=value: value)
            others.add(fingerprint(options))
    for name, number in (("getcwd", "/x"), ("geteuid", 4242)):
        with monkeypatch.context() as patch:
            patch.setattr(emitting.os, name, lambda number=number: number)
            others.add(fingerprint(options))
    assert len(others) == 15 and first not in others
    assert len(first) == 64


def test_line_has_what_becomes_of_a_file() -> None:
    """It begins with a capital, with words before the word or without."""
    changes: Any = [SimpleNamespace(word="created", path="a/b"), SimpleNamespace(word="removed", path="c")]
    assert list(change_lines(changes, "")) == ["Created: a/b", "Removed: c"]
    assert list(change_lines(changes, "Would be")) == ["Would be created: a/b", "Would be removed: c"]


def test_list_of_targets_is_aligned(monkeypatch: pytest.MonkeyPatch) -> None:
    """The summaries begin in one column, two blanks behind the longest name; machines get a table for each."""
    nginx = emitters()["nginx"]
    found: dict[str, Emitter] = {
        "a": replace(nginx, name="a", summary="The first."),
        "long": replace(nginx, name="long", summary="The second."),
    }
    monkeypatch.setattr(emitting, "emitters", lambda: found)
    assert target_lines(list_targets()) == "a     The first.\nlong  The second."
    assert list_targets() == [{"name": "a", "summary": "The first."}, {"name": "long", "summary": "The second."}]
