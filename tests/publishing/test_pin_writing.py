"""Writing pins: what is told before, what is written how, and what is asked of the disk."""

from __future__ import annotations

import errno
import os
import re
import stat
import tomllib
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest

from tests.registry.conftest import AURORA, BOREALIS, HEAD, RegistryMaker
from tests.registry.test_snapshot_parts import snapshot_with
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.files import writing
from wagtail_multihost.publishing.evidence import Evidence
from wagtail_multihost.publishing.pin_text import add_pins, holder_array, holder_line, replace_file
from wagtail_multihost.publishing.pins import Pin, PinChoices, pin_sites
from wagtail_multihost.publishing.snapshot_changes import SnapshotAction, SnapshotChange
from wagtail_multihost.publishing.snapshot_writer import prepared_folder, write_changes
from wagtail_multihost.registry import Registry
from wagtail_multihost.registry.platform_key import create_key_file, read_or_make_key
from wagtail_multihost.registry.used import NAME_KEYS, Holder
from wagtail_multihost.spec.names import derive_names
from wagtail_multihost.spec.site import SiteSpec

OLD, NEW = UUID("6f1c2b0e-4a0d-5c8e-9b1f-2d3c4b5a6978"), UUID("0b0e8a3c-7a4b-4d6e-9f00-123456789abc")
NAMES = {key: getattr(derive_names("aviary", "aurora"), key) for key in NAME_KEYS}


def refused(
    registry: Registry, choices: PinChoices, ask: Callable[..., object] | None = None
) -> list[tuple[str, str, str]]:
    before = Path(registry.url).read_bytes()
    with pytest.raises(ConfigurationError) as caught:
        pin_sites(registry, choices, ask) if ask else pin_sites(registry, choices)  # type: ignore[arg-type]
    assert Path(registry.url).read_bytes() == before
    return [
        (problem.where.removeprefix("sites.toml: "), problem.message, problem.site) for problem in caught.value.problems
    ]


def test_what_keeps_sites_from_being_pinned_is_told_at_once(registry: RegistryMaker, tmp_path: Path) -> None:
    """Each site that is not known, each leftover of a new one and each impossible choice, with place and site."""
    opened = registry(HEAD + AURORA + BOREALIS)
    home = tmp_path / "data/sites/borealis"
    home.mkdir(parents=True)
    (home / "db.sqlite3").touch()
    told = refused(opened, PinChoices(keep=["x"], new=["borealis"]), lambda site: (None, f"{site.id} is away"))
    assert [(place, site) for place, _, site in told] == [
        ("--keep", "x"),
        ("sites.aurora", "aurora"),
        ("sites.borealis", "borealis"),
    ]
    assert told[1][1].startswith("It is not known whether the site is in use: aurora is away. Say which: ")
    assert told[1][1].endswith("its own uid and names.")
    assert (
        told[2][1]
        == f"It is a new site, and the folder {home} of an earlier one is still there. Move it away or delete it."
    )


@pytest.mark.parametrize(
    ("evidence", "choices", "uid", "why"),
    [
        (None, PinChoices(), None, "no earlier site with this id is known"),
        (None, PinChoices(new=["aurora"]), None, "--new says that it is another site"),
        (None, PinChoices(keep=["aurora"]), "derived", "--keep says that it is the same site"),
        (Evidence("the database"), PinChoices(), "derived", "it is in use: the database"),
        (Evidence("the database", OLD), PinChoices(keeps_all=True), OLD, "--keep says that it is the same site"),
    ],
)
def test_pin_says_what_it_wrote_and_why(
    registry: RegistryMaker, evidence: Evidence | None, choices: PinChoices, uid: object, why: str
) -> None:
    """The uid is in the file, is new or is not, and the reason is that of the decision."""
    opened = registry(HEAD + AURORA)
    asked: list[str] = []

    def ask(site: SiteSpec) -> tuple[Evidence | None, str]:
        asked.append(site.id)
        return evidence, ""

    derived = opened.site("aurora")[0].uid_of("aurora")
    [written] = pin_sites(opened, choices, ask)
    [site] = opened.load().sites
    assert written == Pin("aurora", site.uid, uid is None, why)
    assert site.uid.version == 4 if uid is None else site.uid == (derived if uid == "derived" else uid)
    assert asked == ([] if "aurora" in choices.new else ["aurora"])
    assert asked == [] or pin_sites(opened, choices._replace(new=()), ask) == []
    assert len(asked) <= 1, "a site that is pinned is not asked about"


def test_names_alone_are_added_to_a_uid_that_is_stated(registry: RegistryMaker) -> None:
    """The uid stays, and is not new."""
    opened = registry(f'{HEAD}{AURORA}uid = "{OLD}"\n')
    assert pin_sites(opened) == [Pin("aurora", OLD, False, "its uid is stated, and names were missing")]


def test_file_that_changes_meanwhile_is_left(registry: RegistryMaker) -> None:
    """What somebody else has written stays."""
    opened = registry(HEAD + AURORA)
    path = Path(opened.url)

    def ask(site: SiteSpec) -> tuple[Evidence | None, str]:
        path.write_text(HEAD + AURORA + "# meanwhile\n")
        return None, ""

    with pytest.raises(ConfigurationError, match="The file was changed in the meantime"):
        pin_sites(opened, ask=ask)
    assert path.read_text() == HEAD + AURORA + "# meanwhile\n"


