"""Secrets reach the nodes that have the site, sealed to keys that the operator knows itself, and nobody else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from django.core.management import call_command
from django.db import connection

from tests.control.fleet import OPERATOR, Fleet
from tests.control.node_roles import NodeLogin
from tests.control.operators import OperatorHere
from tests.control.roles import Roles
from tests.servers.postgres import Postgres
from wagtail_multihost.control.changes import CreateSite
from wagtail_multihost.control.models import GroupToken, ManagedSite, NodeIdentity, SealedSecret
from wagtail_multihost.control.nodes import displace_sites, place_sites, save_group, save_node
from wagtail_multihost.control.roles import WEB
from wagtail_multihost.exceptions import ConfigurationError, MultihostError
from wagtail_multihost.management.commands.multihost_seal_keys import Command as SealKeys
from wagtail_multihost.node.opening import Opener
from wagtail_multihost.nodeapi.join_v1 import make_token
from wagtail_multihost.nodeapi.node_states import ALL, FRONT, PLACED
from wagtail_multihost.operations.operator.known_nodes import KnownNodes
from wagtail_multihost.operations.operator.node_keys import find_node_key, read_node_keys
from wagtail_multihost.operations.operator.recovery import Recovery
from wagtail_multihost.operations.operator.sealing_round import SEAL, Sealer
from wagtail_multihost.operations.operator.tokens import GRACE
from wagtail_multihost.registry.toml import TomlRegistry
from wagtail_multihost.resolver.secret_key import with_own_keys
from wagtail_multihost.sealing import (
    KEY_BYTES,
    SealingError,
    fingerprint_of,
    open_text,
    public_bytes,
    public_text,
    purpose_of,
)

NODES = ("web1", "web2", "aaa")
DENIED = "42501"


@pytest.fixture(name="operator")
def _operator(live_fleet: Fleet, postgres: Postgres, tmp_path: Path) -> Iterator[OperatorHere]:
    roles = Roles(postgres)
    roles.make()
    save_group(OPERATOR, "web", ALL)
    save_group(OPERATOR, "few", PLACED)
    operator = OperatorHere(roles, tmp_path)
    yield operator
    operator.close()
    operator.drop(*NODES)


def opened(operator: OperatorHere, node: str, site: ManagedSite) -> dict[str, str]:
    """Return the secrets of a site that a node gets, opened with its key."""
    login = NodeLogin(operator.roles.server, node)
    password = (operator.root / node / "pgpass").read_text().strip().rpartition(":")[2]
    with operator.roles.server.connect(login.database, login.role, password) as asked:
        rows = asked.execute(
            "SELECT field, version, encode(sealed, 'base64') FROM node_api_v1.sealed WHERE uid = %s", (site.uid,)
        ).fetchall()
    opener = Opener(operator.root / node)
    return {
        field: opener(str(site.uid), field, {"version": version, "sealed": sealed}) for field, version, sealed in rows
    }


def test_new_site_has_a_key_that_only_its_nodes_can_open(live_fleet: Fleet, operator: OperatorHere) -> None:
    """Each site has its own; the web process, and a node without the site, see nothing of it."""
    aurora, borealis = live_fleet.add("aurora"), live_fleet.add("borealis")
    operator.join("web1", operator.mint().text)
    operator.join("web2", operator.mint("few", "placed").text)
    place_sites(OPERATOR, "web2", [aurora])
    operator.work()
    keys = {site.identifier: opened(operator, "web1", site) for site in (aurora, borealis)}
    assert len(keys["aurora"]["secret_key"]) >= 50
    assert keys["aurora"] != keys["borealis"]
    assert opened(operator, "web2", aurora) == keys["aurora"]
    assert opened(operator, "web2", borealis) == {}
    row = SealedSecret.objects.get(site=aurora, node="web1", field="secret_key")
    with pytest.raises(SealingError):
        open_text(bytes(row.sealed), operator.key_of("web2"), purpose_of(str(aurora.uid), "secret_key", 1))
    with pytest.raises(SealingError):  # nor does it open as another site's
        open_text(bytes(row.sealed), operator.key_of("web1"), purpose_of(str(borealis.uid), "secret_key", 1))
    serials = list(SealedSecret.objects.values_list("serial", flat=True))
    operator.work()
    assert list(SealedSecret.objects.values_list("serial", flat=True)) == serials
    displace_sites(OPERATOR, "web2", [aurora])
    operator.work()
    assert opened(operator, "web2", aurora) == {}


# Someone who is not the operator.


def forge_identity(node: str, key: X25519PrivateKey, **columns: Any) -> None:
    """Write what only functions write, as someone who has taken over more than the web process."""
    public = public_bytes(key)
    NodeIdentity.objects.update_or_create(
        node_id=node,
        defaults={
            "role": f"multihost_node_{node}",
            "public_key": public,
            "fingerprint": fingerprint_of(public),
            **columns,
        },
    )


def test_word_of_the_database_counts_nothing(live_fleet: Fleet, operator: OperatorHere) -> None:
    """Neither a confirmation there, nor a token that was not minted here, nor a proof of another node's."""
    live_fleet.add("aurora")
    own = make_token()
    GroupToken.objects.create(
        id=own.id, group_id="web", digest=own.kept_digest, expires_at="2100-01-01T00:00Z", joins_left=9
    )
    minted = operator.mint()
    key = X25519PrivateKey.generate()
    public = public_bytes(key)
    for node in ("web1", "web2", "aaa"):
        save_node(OPERATOR, node, "web")
    forge_identity("web1", key, confirmed_at="2026-01-01T00:00Z")
    forge_identity("web2", key, token=own.id, proof=own.prove("web2", public))
    forge_identity("aaa", key, token=minted.id, proof=minted.prove("web1", public))
    operator.work()
    assert not SealedSecret.objects.exclude(node=None).exists()
    forge_identity("aaa", key, token=minted.id, proof=minted.prove("aaa", public))
    operator.work()
    assert SealedSecret.objects.filter(node="aaa").count() == 2


