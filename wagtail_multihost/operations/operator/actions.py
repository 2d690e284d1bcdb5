"""What a person asks the operator's command to do, each as a function that prints its data on stdout."""

from __future__ import annotations

import json
import logging
import sys
from argparse import Namespace
from typing import Any

from wagtail_multihost.exceptions import MultihostError
from wagtail_multihost.nodeapi.connection import UnreachableError
from wagtail_multihost.operations.operator.database import OperatorDatabase
from wagtail_multihost.operations.operator.folder import OperatorFolder
from wagtail_multihost.operations.operator.known_nodes import KnownNodes
from wagtail_multihost.operations.operator.node_keys import NodeKey, find_node_key, read_node_keys
from wagtail_multihost.operations.operator.probe_keys import ProbeKeys
from wagtail_multihost.operations.operator.recovery import Recovery, reseal_all
from wagtail_multihost.operations.operator.site_keys import SiteKeys, all_ids
from wagtail_multihost.operations.operator.taking import read_sealed_file, take_keys
from wagtail_multihost.operations.operator.ticks import Operator, Rounds
from wagtail_multihost.operations.operator.tokens import TokenStore
from wagtail_multihost.registry.keys import SITE, declared
from wagtail_multihost.sealing import fingerprint_of, public_bytes, public_text
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.printing import one_line
from wagtail_multihost.spec.times import shown_text
from wagtail_multihost.stopping import can_be_read, open_stop_descriptor

logger = logging.getLogger(__name__)

NOT_DONE = 1
#: Seconds between two rounds when nothing rings.
LONGEST_PAUSE = 60.0
GROUPS = "SELECT id, holds FROM operator_v1.node_group ORDER BY id"
MINT = "SELECT operator_v1.mint(%s, %s, %s, %s, %s)"
CONFIRM = "SELECT operator_v1.confirm(%s, %s)"
WAITING = "SELECT node, count(*) FROM operator_v1.unsealed GROUP BY node"
KEYLESS = "SELECT id, is_imported FROM operator_v1.site WHERE NOT has_key AND NOT refers_to_key ORDER BY id"
WITHOUT_PROBE_KEY = "SELECT id FROM operator_v1.probe_key WHERE NOT has_probe_key ORDER BY id"
MOST_SECRET_BYTES = 10_000
BACK_UP_NEXT = (
    "The next recovery key is made, and nothing is sealed to it yet. Back up the folder where no server can reach it: "
    "soon that key alone opens all secrets. Then run: multihost-operator rotate-recovery --backed-up"
)
NO_NEXT = (
    "There is no next recovery key that could have been backed up: none was made yet, or it is in use by now. To make "
    "one, run: multihost-operator rotate-recovery"
)
HOLDS = {"all": "holds all sites", "placed": "holds placed sites", "front": "holds none"}


def init(options: Namespace) -> int:
    folder = OperatorFolder(options.folder)
    folder.make()
    recovery = public_bytes(folder.recovery_key())
    print(f"recovery {public_text(recovery)}")
    print(f"bundle {public_text(folder.bundle_key().public_key().public_bytes_raw())}")
    say("Back up the folder where no server can reach it: what is sealed can be opened by its recovery.key alone.")
    return 0


def run(options: Namespace) -> int:
    database = open_database(options)
    folder = OperatorFolder(options.folder)
    rounds = Rounds(Operator(folder, database, options.bundles, dict(options.group_key), options.poll))
    stopping = open_stop_descriptor()
    failures = 0
    try:
        while not can_be_read(stopping):
            try:
                count = rounds.turn()
            except UnreachableError as error:
                if options.once:
                    raise
                failures += 1
                if failures == 1:
                    logger.warning("%s Trying again.", error)
                database.wait(min(2.0 ** (failures - 1), LONGEST_PAUSE), stopping)
                continue
            if failures:
                logger.info("The database answers again.")
            failures = 0
            if options.once and not count:
                return NOT_DONE if rounds.failed else 0
            if not count:
                database.wait(options.poll, stopping)
    finally:
        database.close()
    return 0


