"""Ids that were used: what a registry takes of a site whose id another one had."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import UUID

import pytest

from tests.registry.conftest import AURORA, BOREALIS, HEAD, RegistryMaker
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.publishing.pins import Evidence, PinChoices, pin_sites
from wagtail_multihost.registry import Registry, open_registry
from wagtail_multihost.registry.used import NAME_KEYS
from wagtail_multihost.spec.names import derive_names, successor_names

OLD, NEW = UUID("6f1c2b0e-4a0d-5c8e-9b1f-2d3c4b5a6978"), UUID("0b0e8a3c-7a4b-4d6e-9f00-123456789abc")
DERIVED = {key: getattr(derive_names("aviary", "aurora"), key) for key in NAME_KEYS}
PRODUCTION = HEAD + 'environment = "production"\n'


def line(uid: UUID, *, removed: bool = False, **names: str) -> str:
    pairs = [f'{key} = "{name}"' for key, name in {"uid": str(uid), **DERIVED, **names}.items()]
    return "{ " + ", ".join(pairs + ["removed = true"] * removed) + " }"


def used(*lines: str, site: str = "aurora") -> str:
    return f"[used]\n{site} = [{', '.join(lines)}]\n"


def problems(registry: Registry) -> str:
    with pytest.raises(ConfigurationError) as caught:
        registry.load()
    with pytest.raises(ConfigurationError) as own:
        registry.site("aurora", reads_secrets=False)
    assert set(own.value.problems) <= set(caught.value.problems)
    return "\n".join(f"{problem.where}: {problem.message}" for problem in caught.value.problems)


@pytest.mark.parametrize("head", [HEAD, PRODUCTION])
@pytest.mark.parametrize("names", ["", '[sites.aurora.names]\ndatabase = "elsewhere"\n'])
def test_used_id_without_a_uid_is_refused(registry: RegistryMaker, head: str, names: str) -> None:
    """A table that was removed and made again does not get the uid, the key and the names of the one before."""
    told = problems(registry(head + AURORA + names + used(line(OLD))))
    assert f"sites.toml: sites.aurora: The id was used before, by the uid {OLD}" in told
    assert "--keep aurora" in told and "--new aurora" in told


def test_used_id_of_a_removed_site_is_refused_with_the_shorter_way_out(registry: RegistryMaker) -> None:
    """Where it is known that the site was gone, --pin alone gives the new one a uid."""
    told = problems(registry(HEAD + AURORA + used(line(OLD, removed=True))))
    assert "--keep aurora" in told and "--new" not in told


@pytest.mark.parametrize("key", NAME_KEYS)
def test_name_of_another_holder_is_refused(registry: RegistryMaker, key: str) -> None:
    """A new uid alone is not enough: each name that the earlier holder had is refused, whatever site has it."""
    kept = successor_names("aviary", "aurora", NEW)
    names = {name: getattr(kept, name) for name in NAME_KEYS} | {key: DERIVED[key]}
    table = "".join(f'{name} = "{value}"\n' for name, value in names.items())
    told = problems(registry(f'{PRODUCTION}{AURORA}uid = "{NEW}"\n[sites.aurora.names]\n{table}{used(line(OLD))}'))
    assert told.count("\n") == 0
    assert f"sites.aurora.names.{key}: The name '{DERIVED[key]}' belonged to the site aurora with the uid {OLD}" in told


def test_holder_that_comes_back_with_its_uid_is_accepted(registry: RegistryMaker) -> None:
    """A table that is put back as it was, from a copy of the file, is the same site."""
    opened = registry(f'{HEAD}{AURORA}uid = "{OLD}"\n{used(line(OLD, removed=True))}')
    assert opened.load().sites[0].uid == OLD
    assert opened.site("aurora", reads_secrets=False)[1].uid == OLD


def test_renamed_site_keeps_its_names(registry: RegistryMaker) -> None:
    """A site that has got another id is the same holder, and its old id is refused to another without a uid."""
    names = "".join(f'{key} = "{name}"\n' for key, name in DERIVED.items())
    renamed = f'{BOREALIS}uid = "{OLD}"\n[sites.borealis.names]\n{names}'
    opened = registry(PRODUCTION + renamed + used(line(OLD)))
    assert [site.uid for site in opened.load().sites] == [OLD]
    assert "The id was used before" in problems(registry(HEAD + renamed + AURORA + used(line(OLD))))


@pytest.mark.parametrize(
    "table",
    [
        "used = 7\n",
        "[used]\naurora = 7\n",
        "[used]\naurora = []\n",
        "[used]\naurora = [7]\n",
        "[used]\naurora = [{}]\n",
        "[used.aurora]\nuid = 7\n",
        used(line(OLD).replace(str(OLD), "6f1c")),
        used(line(OLD).replace('role = "', 'roll = "')),
        used(line(OLD).replace('role = "aviary__aurora"', "role = 7")),
        used(line(OLD).replace('role = "aviary__aurora", ', "")),
        used(line(OLD, removed=True).replace("removed = true", 'removed = "yes"')),
    ],
)
def test_table_that_is_not_understood_is_refused(registry: RegistryMaker, table: str) -> None:
    """A mistake in the table is told, and never read as if no id had been used."""
    text = f'{AURORA}uid = "{OLD}"\n'
    opened = registry(table + HEAD + text if table.startswith("used") else HEAD + text + table)
    assert "sites.toml: used" in problems(opened)


def test_successors_names_are_nobodys(registry: RegistryMaker, tmp_path: Path) -> None:
    """The longest id's successor has names that are accepted, and no prefix of which lies in another's range."""
    platform, site = "p" * 20, "s" * 40
    first, second = derive_names(platform, site), successor_names(platform, site, NEW)
    other = derive_names(platform, f"{site[:30]}-{NEW.hex[:8]}")
    for names in (first, other):
        assert not {getattr(names, key) for key in NAME_KEYS} & {getattr(second, key) for key in NAME_KEYS}
        for key in ("key_prefix", "index_prefix"):
            end = "." if key == "key_prefix" else ""
            assert not getattr(second, key).startswith(getattr(names, key) + end)
            assert not getattr(names, key).startswith(getattr(second, key) + end)


def test_pin_notes_who_has_which_id_and_who_is_gone(registry: RegistryMaker, tmp_path: Path) -> None:
    """The lines of a site stay when its table goes, say so, and change back when it comes back."""
    opened = registry(PRODUCTION + AURORA + BOREALIS)
    pin_sites(opened)
    both = (tmp_path / "sites.toml").read_text()
    (tmp_path / "sites.toml").write_text(both.partition("[sites.aurora]")[0] + both[both.index("[sites.borealis]") :])
    pin_sites(opened)
    (holder,) = opened.used["aurora"]
    assert not holder.removed, "as the file was"
    opened.load()
    assert [holder.removed for holder in opened.used["aurora"]] == [True]
    assert [holder.removed for holder in opened.used["borealis"]] == [False]
    (tmp_path / "sites.toml").write_text(both)
    pin_sites(opened)
    assert (tmp_path / "sites.toml").read_text() == both


@pytest.mark.parametrize("notes", [line(OLD, removed=True), f"{line(NEW, removed=True)}, {line(OLD, removed=True)}"])
def test_pin_gives_the_id_of_a_removed_site_a_uid_and_names_of_its_own(registry: RegistryMaker, notes: str) -> None:
    """Nothing of the earlier holders is the new one's, and both are remembered."""
    opened = registry(PRODUCTION + AURORA + used(notes))
    (written,) = pin_sites(opened)
    assert written.is_new and str(OLD) in written.why
    (site,) = opened.load().sites
    assert site.uid == written.uid and site.uid not in (OLD, NEW) and site.uid.version == 4
    assert site.names == successor_names("aviary", "aurora", site.uid)
    assert [holder.uid for holder in opened.used["aurora"]][-2:] == [OLD, site.uid]