@pytest.mark.parametrize("what", ["group", "holds"])
def test_token_of_a_group_proves_nothing_in_one_that_holds_more(
    live_fleet: Fleet, operator: OperatorHere, what: str
) -> None:
    """The web process can change both: a front server's key does not become that of a node with all sites."""
    live_fleet.add("aurora")
    save_group(OPERATOR, "front", FRONT)
    operator.join("web1", operator.mint("front", "front").text)
    operator.work()
    if what == "group":
        save_node(OPERATOR, "web1", "web")
    else:
        save_group(OPERATOR, "front", ALL)
    operator.work()
    assert not SealedSecret.objects.filter(node="web1").exists()


def test_web_process_that_was_taken_over_gets_nothing_sealed_to_its_key(
    live_fleet: Fleet, operator: OperatorHere
) -> None:
    """It tries every way to be a node, and every change that it may make; only nodes that were known get secrets."""
    aurora = live_fleet.add("aurora")
    operator.join("web1", operator.mint("few", "placed").text)
    token, key = make_token(), X25519PrivateKey.generate()
    public = public_bytes(key)
    identity = "INSERT INTO control_node_identity (node_id, role, public_key, fingerprint) VALUES ('{}', '{}', '', '')"
    refused = [
        f"INSERT INTO control_group_token VALUES ('{token.id}', '', now(), 9, now(), 'web')",
        "SELECT digest FROM control_group_token",
        "UPDATE control_group_token SET expires_at = now() + interval '1 day'",
        identity.format("web2", "multihost_web"),
        "UPDATE control_node_identity SET public_key = '', confirmed_at = now()",
        "DELETE FROM control_node_identity",
        "SELECT sealed FROM control_sealed_secret",
        "UPDATE control_sealed_secret SET node_id = NULL",
        f"INSERT INTO control_report (node_id, applied, seen_at, boot) VALUES ('web1', 1, now(), '{token.id}')",
        f"SELECT operator_v1.mint('{token.id}', 'web', '', 60, 1)",
        f"SELECT operator_v1.confirm('web1', '{fingerprint_of(public)}')",
        "SELECT * FROM operator_v1.secret",
        f"SELECT operator_v1.seal('{aurora.uid}', 'secret_key', 2, 'web1', '', '')",
        "SELECT node_join_v1.drop_role('multihost_node_web1')",
        f"SELECT node_join_v1.join('{token.id}', '', 'web2', '', '', '', '', '')",
        f"SELECT control_admit_node('{token.id}', '', 'web2', '', '', '', '', '')",
        "SELECT control_enrol_node('web2', 'web', '', '', '')",
        "SELECT * FROM node_api_v1.sealed",
        "CREATE ROLE multihost_node_web2 LOGIN",
        "GRANT multihost_node TO multihost_web",
        "SET ROLE multihost_enroller",
    ]
    for statement in refused:
        assert operator.roles.refusal(WEB, statement) == DENIED, statement
    with operator.roles.acting(WEB):
        save_group(OPERATOR, "few", ALL)
        save_group(OPERATOR, "own", PLACED)
        save_node(OPERATOR, "web2", "own", state="active")
        place_sites(OPERATOR, "web2", [aurora])
        with pytest.raises(psycopg.errors.ForeignKeyViolation), connection.cursor() as cursor:
            cursor.connection.execute(
                "BEGIN; UPDATE control_head SET revision = revision; "
                "DELETE FROM control_node WHERE id = 'web1'; SET CONSTRAINTS ALL IMMEDIATE"
            )
        connection.close()
    operator.work()
    assert not SealedSecret.objects.exclude(node=None).exists()
    assert NodeIdentity.objects.get().node_id == "web1"


