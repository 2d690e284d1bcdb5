"""What the agent may do on one's own machine, and on no other: one account for all, and the platform's key."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.node.options import read_agent_options
from wagtail_multihost.node.reading import Known
from wagtail_multihost.node.specs import NO_KEY, NOT_DEVELOPMENT, Development, Specs, make_specs
from wagtail_multihost.registry.node_file import NodeFile, read_node_file

ORIGIN = "http://{hostname}:8000"
KEY = "platform-key-0123456789-0123456789-0123456789"


def node_file(
    folder: Path, environment: str = "development", targets: str = '["embedded"]', more: str = ""
) -> NodeFile:
    """Return what a node file says, whose agent is told ``more``."""
    lines = [
        *("[platform]", f'data = "{folder}/data"', 'secret_key = "env:KEY"'),
        *([f'environment = "{environment}"'] if environment else []),
        *("[agent]", 'registry = "postgres:///?service=control"', 'node = "local"', f"targets = {targets}"),
        *(f'output = "{folder}/etc"', f'release = "{folder}/release.json"', more),
    ]
    (folder / "node.toml").write_text("\n".join(lines))
    (folder / "node.toml").chmod(0o600)
    return read_node_file({"MULTIHOST_NODE_FILE": str(folder / "node.toml")})


def problems_of(node: NodeFile) -> list[str]:
    try:
        read_agent_options(node)
    except ConfigurationError as error:
        return [problem.where.removeprefix("node.toml: agent.") for problem in error.problems]
    return []


@pytest.mark.parametrize(
    ("environment", "targets", "more", "expected"),
    [
        ("development", '["embedded"]', "", []),
        ("development", '["embedded"]', f'origin = "{ORIGIN}"', []),
        ("development", '["embedded", "uwsgi"]', "", ["targets"]),
        ("production", '["embedded"]', "", ["targets"]),
        ("", '["embedded"]', "", ["targets"]),
        ("staging", '["uwsgi", "embedded"]', "", ["targets", "targets"]),
        ("development", '["uwsgi"]', f'origin = "{ORIGIN}"', ["origin"]),
        ("development", '["embedded"]', 'origin = "ftp://{hostname}"', ["origin"]),
    ],
)
def test_embedded_is_for_development_alone(
    tmp_path: Path, environment: str, targets: str, more: str, expected: list[str]
) -> None:
    """The node file itself says that it is development: nothing is assumed. No other target is beside it."""
    assert problems_of(node_file(tmp_path, environment, targets, more)) == expected


def specs_of(folder: Path, development: Development, environment: str = "development") -> Specs:
    """Return the specs of a node that has the platform's key, and one site without a key of its own."""
    uid = str(uuid4())
    record = {"hostnames": ["aurora.example.org"], "uid": uid}
    site = {"uid": uid, "generation": 1, "revision": 7, "record": record, "serial": None, "sealed": {}}
    node = {
        "id": "local",
        "group": "example",
        "holds": "all",
        "address": "",
        "zone": "",
        "weight": 100,
        "state": "active",
    }
    known = Known("one", 7, 0, node, {"name": "aviary", "origin": "https://{hostname}"}, {"aurora": site})
    node_read = node_file(folder, environment)
    return make_specs(known, None, {}, {}, node_read, {"KEY": KEY}, lambda *words: "", development)


def test_site_has_a_key_of_the_platforms_on_ones_own_machine(tmp_path: Path) -> None:
    """So the example's sites keep their keys, whether a control site follows or not."""
    specs = specs_of(tmp_path, Development(ORIGIN))
    assert (list(specs.sites), specs.refused) == (["aurora"], {})
    assert specs.platform.origin_of("aurora.example.org") == "http://aurora.example.org:8000"


@pytest.mark.parametrize(("development", "environment"), [(NOT_DEVELOPMENT, "development"), (Development(), "staging")])
def test_no_other_node_derives_keys(tmp_path: Path, development: Development, environment: str) -> None:
    """A node of a fleet that was given the platform's key still waits for what is sealed to it."""
    specs = specs_of(tmp_path, development, environment)
    assert list(specs.sites) == []
    assert specs.refused == {"aurora": NO_KEY}