def test_pin_asks_about_an_id_that_was_there_when_pins_were_last_written(registry: RegistryMaker) -> None:
    """Whether a table was made anew or lost its pins is for the operator to say; nothing is written before."""
    opened = registry(PRODUCTION + AURORA + used(line(OLD)))
    before = Path(opened.url).read_text()
    with pytest.raises(ConfigurationError, match=f"belonged to the uid {OLD}.*--keep aurora.*--new aurora"):
        pin_sites(opened)
    assert Path(opened.url).read_text() == before
    pin_sites(opened, PinChoices(new=["aurora"]))
    assert opened.load().sites[0].uid != OLD


@pytest.mark.parametrize("removed", [True, False])
def test_pin_keeps_what_the_id_had_last(registry: RegistryMaker, removed: bool) -> None:
    """--keep gives back the uid and the names that were noted, whatever would be derived today."""
    names = successor_names("aviary", "aurora", NEW)
    between = line(NEW, removed=True, **{key: getattr(names, key) for key in NAME_KEYS})
    opened = registry(PRODUCTION + AURORA + used(between, line(OLD, removed=removed, bucket="shop")))
    pin_sites(opened, PinChoices(keep=["aurora"]))
    (site,) = opened.load().sites
    assert (site.uid, site.names.bucket, site.names.database) == (OLD, "shop", DERIVED["database"])
    assert [holder.removed for holder in opened.used["aurora"]] == [True, False]


