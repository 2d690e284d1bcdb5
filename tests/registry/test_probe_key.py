"""The probe key of a site as registries state it, and in snapshots of both formats."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.registry.test_snapshot import NOW, folder, read_own, source  # noqa: F401  # fixtures
from tests.registry.test_snapshot_formats import rewritten
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.publishing.snapshot_draft import draft_snapshots
from wagtail_multihost.registry import open_registry
from wagtail_multihost.registry.keys import SITE, declared
from wagtail_multihost.registry.snapshot import SnapshotRegistry
from wagtail_multihost.registry.snapshot_formats import FORMATS, newest_format
from wagtail_multihost.registry.uniqueness import shared_key_problems
from wagtail_multihost.spec.proofs import is_probe_key, make_probe_key

KEY = make_probe_key().reveal()
HEAD = '[platform]\nname = "aviary"\nsecret_key = "platform-key-0123456789-0123456789"\n'
AURORA = '[sites.aurora]\nhostnames = ["aurora.example.org"]\n'
BOREALIS = '[sites.borealis]\nhostnames = ["borealis.example.org"]\n'


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "sites.toml"
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_registry_states_a_key_by_value_file_or_variable(tmp_path: Path) -> None:
    """As each other secret."""
    file = tmp_path / "aurora.probe"
    file.write_text(f"{KEY}\n")
    file.chmod(0o600)
    for stated in (f'probe_key = "{KEY}"', f'probe_key_file = "{file}"', 'probe_key = "env:PROBE"'):
        path = write(tmp_path, f"{HEAD}{AURORA}{stated}\n")
        _, site = open_registry(path, {"PROBE": KEY}).site("aurora")
        assert site.probe_key and site.probe_key.reveal() == KEY


@pytest.mark.parametrize("text", ["hunter2", f"{KEY}=", KEY[:-1]], ids=["a word", "padded", "too short"])
def test_key_of_another_form_is_refused_without_being_shown(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, f'{HEAD}{AURORA}probe_key = "{text}"\n')
    with pytest.raises(ConfigurationError, match=r"probe_key: It is no probe key: that has 32 bytes") as error:
        open_registry(path, {}).site("aurora")
    assert text not in str(error.value)


def test_two_sites_have_no_key_in_common(tmp_path: Path) -> None:
    """Each could prove that it is the other."""
    path = write(tmp_path, f'{HEAD}{AURORA}probe_key = "{KEY}"\n{BOREALIS}probe_key = "{KEY}"\n')
    with pytest.raises(ConfigurationError, match="The probe key belongs to the sites aurora and borealis") as error:
        open_registry(path, {}).load(requires_pins=False)
    assert KEY not in str(error.value)


def test_same_key_in_two_files_is_found_where_it_is_read(tmp_path: Path) -> None:
    text = HEAD
    for site, table in (("aurora", AURORA), ("borealis", BOREALIS)):
        file = tmp_path / site
        file.write_text(KEY)
        file.chmod(0o600)
        text += f'{table}probe_key_file = "{file}"\n'
    contents = open_registry(write(tmp_path, text), {}).read_sites(["aurora", "borealis"])
    (problem,) = shared_key_problems(contents.sites)
    assert "have the same probe key" in problem.message
    assert "probe_key_file" in problem.where


def test_platform_has_no_key_for_all_sites(tmp_path: Path) -> None:
    path = write(tmp_path, f'{HEAD}probe_key = "{KEY}"\n{AURORA}')
    with pytest.raises(ConfigurationError, match="probe_key"):
        open_registry(path, {}).load(requires_pins=False)


def test_no_database_states_it() -> None:
    """Only a node's own files do, and what was sealed for the node."""
    who = {key.name: key.who for key in declared() if key.table == SITE and key.name.startswith("probe_key")}
    assert who == {"probe_key": "node", "probe_key_file": "node"}


def test_snapshot_has_the_sites_own_key_alone(folder: Path) -> None:  # noqa: F811
    """Derived like the secret key, also for a site whose secret key is its own."""
    keys = {}
    for name in ("aurora", "borealis"):
        _, site = SnapshotRegistry(folder, {}).site(name)
        assert site.probe_key is not None
        keys[name] = site.probe_key.reveal()
        assert is_probe_key(keys[name])
    assert keys["aurora"] != keys["borealis"]
    assert keys["aurora"] not in (folder / "borealis.json").read_text()


def test_format_before_has_no_probe_key(source, tmp_path: Path) -> None:  # noqa: F811
    """A version that reads only that one refuses keys that it does not know."""
    contents = read_own(source)
    newest = {one.site: one.document for one in draft_snapshots(tmp_path, source, contents, NOW)}
    before = {
        one.site: one.document
        for one in draft_snapshots(tmp_path, source, contents, NOW, dict.fromkeys(("aurora", "borealis"), 1))
    }
    assert newest_format() == 2
    for name in ("aurora", "borealis"):
        assert "probe_key" in newest[name]["site"]
        own = {key: value for key, value in newest[name]["site"].items() if key != "probe_key"}
        assert before[name] == {**newest[name], "format": 1, "site": own}
        assert FORMATS[1].read(before[name])["site"] == own


def test_snapshot_of_the_format_before_is_read_without_a_probe_key(folder: Path) -> None:  # noqa: F811
    """As an earlier version has written it."""
    path = folder / "aurora.json"
    document = json.loads(path.read_text())
    site = {key: value for key, value in document["site"].items() if key != "probe_key"}
    rewritten(path, {**document, "format": 1, "site": site})
    assert SnapshotRegistry(folder, {}).site("aurora")[1].probe_key is None
    rewritten(path, {**document, "format": 1})
    with pytest.raises(ConfigurationError, match="keys are missing or unknown"):
        SnapshotRegistry(folder, {}).site("aurora")