def test_line_of_a_holder_is_what_it_is_read_from() -> None:
    """The uid, the names in their order, and whether its site is gone, where it is."""
    assert holder_line(Holder("aurora", OLD, NAMES)) == {"uid": str(OLD), **NAMES}
    assert list(holder_line(Holder("aurora", OLD, dict(reversed(NAMES.items())), True))) == [
        "uid",
        *NAME_KEYS,
        "removed",
    ]
    assert holder_line(Holder("aurora", OLD, NAMES, True))["removed"] is True
    lines = [holder_line(Holder("aurora", uid, NAMES)) for uid in (OLD, NEW)]
    text = holder_array(lines).as_string()
    assert tomllib.loads(f"x = {text}")["x"] == lines
    assert len(text.splitlines()) == 4, "a line each"


@pytest.mark.parametrize("end", ["", "\n"])
def test_table_of_used_ids_is_added_at_the_end_once(end: str) -> None:
    """With its comment; holders that are there already are not written again."""
    text = f"[sites.aurora]{end}"
    used = {"aurora": (Holder("aurora", OLD, NAMES, True),)}
    first = add_pins(text, [], used)
    assert first.startswith("[sites.aurora]\n\n# Who had which id, written by multihost_sites --pin.")
    assert tomllib.loads(first)["used"]["aurora"] == [holder_line(used["aurora"][0])]
    assert add_pins(first, [], used) == first
    second = add_pins(first, [], {"aurora": (Holder("aurora", NEW, NAMES),)})
    assert tomllib.loads(second)["used"]["aurora"] == [holder_line(Holder("aurora", NEW, NAMES))]
    assert second.count("[used]") == 1
    assert add_pins(text, [], {}) == text


def test_last_site_has_its_pins_before_the_table_of_used_ids(registry: RegistryMaker) -> None:
    """The table's comment stands right above it, behind all that is the site's."""
    opened = registry(HEAD + AURORA)
    pin_sites(opened)
    before, comment, after = Path(opened.url).read_text().partition("\n# Who had which id")
    assert "uid = " in before and "[sites.aurora.names]" in before
    assert comment and [line for line in after.splitlines() if not line.startswith("# ")][1] == "[used]"


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was brought to the disk, and renamed, in this order, a draft with its first mode."""
    calls: list[str] = []
    sync, rename, change_mode = os.fsync, os.replace, os.fchmod

    def fchmod(descriptor: int, mode: int) -> None:
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode):
            calls.append(f"draft {stat.S_IMODE(status.st_mode):o}")
        change_mode(descriptor, mode)

    def fsync(descriptor: int) -> None:
        status = os.fstat(descriptor)
        calls.append("folder" if stat.S_ISDIR(status.st_mode) else f"file of {status.st_size}")
        sync(descriptor)

    def replace(source: Path, target: Path) -> None:
        source, target = Path(source), Path(target)
        assert re.fullmatch(rf"\.{re.escape(target.name)}\.[0-9a-f]{{8}}\.tmp", source.name)
        calls.append("rename")
        rename(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    monkeypatch.setattr(os, "fchmod", fchmod)
    return calls


def test_pins_are_on_the_disk_before_they_take_their_place(tmp_path: Path, synced: list[str]) -> None:
    """The whole draft, then the rename, then the folder; a crash leaves the old file or the new one."""
    path = tmp_path / "sites.toml"
    path.write_text("old")
    path.chmod(0o640)
    replace_file(path, "new\r\n\u00fc")
    assert synced == ["draft 600", "file of 7", "rename", "folder"]
    assert path.read_bytes() == "new\r\n\u00fc".encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [found.name for found in tmp_path.iterdir()] == ["sites.toml"]
    with pytest.raises(ConfigurationError, match="The pins cannot be written: No such file or directory") as caught:
        replace_file(tmp_path / "none" / "sites.toml", "new")
    assert [problem.where for problem in caught.value.problems] == [str(tmp_path / "none" / "sites.toml")]


def test_snapshots_are_on_the_disk_before_they_take_their_place(
    tmp_path: Path, synced: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All drafts, then all renames, then the folder; of many, one call for everything."""
    both = [tmp_path / "f/a.json", tmp_path / "f/b.json"]
    syncs: list[str] = []
    monkeypatch.setattr(os, "sync", lambda: syncs.append(" ".join(synced)))
    changes = [SnapshotChange(path, SnapshotAction.CREATED, snapshot_with(), os.getegid()) for path in both]
    with prepared_folder(tmp_path / "f"):
        write_changes(changes)
    size = both[0].stat().st_size
    on_disk = [f"file of {size}"] * 2
    assert synced == ["draft 600", "draft 600", *on_disk, "rename", "rename", "folder"]
    assert syncs == []
    monkeypatch.setattr(writing, "MOST_SINGLE_SYNCS", 2)
    write_changes(changes)
    assert syncs == []
    monkeypatch.setattr(writing, "MOST_SINGLE_SYNCS", 1)
    synced.clear()
    write_changes(changes)
    assert len(syncs) == 1
    assert "rename" not in syncs[0]


