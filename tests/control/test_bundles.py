"""A node that starts while the database is away starts from the bundle that the operator process has signed for it."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.control.agents import AgentProcess
from tests.control.fleet import OPERATOR, Fleet
from tests.control.node_roles import NodeLogin, node_login
from tests.control.operators import OperatorHere
from tests.control.passage import Passage, passage_to
from tests.control.roles import Roles
from tests.servers.postgres import Postgres
from wagtail_multihost.control.changes import EditSite
from wagtail_multihost.control.edits import set_value
from wagtail_multihost.control.models import SealedSecret
from wagtail_multihost.control.nodes import place_sites, save_group, save_node
from wagtail_multihost.control.roles import OPERATOR as OPERATOR_ROLE
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.node.bundle import read_bundle
from wagtail_multihost.node.options import read_agent_options
from wagtail_multihost.nodeapi.bundle import CONTEXT, join_bundle, split_bundle
from wagtail_multihost.nodeapi.node_states import ALL, PLACED
from wagtail_multihost.operations.operator.bundles import BundleKeys, BundleWriter, write_bundles
from wagtail_multihost.operations.operator.folder import RecoveryKeys
from wagtail_multihost.registry.node_file import read_node_file
from wagtail_multihost.sealing import is_signed, make_key_file, public_bytes, purpose_of, seal_text, sign

KEY = "a-secret-key-of-aurora-that-is-long-enough-to-be-accepted"


class Operator:
    """The operator process, as far as it writes bundles."""

    def __init__(self, roles: Roles, folder: Path) -> None:
        self.roles, self.folder = roles, folder
        self.key = Ed25519PrivateKey.generate()
        self.recovery = make_key_file(folder / "recovery.key")
        self.group_key = make_key_file(folder / "group.key")
        self.keys = BundleKeys(self.key, RecoveryKeys(self.recovery), {"every": public_bytes(self.group_key)})

    def ask(self, statement: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        with self.roles.connect(OPERATOR_ROLE) as opened:
            return opened.execute(statement, values).fetchall()

    def write(self) -> int:
        return write_bundles(self.ask, self.folder, self.keys)

    @property
    def public_key(self) -> str:
        return base64.b64encode(self.key.public_key().public_bytes_raw()).decode()


@pytest.fixture(name="operator")
def _operator(live_fleet: Fleet, postgres: Postgres, tmp_path: Path) -> Operator:
    roles = Roles(postgres)
    roles.make()
    save_group(OPERATOR, "every", ALL)
    save_group(OPERATOR, "few", PLACED)
    save_node(OPERATOR, "web1", "few")
    live_fleet.add("aurora")
    live_fleet.add("borealis")
    (tmp_path / "operator").mkdir()
    return Operator(roles, tmp_path / "operator")


@pytest.fixture(name="passage")
def _passage(postgres: Postgres) -> Iterator[Passage]:
    with passage_to(postgres.port) as passage:
        yield passage


@pytest.fixture(name="agent")
def _agent(operator: Operator, postgres: Postgres, passage: Passage, tmp_path: Path) -> Iterator[AgentProcess]:
    """Return a fresh node of placed sites, whose way to the database can be closed."""
    with node_login(postgres, "web1"):
        agent = AgentProcess(tmp_path / "web1", NodeLogin(replace(postgres, port=passage.port), "web1"))
        agent.agent |= {"bundle": str(tmp_path / "web1" / "bundle"), "bundle_key": operator.public_key}
        agent.give_key("aurora", "borealis")
        yield agent


def give(agent: AgentProcess, operator: Operator, name: str = "node-web1.bundle") -> Path:
    """Bring a bundle to the node."""
    return Path(shutil.copy(operator.folder / name, agent.folder / "bundle"))


def test_fresh_node_starts_from_its_bundle_while_the_database_is_away(
    live_fleet: Fleet, operator: Operator, agent: AgentProcess, passage: Passage
) -> None:
    """And goes on with the database once that is back, without anything being removed that the bundle did not have."""
    place_sites(OPERATOR, "web1", [live_fleet.site("aurora")])
    assert operator.write() == 2  # for the node, and for the group that holds all
    give(agent, operator)
    place_sites(OPERATOR, "web1", [live_fleet.site("borealis")])
    passage.close()
    done = agent.once()
    assert done.returncode == 1  # what the registry says now is not known
    assert "Starting from the bundle of revision" in done.stderr
    assert agent.vassals == agent.published == ["aurora"]
    passage.open()
    assert agent.once().returncode == 0
    assert agent.vassals == agent.published == ["aurora", "borealis"]
    passage.close()
    done = agent.once()  # an older bundle than what is known
    assert "this node knows" in done.stderr
    assert agent.vassals == ["aurora", "borealis"]


def test_bundle_of_a_group_opens_with_the_key_of_the_group(
    live_fleet: Fleet, operator: Operator, agent: AgentProcess, passage: Passage
) -> None:
    aurora = live_fleet.site("aurora")
    purpose = purpose_of(str(aurora.uid), "secret_key", 1)
    sealed = seal_text(KEY, public_bytes(operator.recovery), purpose)
    SealedSecret.objects.create(
        site=aurora, field="secret_key", version=1, fingerprint="recovery", sealed=sealed, serial=1
    )
    operator.write()
    bundle = give(agent, operator, "group-every.bundle")
    assert KEY.encode() not in bundle.read_bytes()
    shutil.copy(operator.folder / "group.key", agent.folder / "group.key")
    agent.agent |= {"bundle_group": "every", "group_key": str(agent.folder / "group.key")}
    agent.keys = {}
    agent.write()
    passage.close()
    agent.once()
    assert agent.published == ["aurora"]  # nothing was sealed of the other one
    assert json.loads((agent.snapshots / "aurora.json").read_bytes())["site"]["secret_key"] == KEY


def test_other_bundles_are_refused(live_fleet: Fleet, operator: Operator, agent: AgentProcess) -> None:
    """Those that were changed, are for others, or older; the first bytes of any other file are not even parsed."""
    place_sites(OPERATOR, "web1", [live_fleet.site("aurora")])
    save_node(OPERATOR, "web2", "every")
    operator.write()
    bundle = give(agent, operator)
    whole = bundle.read_bytes()
    content, _ = split_bundle(whole)
    options = read_agent_options(read_node_file(agent.environ))
    assert read_bundle(bundle, options, None)
    unsigned = [
        whole.replace(b"aurora.example.com", b"hacked.example.com"),
        content,
        b"",
        join_bundle(content, bytes(64)),
        join_bundle(content, sign(content, Ed25519PrivateKey.generate(), CONTEXT)),
        join_bundle(content, sign(content, operator.key, b"wagtail-multihost snapshot\0")),
    ]
    for data in unsigned:
        bundle.write_bytes(data)
        with pytest.raises(ConfigurationError, match="was not signed with the key"):
            read_bundle(bundle, options, None)
    for name in ("node-web2.bundle", "group-every.bundle"):
        give(agent, operator, name)
        with pytest.raises(ConfigurationError, match="It is for the "):
            read_bundle(bundle, options, None)
    bundle.write_bytes(whole)
    known = read_bundle(bundle, options, None)
    assert known is not None
    for change in ({"revision": known.known.revision + 1}, {"incarnation": "another"}):
        with pytest.raises(ConfigurationError, match="this node knows"):
            read_bundle(bundle, options, known.known._replace(**change))
    bundle.unlink()
    bundle.symlink_to(operator.folder / "node-web1.bundle")
    with pytest.raises(OSError, match="symbolic links"):
        read_bundle(bundle, options, None)


def test_tampered_bundle_makes_nothing(
    live_fleet: Fleet, operator: Operator, agent: AgentProcess, passage: Passage
) -> None:
    place_sites(OPERATOR, "web1", [live_fleet.site("aurora")])
    operator.write()
    bundle = give(agent, operator)
    bundle.write_bytes(bundle.read_bytes().replace(b"aurora.example.com", b"hacked.example.com"))
    passage.close()
    done = agent.once()
    assert done.returncode == 1
    assert f"{bundle}: It was not signed with the key" in done.stderr
    assert "Traceback" not in done.stderr
    assert agent.vassals == []


def test_bundles_are_written_when_something_has_changed(live_fleet: Fleet, operator: Operator) -> None:
    now = 0.0
    writer = BundleWriter(operator.folder, operator.keys, lambda: now)
    assert writer.tick(operator.ask) == 2
    live_fleet.apply(EditSite(live_fleet.site("aurora").uid, set_value(("admins",), ["a@example.com"])))
    assert writer.tick(operator.ask) == 0  # not so soon
    now = 60.0
    assert writer.tick(operator.ask) == 2
    now = 120.0
    assert writer.tick(operator.ask) == 0
    now = 4000.0
    assert writer.tick(operator.ask) == 2


def test_operator_command_writes_signed_bundles(operator: Operator, tmp_path: Path) -> None:
    (tmp_path / "process").mkdir()
    here = OperatorHere(operator.roles, tmp_path / "process")
    try:
        folder = tmp_path / "bundles"
        refused = here.command("run", "--once", "--bundles", str(folder))
        assert refused.returncode == 1
        assert f"{folder}: It must be a folder that this account can write to" in refused.stderr
        folder.mkdir()
        group_key = f"every={base64.b64encode(public_bytes(operator.group_key)).decode()}"
        done = here.command("run", "--once", "--bundles", str(folder), "--group-key", group_key)
        assert done.returncode == 0, done.stderr
        public_key = here.folder.bundle_key().public_key().public_bytes_raw()
        assert {path.name for path in folder.iterdir()} == {"node-web1.bundle", "group-every.bundle"}
        for path in folder.iterdir():
            content, signature = split_bundle(path.read_bytes())
            assert is_signed(content, signature, public_key, CONTEXT)
            assert path.stat().st_mode & 0o777 == 0o644
        content, _ = split_bundle((folder / "group-every.bundle").read_bytes())
        assert {site: set(table["sealed"]) for site, table in json.loads(content)["sites"].items()} == {
            "aurora": {"secret_key", "probe_key"},
            "borealis": {"secret_key", "probe_key"},
        }
    finally:
        here.close()
