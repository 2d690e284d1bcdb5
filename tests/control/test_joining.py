"""Nodes that join by a token, with the real roles."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path

import psycopg
import pytest
from django.core.management import call_command

from tests.control.agents import AgentProcess
from tests.control.fleet import OPERATOR, SHARED, Fleet
from tests.control.node_roles import NodeLogin
from tests.control.operators import OperatorHere
from tests.control.roles import PASSWORD, Roles
from tests.servers.postgres import HOST, Postgres
from wagtail_multihost.control.changes import EditPlatform
from wagtail_multihost.control.edits import merge_patch
from wagtail_multihost.control.models import Node, NodeIdentity, SealedSecret
from wagtail_multihost.control.node_rules import node_problems
from wagtail_multihost.control.nodes import place_sites, save_group, save_node
from wagtail_multihost.control.roles import JOIN, WEB
from wagtail_multihost.control.roles import OPERATOR as OPERATOR_ROLE
from wagtail_multihost.exceptions import ConfigurationError, MultihostError
from wagtail_multihost.node.joining import Login, find_key, join_group, run_token_command
from wagtail_multihost.node.options import AgentOptions, read_agent_options
from wagtail_multihost.nodeapi import operator_ticks_v1
from wagtail_multihost.nodeapi.connection import LoginRefusedError, RefusedError
from wagtail_multihost.nodeapi.join_v1 import GroupToken, make_token
from wagtail_multihost.nodeapi.node_states import ACTIVE, ALL, AWAY, JOINING, PLACED
from wagtail_multihost.nodeapi.node_v1 import MOST_CHANGES
from wagtail_multihost.registry.node_file import NodeFile
from wagtail_multihost.sealing import fingerprint_of, public_bytes, public_text


@pytest.fixture(name="roles")
def _roles(live_fleet: Fleet, postgres: Postgres) -> Roles:
    roles = Roles(postgres)
    roles.make()
    save_group(OPERATOR, "web", ALL)
    return roles


def mint(roles: Roles, seconds: int = 60, nodes: int = 20) -> GroupToken:
    token = make_token()
    with roles.connect(OPERATOR_ROLE) as opened:
        opened.execute("SELECT operator_v1.mint(%s, 'web', %s, %s, %s)", (token.id, token.kept_digest, seconds, nodes))
    return token


def join(roles: Roles, folder: Path, token: str, node: str = "web1") -> str:
    folder.mkdir(exist_ok=True)
    (folder / "join").write_text(f"*:*:*:{JOIN}:{PASSWORD}\n")
    (folder / "join").chmod(0o600)
    url = f"postgres://{HOST}:{roles.server.port}/{roles.database}?passfile={folder}/join"
    return join_group(url, node, token, folder / "agent")


def drop(roles: Roles, node: str = "web1") -> None:
    with roles.server.connect(roles.database) as opened:
        opened.execute(f"DROP ROLE IF EXISTS multihost_node_{node}")


def test_node_joins_with_a_token_and_gets_a_role_of_its_own(roles: Roles, tmp_path: Path) -> None:
    try:
        url = join(roles, tmp_path, mint(roles).text)
        assert url.startswith(f"postgresql://multihost_node_web1@{HOST}")
        password = (tmp_path / "agent" / "pgpass").read_text().strip().rpartition(":")[2]
        with roles.server.connect(roles.database, "multihost_node_web1", password) as opened:
            row = opened.execute("SELECT id, state, current_setting('jit') FROM node_api_v1.self").fetchone()
        assert row == ("web1", JOINING, "off")
        assert NodeIdentity.objects.get(pk="web1").fingerprint
        assert Node.objects.get(pk="web1").is_transient
    finally:
        drop(roles)


@pytest.mark.parametrize("token", ["expired", "foreign"])
def test_other_tokens_are_refused(roles: Roles, tmp_path: Path, token: str) -> None:
    text = mint(roles, -1).text if token == "expired" else make_token().text
    with pytest.raises((RefusedError, psycopg.Error), match="not known, or has expired"):
        join(roles, tmp_path, text)
    assert not Node.objects.exists()


def test_token_lets_in_as_many_nodes_as_it_may(roles: Roles, tmp_path: Path) -> None:
    """Also when they race; a node that comes back with its own key is none more, and one with another key is."""
    token = mint(roles, nodes=2).text
    names = [f"web{number}" for number in range(1, 7)]

    def try_to_join(node: str) -> bool:
        try:
            join(roles, tmp_path / node, token, node)
        except RefusedError as error:
            assert "as many nodes as it may" in str(error)
            return False
        return True

    try:
        for name in names:
            (tmp_path / name).mkdir()
        with ThreadPoolExecutor(len(names)) as pool:
            joined = [name for name, is_in in zip(names, pool.map(try_to_join, names), strict=True) if is_in]
        assert len(joined) == 2
        assert sorted(Node.objects.values_list("pk", flat=True)) == sorted(joined)
        roles_of_nodes = "SELECT count(*) FROM pg_roles WHERE rolname ~ '^multihost_node_web'"
        assert roles.server.execute(roles.database, roles_of_nodes) == [(2,)]
        assert try_to_join(joined[0]), "it comes back with its own key"
        with pytest.raises(RefusedError, match="too often"):
            for _ in range(MOST_CHANGES + 1):
                join(roles, tmp_path / joined[0], token, joined[0])
        (tmp_path / joined[1] / "agent" / "node.key").unlink()
        assert not try_to_join(joined[1]), "another key"
    finally:
        for name in names:
            drop(roles, name)


# Agents that join.


@pytest.fixture(name="operator")
def _operator(roles: Roles, tmp_path: Path) -> Iterator[OperatorHere]:
    operator = OperatorHere(roles, tmp_path)
    yield operator
    operator.close()
    operator.drop("web1", "web2")


def joining_agent(operator: OperatorHere, token: str) -> AgentProcess:
    (operator.root / "token").write_text(f"{token}\n")
    (operator.root / "token").chmod(0o600)
    login = NodeLogin(operator.roles.server, "web1")
    url = operator.url(JOIN).replace(f"{JOIN}@", "", 1)
    return AgentProcess(operator.root / "node", login, registry=url, join=str(operator.root / "token"))


def leave(operator: OperatorHere, node: str, **columns: str) -> None:
    """Let a node have been away for long."""
    stated = {"state": AWAY, **columns}
    assigned = ", ".join(f"{name} = '{value}'" for name, value in stated.items())
    with operator.roles.server.connect(operator.roles.database) as opened:
        opened.execute("BEGIN")
        opened.execute("UPDATE control_head SET revision = revision")
        opened.execute(f"UPDATE control_node SET {assigned}, joined_at = now() - interval '3 days' WHERE id = '{node}'")
        opened.execute(f"UPDATE control_report SET seen_at = now() - interval '3 days' WHERE node_id = '{node}'")
        opened.execute("COMMIT")


def test_agent_joins_gets_its_keys_and_is_forgotten_when_it_left(live_fleet: Fleet, operator: OperatorHere) -> None:
    """It keeps its login, serves once the operator has sealed, loses it all when it is forgotten, and joins again."""
    live_fleet.add("aurora")
    cache = {"backend": "redis", "host": "r", "username": "b", "password": "sealed:"}
    borealis = live_fleet.add("borealis", cache=cache)
    agent = joining_agent(operator, operator.mint().text)
    first = agent.once()
    assert agent.report is not None, first.stderr
    assert agent.report.sites["aurora"].startswith("It has no secret key yet")
    assert agent.report.sites["borealis"].startswith("cache.password: It refers to what is sealed")
    operator.operator.site_keys.hand_over(borealis.uid, {"cache.password": "a-password-of-borealis"})
    operator.work()
    done = agent.once()
    assert done.returncode == 0, done.stderr
    assert agent.published == agent.vassals == ["aurora", "borealis"]
    assert "a-password-of-borealis" in (agent.snapshots / "borealis.json").read_text()
    assert "a-password-of-borealis" not in (agent.folder / "data" / "agent" / "agent.json").read_text()
    state = agent.folder / "data" / "agent"
    for name in ("node.key", "pgpass", "login.json"):
        assert stat.S_IMODE((state / name).stat().st_mode) == 0o600
    fingerprint = NodeIdentity.objects.get().fingerprint
    password = (state / "pgpass").read_text().strip().rpartition(":")[2]
    with operator.roles.server.connect(operator.roles.database, "multihost_node_web1", password) as opened:
        operator.work()
        assert opened.execute("SELECT id FROM node_api_v1.self").fetchall() == [("web1",)]
        leave(operator, "web1")
        operator.work()
        with pytest.raises(psycopg.OperationalError):
            opened.execute("SELECT 1")
    assert not Node.objects.exists() and not NodeIdentity.objects.exists()
    assert not SealedSecret.objects.exclude(node=None).exists()
    roles = "SELECT count(*) FROM pg_roles WHERE rolname = 'multihost_node_web1'"
    assert operator.roles.server.execute(operator.roles.database, roles) == [(0,)]
    options = AgentOptions(
        **{**agent_options(agent), "registry": json.loads((state / "login.json").read_text())["registry"]}
    )
    login = Login(options)
    assert login.find(state)
    login.note_refusal(LoginRefusedError("The role does not exist."))
    (operator.root / "token").write_text(operator.mint().text)
    login.find(state)
    assert NodeIdentity.objects.get().fingerprint == fingerprint


def agent_options(agent: AgentProcess) -> dict[str, object]:
    return {
        "node": "web1",
        "targets": ("uwsgi",),
        "output": agent.output,
        "release": agent.folder / "release.json",
        "join": agent.folder.parent / "token",
    }


def test_only_nodes_that_joined_by_a_token_are_forgotten(live_fleet: Fleet, operator: OperatorHere) -> None:
    """Not one that stays, whatever the web process says of it; and none that is silent after the database was away."""
    save_node(OPERATOR, "web2", "web")
    NodeIdentity.objects.create(node_id="web2", role="multihost_node_web2")
    operator.join("web1", operator.mint().text)
    leave(operator, "web2", is_transient="true")
    operator.work()
    assert list(Node.objects.values_list("pk", flat=True)) == ["web1", "web2"]
    leave(operator, "web1", state=ACTIVE)
    with operator.roles.server.connect(operator.roles.database) as opened:
        opened.execute(
            "INSERT INTO control_report (node_id, applied, seen_at, boot, version, conditions, sites) "
            "VALUES ('web2', 1, now(), gen_random_uuid(), '', '[]', '{}')"
        )
        leave(operator, "web2", state=ACTIVE)
        opened.execute("UPDATE control_report SET seen_at = now()")
    operator.work()
    assert list(Node.objects.values_list("pk", flat=True)) == ["web1", "web2"]
    with forgetting_sooner(operator) as opened:
        assert opened.execute("SELECT operator_v1.forget_nodes()").fetchone() == (1,)
        assert opened.execute("SELECT id FROM control_node").fetchall() == [("web2",)]


@contextmanager
def forgetting_sooner(operator: OperatorHere) -> Iterator[psycopg.Connection]:
    """Give a session in which killed nodes are forgotten after a second; what it does is taken back."""
    (function,) = [part for part in operator_ticks_v1.CREATE.split("CREATE FUNCTION ") if "forget_nodes()" in part[:40]]
    sooner = function.partition("$$;")[0].replace(f"'{operator_ticks_v1.KILLED_AFTER} seconds'", "'1 second'")
    with operator.roles.server.connect(operator.roles.database) as opened:
        opened.execute("BEGIN")
        opened.execute(f"CREATE OR REPLACE FUNCTION {sooner}$$")
        yield opened
        opened.execute("ROLLBACK")


def test_silent_node_of_a_placed_group_is_forgotten_unless_it_has_sites(
    live_fleet: Fleet, operator: OperatorHere
) -> None:
    """One that joined and was never heard again, or was killed: what has become of sites on it, a person says."""
    live_fleet.apply(EditPlatform(merge_patch(SHARED)))
    save_group(OPERATOR, "few", PLACED, 1)
    for node in ("web1", "web2"):
        operator.join(node, operator.mint("few", "placed").text)
    site = live_fleet.add("aurora")
    place_sites(OPERATOR, "web2", [site])
    leave(operator, "web1", state=JOINING)
    leave(operator, "web2", state=ACTIVE)
    operator.work()
    save_node(OPERATOR, "web3", "few")
    with forgetting_sooner(operator) as opened:
        assert opened.execute("SELECT operator_v1.forget_nodes()").fetchone() == (0,), "no other node is heard"
        opened.execute("UPDATE control_head SET revision = revision")
        opened.execute("UPDATE control_node SET state = 'active' WHERE id = 'web3'")
        opened.execute(
            "INSERT INTO control_report (node_id, applied, seen_at, boot, version, conditions, sites) "
            "VALUES ('web3', 1, now(), gen_random_uuid(), '', '[]', '{}')"
        )
        assert opened.execute("SELECT operator_v1.forget_nodes()").fetchone() == (1,)
        assert opened.execute("SELECT id FROM control_node ORDER BY id").fetchall() == [("web2",), ("web3",)]


def test_who_has_no_token_does_not_wait_for_the_head(roles: Roles, tmp_path: Path) -> None:
    """And so cannot make others wait for it."""
    with roles.server.connect(roles.database) as opened:
        opened.execute("BEGIN; UPDATE control_head SET revision = revision")
        with pytest.raises(RefusedError, match="not known, or has expired"):
            join(roles, tmp_path, make_token().text)


def test_what_a_node_says_of_itself_is_bounded(roles: Roles, tmp_path: Path) -> None:
    (tmp_path / "join").write_text(f"*:*:*:{JOIN}:{PASSWORD}\n")
    (tmp_path / "join").chmod(0o600)
    url = f"postgres://{HOST}:{roles.server.port}/{roles.database}?passfile={tmp_path}/join"
    token = mint(roles).text
    for node, address in (
        *(("Web_1", ""), ("web1'; --", ""), ("w" * 41, "")),
        *(("web1", "10.0.0.1;\n"), ("web1", "$host:80"), ("web1", "10.0.0.1")),
        *(("web1", "10.0.0.1:0"), ("web1", "10.0.0.1:65536"), ("web1", "unix:/run/docker.sock"), ("web1", "A:80")),
    ):
        with pytest.raises(RefusedError, match="not accepted"):
            join_group(url, node, token, tmp_path / "agent", address=address)
    assert not Node.objects.exists()


ADDRESSES = {
    **dict.fromkeys(("", "10.0.0.5:8080", "node-1.example.org:1", "[2001:db8::1]:65535", "a:10000"), True),
    **dict.fromkeys(("10.0.0.5", "10.0.0.5:0", "10.0.0.5:080", "10.0.0.5:65536", "10.0.0.5:70000"), False),
    **dict.fromkeys(("10.0.0.5:80\n", "10.0.0.5:80;", "unix:/run/docker.sock", "A:80", "-a:80", "$host:80"), False),
}


@pytest.mark.parametrize(("address", "is_accepted"), ADDRESSES.items())
def test_address_is_what_the_registry_accepts_whoever_writes_it(
    roles: Roles, address: str, *, is_accepted: bool
) -> None:
    """The web process can write the column; fronts are told of it."""
    save_node(OPERATOR, "web1", "web")
    expected = nullcontext() if is_accepted else pytest.raises(psycopg.errors.CheckViolation)
    with roles.connect(WEB) as opened, expected, opened.transaction():
        opened.execute("UPDATE control_head SET revision = revision")
        opened.execute("UPDATE control_node SET address = %s", (address,))
    problems = [problem.message for problem in node_problems("web2", "web", {"address": address}, None, is_silent=True)]
    assert (not any("is not accepted" in problem for problem in problems)) is is_accepted


def test_token_replaces_no_node_that_speaks(roles: Roles, tmp_path: Path, operator: OperatorHere) -> None:
    """Nor one of another group, nor one that stays."""
    save_group(OPERATOR, "other", ALL)
    url = operator.join("web1", operator.mint().text)
    password = (tmp_path / "web1" / "pgpass").read_text().strip().rpartition(":")[2]
    with roles.server.connect(roles.database, "multihost_node_web1", password) as opened:
        opened.execute("SELECT node_api_v1.report(gen_random_uuid(), 1, '', '[]', '{}', '[]')")
    assert url
    save_node(OPERATOR, "web2", "web")
    for node, group in (("web1", "web"), ("web1", "other"), ("web2", "web")):
        with pytest.raises(RefusedError, match="already"):
            operator.join(node, operator.mint(group).text, tmp_path / f"thief-{group}")
    operator.join("web1", operator.mint().text)  # with its own key


def test_node_that_stays_is_enrolled_by_sql_and_confirmed_by_a_person(
    live_fleet: Fleet, operator: OperatorHere, tmp_path: Path
) -> None:
    """The SQL can be run again; another key takes what was sealed away; the web process cannot run it."""
    live_fleet.add("aurora")
    public = public_bytes(find_key(tmp_path / "web1"))
    words = ("--node", "web1", "--group", "web", "--address", "10.0.0.5:8080")
    for _ in range(2):
        call_command("multihost_control_roles", *words, "--key", public_text(public), "--apply", verbosity=0)
    assert Node.objects.get().address == "10.0.0.5:8080"
    revision = Node.objects.get().revision
    moved = ("--node", "web1", "--group", "web", "--zone", "eu-2", "--key", public_text(public), "--apply")
    for _ in range(2):
        call_command("multihost_control_roles", *moved, verbosity=0)
    node = Node.objects.get()
    assert (node.address, node.zone, node.revision) == ("10.0.0.5:8080", "eu-2", revision + 1)
    operator.work()
    assert not SealedSecret.objects.exclude(node=None).exists()
    assert operator.command("confirm", "web1", fingerprint_of(public)).returncode == 0
    operator.work()
    assert SealedSecret.objects.filter(node="web1").count() == 2
    other = public_text(public_bytes(find_key(tmp_path / "other")))
    call_command("multihost_control_roles", *words, "--key", other, "--apply", verbosity=0)
    operator.work()
    assert not SealedSecret.objects.filter(node="web1").exists()
    assert NodeIdentity.objects.get().confirmed_at is None
    assert operator.roles.refusal(WEB, "SELECT control_enrol_node('web2', 'web', '', '', '')") == "42501"
    with pytest.raises(ConfigurationError) as refused:
        enrol_badly()
    assert [problem.where for problem in refused.value.problems] == [
        "--node",
        "--group",
        "--address",
        "--zone",
        "--key",
    ]


def enrol_badly() -> None:
    from wagtail_multihost.control.fleet_roles import NodeToEnrol, enrol_sql

    enrol_sql(NodeToEnrol("web1'", "", "x", "here", "A'"))


# What the node file and its variables say.


def test_containers_state_their_ids_by_variables(tmp_path: Path) -> None:
    stated = {"registry": "postgres://db/control", "targets": ["uwsgi"], "output": "/o", "release": "/r"}
    file = NodeFile(tmp_path / "node.toml", {}, {}, agent=stated)
    variables = {"MULTIHOST_NODE": "web-7f9c", "MULTIHOST_NODE_ADDRESS": "10.0.0.5:8080"}
    options = read_agent_options(file, variables)
    assert (options.node, options.address) == ("web-7f9c", "10.0.0.5:8080")
    twice = file._replace(agent={**stated, "node": "web1", "join": "/t", "token_command": ["t"], "zone": "EU'"})
    with pytest.raises(ConfigurationError) as refused:
        read_agent_options(twice, variables)
    keys = sorted(problem.where.rpartition(".")[2] for problem in refused.value.problems)
    assert keys == ["node", "token_command", "zone"]


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo Getting a token >&2; echo {token}", ""),
        ("echo nothing", "printed no group's token"),
        ("echo {token}; exit 3", "exit code 3"),
        ("sleep 5 & sleep 5", "did not end within"),
    ],
)
def test_token_of_a_command_is_taken_within_bounds(monkeypatch: pytest.MonkeyPatch, script: str, said: str) -> None:
    """Its words are given to no shell of ours; whatever else it prints is left out, and not repeated."""
    monkeypatch.setattr("wagtail_multihost.node.joining.COMMAND_SECONDS", 1)
    token = make_token().text
    command = ("sh", "-c", script.format(token=token))
    if not said:
        assert run_token_command(command) == token
        return
    with pytest.raises(MultihostError, match=said) as refused:
        run_token_command(command)
    assert token not in str(refused.value)