def test_folder_of_snapshots_is_made_for_all_to_pass(tmp_path: Path) -> None:
    """Whatever the umask is; drafts of a run that was killed go, and nothing else does."""
    folder = tmp_path / "a/b/c"
    mask = os.umask(0o077)
    try:
        with prepared_folder(folder):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o711
    finally:
        os.umask(mask)
    folder.chmod(0o755)
    for name in (".a.json.0123abcd.tmp", "a.json", ".a.json.tmp"):
        (folder / name).touch()
    with prepared_folder(folder):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o711
        assert sorted(path.name for path in folder.iterdir()) == [".a.json.tmp", "a.json"]
    (tmp_path / "file").touch()
    with (
        pytest.raises(ConfigurationError, match="The folder cannot be used: there is a file of that name"),
        prepared_folder(tmp_path / "file"),
    ):
        pass


def test_mistakes_of_the_registry_come_before_all_questions(registry: RegistryMaker) -> None:
    """They are told at their keys, each once, and no database is asked anything."""

    def ask(site: SiteSpec) -> tuple[Evidence | None, str]:
        raise AssertionError(site.id)

    parts = 'cache = { backend = "redis", host = "h", port = 0 }\n'
    told = refused(registry(HEAD + parts + AURORA + "enabled = 7\n" + BOREALIS), PinChoices(keep=["x"]), ask)
    assert [place for place, _, _ in told] == ["platform.cache.port", "sites.aurora.enabled"]
    told = refused(registry(HEAD + 'origin = "x"\n' + AURORA), PinChoices(), ask)
    assert [place for place, _, _ in told] == ["platform.origin"]


def test_folder_that_is_anothers_keeps_its_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the owner of a folder changes its mode; root's is accepted by everyone."""
    if tmp_path.stat().st_uid:
        pytest.skip("needs root")
    folder = tmp_path / "f"
    folder.mkdir(mode=0o755)
    monkeypatch.setattr(os, "geteuid", lambda: 7)
    with prepared_folder(folder):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o755


def test_pins_whose_folder_is_not_on_the_disk_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is there by then; the error is that of the disk."""
    path = tmp_path / "sites.toml"
    path.write_text("old")
    sync = os.fsync

    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EIO, "Input/output error")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(ConfigurationError, match="The pins cannot be written: Input/output error"):
        replace_file(path, "new")
    assert path.read_text() == "new"


def test_key_of_the_platform_is_drafted_beside_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Hidden, for its owner alone, whole before it has its name; the log is the registry's."""
    drafts: list[Path] = []
    link = os.link

    def linked(draft: str, target: Path) -> None:
        source = Path(draft)
        drafts.append(source)
        assert stat.S_IMODE(source.stat().st_mode) == 0o600
        assert len(source.read_text()) == 65
        link(source, target)

    monkeypatch.setattr(os, "link", linked)
    mask = os.umask(0o077)
    try:
        create_key_file(tmp_path / "a/b/platform.key")
    finally:
        os.umask(mask)
    assert [bool(re.fullmatch(r"\.platform\.key\.[0-9a-f]{8}\.tmp", draft.name)) for draft in drafts] == [True]
    assert stat.S_IMODE((tmp_path / "a/b").stat().st_mode) == 0o711
    assert [record.name for record in caplog.records] == ["wagtail_multihost.registry"]
    assert read_or_make_key(tmp_path / "none", may_make=False) is None
    assert not (tmp_path / "none").exists()


COMMENTED = """\
[platform]
name = "aviary"

# The first
[sites.aurora]
hostnames = ["aurora.example.org"]
# aliases = []

# The second
[sites.borealis]
hostnames = ["borealis.example.org"]
[sites.borealis.settings]
TIME_ZONE = "Europe/Berlin"
[sites.corona]
hostnames = ["corona.example.org"]


[sites.draco]
hostnames = ["draco.example.org"]
"""


def test_pins_keep_blank_lines_and_comments_where_they_are(registry: RegistryMaker, tmp_path: Path) -> None:
    """Each heading has a blank line above it, and a comment above a table stays above that table."""
    opened = registry(COMMENTED)
    pin_sites(opened, PinChoices(keeps_all=True))
    text = (tmp_path / "sites.toml").read_text()
    before, _, after = text.partition("[used]")
    assert len(re.findall(r"^\[", before, re.MULTILINE)) == 10
    assert re.findall(r"^[^#\n].*\n\[", before, re.MULTILINE) == []
    assert '# aliases = []\nuid = "' in text
    assert 'socket = "aurora.sock"\n\n# The second\n[sites.borealis]' in text
    assert 'socket = "corona.sock"\n\n\n[sites.draco]' in text
    assert '"Europe/Berlin"\n\n[sites.borealis.names]' in text
    assert 'socket = "draco.sock"\n\n# Who had which id' in text and after
    pin_sites(registry(text), PinChoices())
    assert (tmp_path / "sites.toml").read_text() == text