def test_pin_gives_the_old_id_of_a_renamed_site_a_uid_of_its_own(registry: RegistryMaker) -> None:
    """The uid is now belongs to another site, so it cannot be kept, and nobody has to be asked."""
    names = "".join(f'{key} = "{name}"\n' for key, name in DERIVED.items())
    renamed = f'{BOREALIS}uid = "{OLD}"\n[sites.borealis.names]\n{names}'
    opened = registry(PRODUCTION + renamed + AURORA + used(line(OLD)))
    with pytest.raises(ConfigurationError, match="now belongs to another site"):
        pin_sites(opened, PinChoices(keep=["aurora"]))
    pin_sites(opened)
    assert len({site.uid for site in opened.load().sites}) == 2


@pytest.mark.parametrize("what", ["sites/aurora/db.sqlite3", "sites/aurora/tmp"])
def test_pin_keeps_the_uid_of_a_site_that_has_files(registry: RegistryMaker, tmp_path: Path, what: str) -> None:
    """A site that was served before pins were written keeps the uid and the names that it has."""
    opened = registry(HEAD + AURORA)
    before = opened.load().sites[0]
    (tmp_path / "data" / what).mkdir(parents=True)
    (written,) = pin_sites(opened)
    assert (written.is_new, written.uid) == (False, before.uid)
    assert "data/sites/aurora" in written.why
    assert opened.load().sites[0].names == before.names


@pytest.mark.parametrize("kind", ["another's mark", "link", "pipe", "huge", "many"])
def test_pin_believes_nothing_that_a_site_has_put_into_its_folder(
    registry: RegistryMaker, tmp_path: Path, kind: str
) -> None:
    """Whatever it puts in the place of its mark: the site is in use, has its own uid, and keeps nobody waiting."""
    opened = registry(HEAD + AURORA)
    before = opened.load().sites[0]
    home = tmp_path / "data/sites/aurora"
    home.mkdir(parents=True)
    mark, others = home / ".multihost-site", f'{{"platform": "aviary", "uid": "{OLD}"}}'
    if kind == "another's mark":
        mark.write_text(others)
    elif kind == "link":
        (tmp_path / "others").write_text(others)
        mark.symlink_to(tmp_path / "others")
    elif kind == "pipe":
        os.mkfifo(mark)
    elif kind == "huge":
        mark.touch()
        os.truncate(mark, 1 << 40)
    else:
        for number in range(1000):
            (home / f"\n[sites.borealis]\nuid = {number}").touch()
    (written,) = pin_sites(opened)
    assert (written.is_new, written.uid, opened.load().sites[0].names) == (False, before.uid, before.names)