def test_unknown_node_keeps_no_other_from_its_secrets(
    live_fleet: Fleet, operator: OperatorHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although it comes first, with more sites than are sealed at once."""
    monkeypatch.setattr("wagtail_multihost.operations.operator.sealing_round.UNSEALED", LIMITED)
    monkeypatch.setattr("wagtail_multihost.operations.operator.sealing_round.MOST_AT_ONCE", 2)
    sites = [live_fleet.add(name) for name in ("aurora", "borealis", "corona")]
    save_node(OPERATOR, "aaa", "web")
    forge_identity("aaa", X25519PrivateKey.generate())
    operator.join("web1", operator.mint().text)
    operator.work()
    assert all(opened(operator, "web1", site) for site in sites)


def test_key_that_nothing_can_be_sealed_to_keeps_no_other_from_its_secrets(
    live_fleet: Fleet, operator: OperatorHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has a token can join with a point of a low order, of which X25519 makes no secret (RFC 7748, 6.1)."""
    monkeypatch.setattr("wagtail_multihost.operations.operator.sealing_round.UNSEALED", LIMITED)
    monkeypatch.setattr("wagtail_multihost.operations.operator.sealing_round.MOST_AT_ONCE", 2)
    sites = [live_fleet.add(name) for name in ("aurora", "borealis", "corona")]
    with monkeypatch.context() as patched:
        patched.setattr("wagtail_multihost.node.joining.public_bytes", lambda _: bytes(KEY_BYTES))
        operator.join("aaa", operator.mint().text)
    operator.join("web1", operator.mint().text)
    operator.work()
    assert all(opened(operator, "web1", site) for site in sites)
    assert not SealedSecret.objects.filter(node="aaa").exists()


LIMITED = (
    "SELECT node, site, uid, field, version, sealed FROM operator_v1.unsealed WHERE node = ANY(%s) "
    "ORDER BY node, site, field LIMIT 2"
)


def test_known_node_is_sealed_to_when_its_token_has_long_ended(live_fleet: Fleet, operator: OperatorHere) -> None:
    """A proof counts for a day after the token's end; then what was remembered does, for that key alone."""
    live_fleet.add("aurora")
    operator.join("web1", operator.mint().text)
    operator.work()
    later = KnownNodes(operator.folder, lambda: 4e9)
    operator.operator.sealer = Sealer(operator.database, Recovery(operator.folder), later)
    borealis = live_fleet.add("borealis")
    operator.work()
    assert opened(operator, "web1", borealis)
    identity = NodeIdentity.objects.get(pk="web1")
    forge_identity("web1", X25519PrivateKey.generate(), token=identity.token, proof=identity.proof)
    corona = live_fleet.add("corona")
    operator.work()
    assert not SealedSecret.objects.filter(node="web1", site=corona).exists()
    assert GRACE > 0


def test_person_confirms_a_key_by_its_fingerprint_alone(live_fleet: Fleet, operator: OperatorHere) -> None:
    """The command refuses another one; a node that gets another key afterwards is unknown again."""
    live_fleet.add("aurora")
    save_node(OPERATOR, "web1", "web")
    key = X25519PrivateKey.generate()
    forge_identity("web1", key)
    refused = operator.command("confirm", "web1", "0" * 64)
    assert (refused.returncode, "another fingerprint" in refused.stderr) == (2, True)
    operator.work()
    assert not SealedSecret.objects.exclude(node=None).exists()
    assert operator.command("confirm", "web1", fingerprint_of(public_bytes(key)).upper()).returncode == 0
    operator.work()
    assert SealedSecret.objects.filter(node="web1").count() == 2
    forge_identity("web1", X25519PrivateKey.generate())
    known = KnownNodes(operator.folder)
    assert known.choose_known(read_node_keys(operator.database.ask)) == []
    assert find_node_key([], "web1") is None


# Keys of sites.


def test_rotated_key_comes_with_the_former_one(live_fleet: Fleet, operator: OperatorHere) -> None:
    aurora = live_fleet.add("aurora")
    operator.join("web1", operator.mint().text)
    operator.work()
    first = opened(operator, "web1", aurora)["secret_key"]
    assert operator.operator.site_keys.rotate(["aurora"]) == 1
    operator.work()
    second = opened(operator, "web1", aurora)
    assert second["secret_key"] != first
    assert json.loads(second["secret_key_fallbacks"]) == [first]
    operator.operator.site_keys.rotate(["aurora"])
    assert operator.operator.site_keys.forget_former(["aurora"]) == 1
    operator.work()
    assert json.loads(opened(operator, "web1", aurora)["secret_key_fallbacks"]) == []
    with pytest.raises(MultihostError, match="no site 'nowhere'"):
        operator.operator.site_keys.rotate(["nowhere"])


def test_same_version_of_a_secret_is_kept_once(live_fleet: Fleet, operator: OperatorHere) -> None:
    """Of two operators that make a key at the same time, one is told so; an old version replaces no newer one."""
    aurora = live_fleet.add("aurora")
    operator.work()
    sealed = bytes(SealedSecret.objects.get(field="secret_key").sealed)
    for version in (1, 0):
        values = (aurora.uid, "secret_key", version or 1, "", "", b"other")
        assert operator.database.ask(SEAL, values) == [(None,)]
    assert bytes(SealedSecret.objects.get(field="secret_key").sealed) == sealed


def test_todays_keys_of_imported_sites_are_taken_once(
    live_fleet: Fleet, operator: OperatorHere, tmp_path: Path
) -> None:
    """No key is made for an imported site; the derived one is taken, and what was rotated since is not taken back."""
    registry = tmp_path / "sites.toml"
    registry.write_text(
        '[platform]\nname = "aviary"\nsecret_key = "a-platform-key-that-is-long-enough-0123456789"\n'
        '[sites.aurora]\nhostnames = ["aurora.example.com"]\nepoch = 2\n'
    )
    contents = TomlRegistry(registry, {}).load(requires_pins=False)
    (site,) = contents.sites
    names = {key: getattr(site.names, key) for key in ("bucket", "database", "key_prefix", "role", "socket")}
    live_fleet.apply(CreateSite("aurora", {"hostnames": ["aurora.example.com"]}, uid=site.uid, names=names))
    operator.join("web1", operator.mint().text)
    operator.work()
    assert set(SealedSecret.objects.values_list("field", flat=True)) == {"probe_key"}
    recovery, file = public_text(public_bytes(operator.folder.recovery_key())), tmp_path / "keys.json"
    words = ("--registry", str(registry), "--recipient", recovery, "--output", str(file))
    printed = StringIO()
    call_command(SealKeys(stdout=printed), *words, "--json", verbosity=0)
    assert json.loads(printed.getvalue()) == {"sites": ["aurora"]}
    contents = TomlRegistry(registry, {}).read_sites(["aurora"])
    derived = with_own_keys(contents.platform, contents.sites[0])
    assert derived.secret_key is not None
    assert derived.secret_key.reveal() not in file.read_text()
    done = operator.command("take", str(file))
    assert (done.returncode, done.stderr) == (
        0,
        "Sites whose keys are taken: 1. Sites whose keys were the same before: 0.\n",
    )
    operator.work()
    aurora = live_fleet.site("aurora")
    found = opened(operator, "web1", aurora)
    assert found["secret_key"] == derived.secret_key.reveal()
    assert json.loads(found["secret_key_fallbacks"]) == [key.reveal() for key in derived.secret_key_fallbacks]
    serials = list(SealedSecret.objects.values_list("serial", flat=True))
    assert operator.command("take", str(file)).returncode == 0
    operator.operator.site_keys.rotate(["aurora"])
    again = operator.command("take", str(file))
    assert (again.returncode, "stays" in again.stderr) == (1, True)
    assert SealedSecret.objects.filter(node=None, version=1).exclude(field="probe_key").count() == 0
    assert serials


def test_record_refers_to_what_is_sealed_for_the_site(live_fleet: Fleet, operator: OperatorHere) -> None:
    """A single secret of a site alone, by the word alone; two sites may, and neither value is in the database."""
    stated = {"cache": {"backend": "redis", "host": "r", "username": "a", "password": "sealed:"}}
    for name in ("aurora", "borealis"):
        live_fleet.add(name, **stated)
    for record in ({"cache": {**stated["cache"], "password": "sealed:x"}}, {"secret_key_fallbacks": ["sealed:"]}):
        with pytest.raises(ConfigurationError, match="may be sealed"):
            live_fleet.add("corona", **record)
    done = operator.command("seal", "aurora", "cache.password", stdin="a-password\n")
    assert done.returncode == 0, done.stderr
    kept = operator.operator.site_keys.read(live_fleet.site("aurora").uid)
    assert kept["cache.password"].text == "a-password"
    for words, stdin in ((("aurora", "cache.host"), "x"), (("aurora", "cache.password"), "env:HOME")):
        assert operator.command("seal", *words, stdin=stdin).returncode == 2
