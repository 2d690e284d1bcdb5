"""What root writes while a site has filled the disk: all of it or nothing, and the next run goes on."""

from __future__ import annotations

import json

import pytest

from tests.accounts import needs_root
from tests.attacks.small_disk import run_on_small_disk

pytestmark = [pytest.mark.servers, needs_root]

#: How many pages are left of the disk, one case after the other.
ROOMS = range(0, 20)
APPLY = f"""
import json, shutil, sys
from pathlib import Path

from tests.attacks.small_disk import fill
from tests.emitters.apply.conftest import World
from wagtail_multihost.emitters.apply.writing import write_changes
from wagtail_multihost.exceptions import MultihostError

FIRST = {{"conf/main": "one", "conf/sites/aurora": "a", "conf/sites/borealis": "b"}}
SECOND = {{"conf/main": "two" * 2000, "conf/sites/aurora": "A" * 5000, "conf/sites/corona": "c"}}

for room in {list(ROOMS)}:
    for do in ("apply", "emit"):
        folder = Path(sys.argv[1], f"{{do}}{{room}}")
        folder.mkdir()
        world = World(folder, dict(FIRST))
        world.apply()
        world.texts = dict(SECOND)
        filling = fill(Path(sys.argv[1]), room)
        try:
            world.apply() if do == "apply" else write_changes(world.request())
            outcome = ""
        except MultihostError as error:
            outcome = str(error)
        found = world.found()
        filling.unlink()
        world.apply()
        state = "old" if found == FIRST else "new" if found == SECOND else "mixed"
        print(json.dumps([do, room, outcome, state, world.found() == SECOND]))
        shutil.rmtree(folder)
"""


@pytest.fixture(name="runs", scope="module")
def _runs(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, int, str, str, bool]]:
    printed = run_on_small_disk(tmp_path_factory.mktemp("disk"), APPLY)
    return [tuple(json.loads(line)) for line in printed.splitlines()]  # type: ignore[misc]


@pytest.mark.parametrize("do", ["apply", "emit"])
def test_configuration_on_a_full_disk_is_the_old_one_or_the_new_one(
    runs: list[tuple[str, int, str, str, bool]], do: str
) -> None:
    """However little room there is, a run that fails says so and has changed nothing, and the next one succeeds."""
    found = [run for run in runs if run[0] == do]
    assert len(found) == len(ROOMS)
    assert {(bool(outcome), state) for _, _, outcome, state, _ in found} == {(True, "old"), (False, "new")}
    assert all("No space left on device" in outcome for _, _, outcome, _, _ in found if outcome)
    assert all(is_mended for *_, is_mended in found)