def test_pin_does_not_take_a_folder_that_was_only_made_for_use(registry: RegistryMaker, tmp_path: Path) -> None:
    """The guides make a site's folder before the site is served."""
    (tmp_path / "data" / "sites" / "aurora").mkdir(parents=True)
    assert pin_sites(registry(HEAD + AURORA))[0].is_new


def test_pin_gives_no_new_site_the_files_of_an_earlier_one(registry: RegistryMaker, tmp_path: Path) -> None:
    """Files in the place of the new site's are told, each of them, and nothing is written."""
    places = f'database = "sqlite:///{tmp_path}/a.sqlite3"\nstorage = {{ backend = "files", path = "{tmp_path}/m" }}\n'
    text = PRODUCTION + AURORA + places + used(line(OLD, removed=True))
    opened = registry(text)
    (tmp_path / "a.sqlite3").write_text("of the old one")
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "secret").write_text("of the old one")
    (tmp_path / "data" / "sites" / "aurora" / "logs").mkdir(parents=True)
    with pytest.raises(ConfigurationError) as caught:
        pin_sites(opened)
    assert [problem.site for problem in caught.value.problems] == ["aurora"] * 3
    for path in ("a.sqlite3", "m", "data/sites/aurora"):
        assert f"{tmp_path}/{path} of an earlier one is still there" in str(caught.value)
    assert Path(opened.url).read_text() == text


def test_pin_that_finds_another_uid_asks(registry: RegistryMaker, tmp_path: Path) -> None:
    """A snapshot with another uid than the derived one is of a site whose pins are lost, or of another site."""
    run = tmp_path / "run"
    opened = registry(HEAD + f'snapshots = "{run}"\n' + AURORA)
    run.mkdir()
    snapshot = '{"format": 1, "revision": 0, "digest": "", "site": {"id": "aurora", "uid": "UID"}}'
    (run / "aurora.json").write_text(snapshot.replace("UID", str(OLD)))
    with pytest.raises(ConfigurationError, match=f"run/aurora.json has the uid {OLD}"):
        pin_sites(opened)
    (written,) = pin_sites(opened, PinChoices(keep=["aurora"]))
    assert (written.uid, opened.load().sites[0].uid) == (OLD, OLD)


def test_pin_listens_to_databases(registry: RegistryMaker) -> None:
    """A claimed database keeps a site's uid; one that cannot be asked leaves the question to the operator."""
    text = HEAD + AURORA
    derived = registry(text).load().sites[0].uid
    (written,) = pin_sites(registry(text), ask=lambda site: (Evidence("the database a", derived), ""))
    assert (written.uid, written.is_new) == (derived, False)
    with pytest.raises(ConfigurationError, match=f"the database a has the uid {OLD}"):
        pin_sites(registry(text), ask=lambda site: (Evidence("the database a", OLD), ""))
    with pytest.raises(ConfigurationError, match=r"in use: nobody answers.*--new aurora"):
        pin_sites(registry(text), ask=lambda site: (None, "nobody answers"))
    with pytest.raises(ConfigurationError, match="Write the right one"):
        pin_sites(
            registry(text), PinChoices(keep=["aurora"]), ask=lambda site: (Evidence("the database a", OLD, True), "")
        )
    (written,) = pin_sites(registry(text), PinChoices(keep=["aurora"]), ask=lambda site: (None, "nobody answers"))
    assert (written.uid, written.is_new) == (derived, False)


def test_pin_says_all_that_is_wrong_about_wishes(registry: RegistryMaker) -> None:
    """Unknown ids, a site that is kept and new, and a new uid for a site that has one are one report."""
    opened = registry(f'{HEAD}{AURORA}uid = "{OLD}"\n{BOREALIS}')
    with pytest.raises(ConfigurationError) as caught:
        pin_sites(opened, PinChoices(keep=["borealis", "draco"], new=["aurora", "borealis", "eridanus"]))
    told = str(caught.value)
    assert len(caught.value.problems) == 4
    assert f"--new: The site aurora already has the uid {OLD}" in told
    assert "--new: The site borealis is to be kept as well" in told
    assert "--keep: The registry has no site draco" in told and "--new: The registry has no site eridanus" in told