def mint(options: Namespace) -> int:
    database = open_database(options)
    holds = dict(database.ask(GROUPS)).get(options.group)
    if holds is None:
        raise MultihostError(f"There is no group {shown(options.group)}.")
    token = TokenStore(OperatorFolder(options.folder)).mint(options.group, str(holds), options.seconds)
    database.ask(MINT, (token.id, options.group, token.kept_digest, options.seconds, options.nodes))
    print(token.text)
    many = "1 node" if options.nodes == 1 else f"{options.nodes} nodes"
    say(f"{many} may join the group {options.group}, which {HOLDS[str(holds)]}, for {options.seconds} seconds.")
    return 0


def confirm(options: Namespace) -> int:
    database = open_database(options)
    key = find_node_key(read_node_keys(database.ask), options.node)
    if key is None:
        raise MultihostError(f"The database knows no key of a node {shown(options.node)}. Enrol the node first.")
    if key.fingerprint != options.fingerprint:
        raise MultihostError(
            f"The key of the node {options.node} in the database has another fingerprint than the one that you state. "
            "Nothing is sealed to it. Enrol the node again with the key that it prints."
        )
    KnownNodes(OperatorFolder(options.folder)).confirm(key)
    database.ask(CONFIRM, (key.node, key.fingerprint))
    say(f"The node {key.node} of the group {key.group}, which {HOLDS[key.holds]}, is sealed to from now on.")
    return 0


def seal(options: Namespace) -> int:
    if not is_secret_field(options.field):
        raise MultihostError(f"{shown(options.field)} is no secret of a site, such as database.password.")
    text = sys.stdin.buffer.read(MOST_SECRET_BYTES + 1).decode(errors="replace").removesuffix("\n")
    if not text.strip() or len(text.encode()) > MOST_SECRET_BYTES or "\ufffd" in text:
        raise MultihostError(f"Write the secret to stdin: text of at most {MOST_SECRET_BYTES} bytes.")
    keys = open_site_keys(options)
    ((_, uid, _),) = keys.find([options.site])
    count = keys.hand_over(uid, {options.field: text})
    say(f"{options.field} of the site {options.site} {'is kept' if count else 'was the same before'}.")
    return 0


def take(options: Namespace) -> int:
    keys = open_site_keys(options)
    wanted = read_sealed_file(options.file, keys.recovery)
    taken = take_keys(keys, wanted, replaces=options.replace)
    say(f"Sites whose keys are taken: {taken.taken}. Sites whose keys were the same before: {taken.same}.")
    if taken.other:
        say(f"These have another key already, which stays (--replace takes theirs): {', '.join(taken.other)}.")
    if taken.unknown:
        say(f"The control site does not have: {', '.join(map(str, taken.unknown))}.")
    return NOT_DONE if taken.other or taken.unknown else 0


def make_keys(options: Namespace) -> int:
    keys = open_site_keys(options)
    say(f"Sites that have got a key: {keys.make_for(chosen_sites(options, keys))}.")
    return 0


def rotate(options: Namespace) -> int:
    keys = open_site_keys(options)
    count = keys.rotate(chosen_sites(options, keys), drops_former=options.drop_former)
    say(f"Sites that have another key now: {count}.")
    return 0


def rotate_probe_keys(options: Namespace) -> int:
    keys = open_site_keys(options)
    say(f"Sites that have another probe key now: {ProbeKeys(keys).rotate(chosen_sites(options, keys))}.")
    return 0


def rotate_recovery(options: Namespace) -> int:
    folder = OperatorFolder(options.folder)
    folder.refuse_others()
    if options.backed_up and not folder.is_changing_recovery_key:
        raise MultihostError(NO_NEXT)
    new = folder.next_recovery_key()
    if new is not None and not options.backed_up:
        print(f"recovery {public_text(public_bytes(new))}")
        say(BACK_UP_NEXT)
        return NOT_DONE
    folder.use_next_recovery_key()
    done = reseal_all(folder, open_database(options))
    say(f"{done.sealed} secrets are sealed to the new recovery key.")
    if done.broken:
        say(f"These cannot be opened, so the former key stays; seal them again: {', '.join(done.broken)}.")
    elif not done.is_done:
        say("Some are sealed to the former key still, which stays. Run it again.")
    else:
        say("The former key is removed. Backups of the database from before are opened by it alone: keep its backup.")
    return 0 if done.is_done else NOT_DONE


