"""Another recovery key: everything is sealed to it, whenever the change is interrupted, and nothing is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.control.fleet import OPERATOR, Fleet
from tests.control.operators import OperatorHere
from tests.control.roles import Roles
from tests.servers.postgres import Postgres
from wagtail_multihost.control.changes import RetireSite
from wagtail_multihost.control.models import SealedSecret
from wagtail_multihost.control.nodes import save_group
from wagtail_multihost.nodeapi.node_states import ALL
from wagtail_multihost.operations.operator.folder import FORMER_KEY, NEXT_KEY, RECOVERY_KEY
from wagtail_multihost.operations.operator.recovery import Recovery
from wagtail_multihost.operations.operator.site_keys import SiteKeys
from wagtail_multihost.sealing import SealingError, fingerprint_of, open_text, public_bytes, purpose_of

SITES = tuple(f"site{number}" for number in range(7))


@pytest.fixture(name="operator")
def _operator(live_fleet: Fleet, postgres: Postgres, tmp_path: Path) -> Iterator[OperatorHere]:
    """Return an operator that has made keys for seven sites, of which one is retired."""
    roles = Roles(postgres)
    roles.make()
    save_group(OPERATOR, "web", ALL)
    operator = OperatorHere(roles, tmp_path)
    for site in SITES:
        live_fleet.add(site)
    operator.work()
    live_fleet.apply(RetireSite(live_fleet.site(SITES[0]).uid))
    yield operator
    operator.close()


def texts(operator: OperatorHere) -> dict[tuple[Any, str], str]:
    """Return what is kept by site and field, opened by the keys that the folder has now."""
    opener = Recovery(operator.folder)
    rows = SealedSecret.objects.filter(node=None).values_list("site_id", "field", "version", "sealed")
    return {(uid, field): opener.open(bytes(sealed), purpose_of(str(uid), field, v)) for uid, field, v, sealed in rows}


def fingerprint(operator: OperatorHere) -> str:
    return fingerprint_of(public_bytes(operator.folder.recovery_key()))


def files(operator: OperatorHere) -> set[str]:
    return {name for name in os.listdir(operator.folder.path) if name.startswith("recovery")}


def fingerprints() -> set[str]:
    return set(SealedSecret.objects.filter(node=None).values_list("fingerprint", flat=True))


def test_everything_is_sealed_to_another_key_once_that_was_backed_up(operator: OperatorHere) -> None:
    before, former = texts(operator), operator.folder.recovery_key()
    first = operator.command("rotate-recovery")
    assert (first.returncode, files(operator)) == (1, {RECOVERY_KEY, NEXT_KEY}), first.stderr
    assert "Back up the folder" in first.stderr
    assert operator.command("rotate-recovery").stdout == first.stdout, (
        "another key was made, and the first was backed up"
    )
    assert fingerprints() == {fingerprint(operator)}, "something is sealed to a key that nobody has backed up"
    assert operator.command("status").returncode == 1
    second = operator.command("rotate-recovery", "--backed-up")
    assert (second.returncode, files(operator)) == (0, {RECOVERY_KEY}), second.stderr
    assert fingerprints() == {fingerprint(operator)} != {fingerprint_of(public_bytes(former))}
    assert texts(operator) == before and len(before) == 2 * len(SITES)
    for row in SealedSecret.objects.filter(node=None):
        with pytest.raises(SealingError):
            open_text(bytes(row.sealed), former, purpose_of(str(row.site_id), row.field, row.version))


def test_key_that_nobody_can_have_backed_up_is_not_used(operator: OperatorHere) -> None:
    """Whoever repeats the command after it was done would replace the key of the backup by one that no backup has."""
    for _ in range(2):
        before = fingerprint(operator)
        refused = operator.command("rotate-recovery", "--backed-up")
        assert (refused.returncode, files(operator), fingerprint(operator)) == (2, {RECOVERY_KEY}, before)
        assert "no next recovery key" in refused.stderr
        operator.command("rotate-recovery")
        assert operator.command("rotate-recovery", "--backed-up").returncode == 0


KILLED = """
import os, sys
from wagtail_multihost.operations.operator import {module} as module
real, calls = module.{name}, []

def killed(*words, **more):
    calls.append(1)
    if len(calls) == {times}:
        os.kill(os.getpid(), 9)
    return real(*words, **more)

module.{name} = killed
from wagtail_multihost.operations.operator.command import run
sys.exit(run(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("module", "name", "times"),
    [("folder", "write_files", 1), ("folder", "sync_paths", 1), ("recovery", "reseal", 1), ("recovery", "reseal", 5)],
)
def test_change_goes_on_where_it_was_killed(operator: OperatorHere, module: str, name: str, times: int) -> None:
    """The service, which runs meanwhile, opens and keeps secrets all the time."""
    before = texts(operator)
    operator.command("rotate-recovery")
    program = KILLED.format(module=module, name=name, times=times)
    words = ["rotate-recovery", "--development", "--folder", str(operator.folder.path)]
    words += ["--database", operator.url("multihost_operator"), "--backed-up"]
    killed = subprocess.run([sys.executable, "-P", "-c", program, *words], check=False, timeout=60)
    assert killed.returncode == -9
    assert texts(operator) == before, "something can be opened by no key that is there"
    operator.operator.site_keys.rotate([SITES[1]])
    done = operator.command("rotate-recovery", "--backed-up")
    assert (done.returncode, files(operator)) == (0, {RECOVERY_KEY}), done.stderr
    assert fingerprints() == {fingerprint(operator)}
    after = texts(operator)
    assert {what for what in before if after[what] != before[what]} == {(uid_of(operator, SITES[1]), "secret_key")}


def uid_of(operator: OperatorHere, site: str) -> Any:
    ((_, uid, _),) = operator.operator.site_keys.find([site])
    return uid


def test_service_never_seals_to_a_key_that_is_gone(live_fleet: Fleet, operator: OperatorHere) -> None:
    """It knew the former key before the change, and has opened nothing since."""
    service = SiteKeys(operator.database, Recovery(operator.folder))
    operator.command("rotate-recovery")
    assert operator.command("rotate-recovery", "--backed-up").returncode == 0
    live_fleet.add("late")
    assert service.make_missing() == 1
    assert fingerprints() == {fingerprint(operator)}
    assert len(texts(operator)) == 2 * len(SITES) + 1


def test_former_key_stays_while_something_is_sealed_to_it(operator: OperatorHere) -> None:
    """Also where a part of it cannot be opened, whose value a person has to bring again."""
    SealedSecret.objects.filter(site=uid_of(operator, SITES[3])).update(sealed=b"x" * 80)
    operator.command("rotate-recovery")
    done = operator.command("rotate-recovery", "--backed-up")
    assert (done.returncode, files(operator)) == (1, {RECOVERY_KEY, FORMER_KEY})
    assert f"secret_key of the site {uid_of(operator, SITES[3])}" in done.stderr
    assert SealedSecret.objects.filter(fingerprint=fingerprint(operator)).count() == 2 * len(SITES) - 2