def test_pin_does_not_write_over_a_change_that_was_made_meanwhile(registry: RegistryMaker) -> None:
    """An editor that saves while databases are asked keeps what it wrote."""
    opened = registry(HEAD + AURORA)
    changed = HEAD + AURORA + BOREALIS

    def save(site: object) -> tuple[None, str]:
        Path(opened.url).write_text(changed)
        return None, ""

    with pytest.raises(ConfigurationError, match="changed in the meantime"):
        pin_sites(opened, ask=save)
    assert Path(opened.url).read_text() == changed


def test_registry_without_the_table_is_as_before(tmp_path: Path, registry: RegistryMaker) -> None:
    """Sites that were never pinned derive what they always did."""
    opened = registry(HEAD + AURORA)
    assert opened.load().sites[0].names == derive_names("aviary", "aurora")
    assert opened.used == {} and open_registry("env:", {}).used == {}


def own_problems(registry: Registry) -> str:
    with pytest.raises(ConfigurationError) as caught:
        registry.site("aurora", reads_secrets=False)
    return "\n".join(f"{problem.where}: {problem.message}" for problem in caught.value.problems)


def test_holder_of_a_used_id_does_not_start_without_its_uid(registry: RegistryMaker) -> None:
    """The process of the site itself refuses, and not only who reads the whole registry."""
    assert "The id was used before" in own_problems(registry(HEAD + AURORA + used(line(OLD))))


def test_holder_of_a_used_id_does_not_start_with_the_names_of_another(registry: RegistryMaker) -> None:
    """The same for a uid that somebody wrote without new names."""
    told = own_problems(registry(f'{HEAD}{AURORA}uid = "{NEW}"\n{used(line(OLD))}'))
    assert told.count("belonged to the site aurora") == len(NAME_KEYS)


def test_pin_gives_two_new_sites_of_one_id_two_uids(registry: RegistryMaker) -> None:
    """Two registries that begin with one platform and one id have nothing in common but the derived names."""
    uids = {pin_sites(registry(PRODUCTION + AURORA))[0].uid for _ in range(2)}
    assert len(uids) == 2 and {uid.version for uid in uids} == {4}


def test_pin_gives_a_new_site_no_name_of_a_living_one(registry: RegistryMaker) -> None:
    """A site that was renamed before ids were noted has the names that its old id derives."""
    names = "".join(f'{key} = "{name}"\n' for key, name in DERIVED.items())
    opened = registry(f'{PRODUCTION}{BOREALIS}uid = "{OLD}"\n[sites.borealis.names]\n{names}{AURORA}')
    (written,) = pin_sites(opened)
    aurora = next(site for site in opened.load().sites if site.id == "aurora")
    assert aurora.names == successor_names("aviary", "aurora", written.uid)


def test_pin_writes_no_registry_with_a_problem(registry: RegistryMaker) -> None:
    """What only shows between sites, such as a hostname of two, is told before anything is written."""
    text = PRODUCTION + AURORA + BOREALIS.replace("borealis.example.org", "aurora.example.org")
    opened = registry(text)
    with pytest.raises(ConfigurationError, match="belongs to the sites aurora and borealis"):
        pin_sites(opened)
    assert Path(opened.url).read_text() == text


def test_pin_gives_no_names_of_a_holder_whose_uid_was_the_derived_one(registry: RegistryMaker) -> None:
    """Versions before wrote the derived uid, which is the new site's too as long as it has none."""
    derived = registry(HEAD + AURORA).load().sites[0].uid
    opened = registry(PRODUCTION + AURORA + used(line(derived, removed=True)))
    (written,) = pin_sites(opened)
    (site,) = opened.load().sites
    assert derived not in (written.uid, site.uid)
    assert site.names == successor_names("aviary", "aurora", site.uid)