def forget_former(options: Namespace) -> int:
    keys = open_site_keys(options)
    say(f"Sites whose former keys are forgotten: {keys.forget_former(chosen_sites(options, keys))}.")
    return 0


def status(options: Namespace) -> int:
    """Print which nodes are known here, and what still waits; exit code 1 if anything does."""
    database = open_database(options)
    folder = OperatorFolder(options.folder)
    keys = read_node_keys(database.ask)
    known = {key.node for key in KnownNodes(folder).choose_known(keys)}
    waiting = {str(node): int(count) for node, count in database.ask(WAITING)}
    keyless = database.ask(KEYLESS)
    found: dict[str, Any] = {
        "recovery": fingerprint_of(public_bytes(folder.recovery_key())),
        "recovery_is_changing": folder.is_changing_recovery_key,
        "nodes": [describe_node(key, known, waiting) for key in keys],
        "sites_without_key": [site for site, is_imported in keyless if not is_imported],
        "imported_sites_without_key": [site for site, is_imported in keyless if is_imported],
        "sites_without_probe_key": [site for (site,) in database.ask(WITHOUT_PROBE_KEY)],
        "notification_queue": float(database.ask("SELECT pg_notification_queue_usage()")[0][0]),
    }
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        print_status(found)
    is_done = (
        not keyless
        and not waiting
        and not folder.is_changing_recovery_key
        and all(node["is_known"] for node in found["nodes"])
    )
    return 0 if is_done else NOT_DONE


def describe_node(key: NodeKey, known: set[str], waiting: dict[str, int]) -> dict[str, Any]:
    return {
        "node": key.node,
        "group": key.group,
        "state": key.state,
        "fingerprint": key.fingerprint,
        "is_known": key.node in known,
        "unsealed": waiting.get(key.node, 0),
        "seen_at": key.seen_at.isoformat(timespec="seconds") if key.seen_at else None,
    }


def print_status(found: dict[str, Any]) -> None:
    if not found["nodes"]:
        print("No node has a key yet.")
    for node in found["nodes"]:
        trust = "is known" if node["is_known"] else "is NOT known: compare its fingerprint, and confirm it"
        seen = f", seen {shown_text(node['seen_at'])}" if node["seen_at"] else ", never seen"
        which = one_line(f"{node['node']} ({node['group']}, {node['state']}{seen})")
        print(f"{which} {trust}; {node['unsealed']} to be sealed")
    if found["recovery_is_changing"]:
        print("The recovery key is changing: go on with multihost-operator rotate-recovery")
    for key, said in (
        ("sites_without_key", "Sites that get a key in the next round"),
        ("imported_sites_without_key", "Imported sites that wait for multihost_seal_keys, or make-keys"),
        ("sites_without_probe_key", "Sites that get a probe key in the next rounds, 20 in a minute"),
    ):
        if found[key]:
            print(f"{said}: {', '.join(map(one_line, found[key]))}")


def open_database(options: Namespace) -> OperatorDatabase:
    return OperatorDatabase(options.database)


def open_site_keys(options: Namespace) -> SiteKeys:
    return SiteKeys(open_database(options), Recovery(OperatorFolder(options.folder)))


def chosen_sites(options: Namespace, keys: SiteKeys) -> list[str]:
    """Return the ids of the sites that were stated, or of all; raises MultihostError where neither is."""
    if bool(options.sites) == options.all:
        raise MultihostError("State sites, or --all.")
    return all_ids(keys.find()) if options.all else list(options.sites)


def is_secret_field(field: str) -> bool:
    """Return whether a path in a site's record is that of one secret."""
    table, _, name = field.rpartition(".")
    return any(
        key.is_secret and key.name == name and key.table == (table or SITE) and not key.type.startswith("list")
        for key in declared()
    )


def say(sentence: str) -> None:
    """Print a sentence, which may have ids that the web process has written."""
    print(one_line(sentence), file=sys.stderr)
