"""What becomes of a site that states no uid, for everything that may be known of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from tests.registry.conftest import AURORA, BOREALIS, HEAD, RegistryMaker
from tests.spec.samples import a_platform, a_site, files, sqlite
from wagtail_multihost.exceptions import Problem
from wagtail_multihost.publishing.evidence import (
    Evidence,
    find_local_evidence,
    is_filled,
    local_places,
    read_snapshot_evidence,
)
from wagtail_multihost.publishing.pin_decision import Decision, PinChoice, PinFacts, decide_pin
from wagtail_multihost.publishing.pins import (
    NO_CHOICES,
    PinChoices,
    ask_no_database,
    choice_problems,
    choose_names,
    find_name_owners,
    merge_holders,
    pin_sites,
    read_unpinned,
    unrecorded_cautions,
)
from wagtail_multihost.registry.used import (
    NAME_KEYS,
    Holder,
    held_name_problem,
    held_name_problems,
    holder_of,
    live_uids,
)
from wagtail_multihost.spec.names import Names, derive_names, successor_names

DERIVED, FIRST, SECOND, OTHER = (UUID(int=number, version=4) for number in range(1, 5))
NAMES = {key: getattr(derive_names("aviary", "aurora"), key) for key in NAME_KEYS}


def holder(uid: UUID, *, removed: bool = False, **names: str) -> Holder:
    return Holder("aurora", uid, {**NAMES, **names}, removed)


@pytest.mark.parametrize(
    ("known", "choice", "uid", "names"),
    [
        # Kept: the last holder, what somebody else wrote of it, or what is derived.
        ({}, PinChoice.KEEP, DERIVED, {}),
        ({"holders": [holder(FIRST)]}, PinChoice.KEEP, FIRST, NAMES),
        (
            {"holders": [holder(FIRST), holder(SECOND, role="r", removed=True)]},
            PinChoice.KEEP,
            SECOND,
            {**NAMES, "role": "r"},
        ),
        ({"found": [Evidence("a", FIRST)]}, PinChoice.KEEP, FIRST, {}),
        ({"found": [Evidence("a"), Evidence("b", FIRST), Evidence("c", FIRST, True)]}, PinChoice.KEEP, FIRST, {}),
        ({"found": [Evidence("a", DERIVED, True)]}, PinChoice.KEEP, DERIVED, {}),
        # In use, by whatever was found, if that says nothing else than what is derived.
        ({"found": [Evidence("a")]}, PinChoice.NOTHING, DERIVED, {}),
        ({"found": [Evidence("a", DERIVED), Evidence("b")]}, PinChoice.NOTHING, DERIVED, {}),
        ({"found": [Evidence("a")], "unasked": "it is away"}, PinChoice.NOTHING, DERIVED, {}),
    ],
)
def test_site_that_was_there_keeps_what_it_had(
    known: dict[str, object], choice: PinChoice, uid: UUID, names: dict[str, str]
) -> None:
    """The uid is that of the site before, with the names that were noted of it."""
    decision = decide_pin(PinFacts("aurora", DERIVED, **known), choice)  # type: ignore[arg-type]
    assert isinstance(decision, Decision)
    assert (decision.uid, decision.is_new, dict(decision.names)) == (uid, False, names)
    assert decision.why.startswith("--keep says" if choice is PinChoice.KEEP else "it is in use: a")


@pytest.mark.parametrize(
    ("known", "choice", "why"),
    [
        ({}, PinChoice.NOTHING, "no earlier site"),
        ({}, PinChoice.NEW, "--new says"),
        ({"holders": [holder(FIRST)], "found": [Evidence("a", FIRST)]}, PinChoice.NEW, "--new says"),
        (
            {"holders": [holder(FIRST, removed=True)]},
            PinChoice.NOTHING,
            f"the id belonged to another site, with the uid {FIRST}",
        ),
        (
            {"holders": [holder(FIRST)], "live": [FIRST]},
            PinChoice.NOTHING,
            f"the id belonged to another site, with the uid {FIRST}",
        ),
        (
            {"holders": [holder(FIRST), holder(SECOND, removed=True)], "live": [FIRST]},
            *(PinChoice.NOTHING, f"the id belonged to another site, with the uid {SECOND}"),
        ),
    ],
)
def test_site_that_was_not_there_is_a_new_one(known: dict[str, object], choice: PinChoice, why: str) -> None:
    """It gets a random uid, each time another, and no names of an earlier one."""
    decisions = [decide_pin(PinFacts("aurora", DERIVED, **known), choice) for _ in range(2)]  # type: ignore[arg-type]
    for decision in decisions:
        assert isinstance(decision, Decision)
        assert (decision.uid.version, decision.is_new, decision.names) == (4, True, {})
        assert decision.why.startswith(why)
    assert decisions[0] != decisions[1]


@pytest.mark.parametrize(
    ("known", "choice", "said"),
    [
        (
            {"found": [Evidence("the snapshot x", FIRST)]},
            PinChoice.NOTHING,
            f"the snapshot x has the uid {FIRST}. Say which: --keep aurora",
        ),
        ({"found": [Evidence("a"), Evidence("b", FIRST)]}, PinChoice.NOTHING, f"but b has the uid {FIRST}."),
        ({"unasked": "db is away"}, PinChoice.NOTHING, "the site is in use: db is away. Say which: --keep aurora"),
        ({"holders": [holder(FIRST)]}, PinChoice.NOTHING, f"its id belonged to the uid {FIRST}."),
        (
            {"holders": [holder(FIRST), holder(SECOND, removed=True)]},
            PinChoice.NOTHING,
            f"its id belonged to the uid {FIRST}.",
        ),
        ({"holders": [holder(FIRST), holder(SECOND)]}, PinChoice.NOTHING, f"its id belonged to the uid {SECOND}."),
        (
            {"holders": [holder(FIRST)], "live": [FIRST]},
            PinChoice.KEEP,
            f"It cannot be kept: its uid {FIRST} now belongs to another site",
        ),
        (
            {"found": [Evidence("a", FIRST), Evidence("b", SECOND)]},
            PinChoice.KEEP,
            f"a uid other than {FIRST}: a with the uid {FIRST}, b with",
        ),
        (
            {"found": [Evidence("a", FIRST, True)]},
            PinChoice.KEEP,
            f"a uid other than {DERIVED}: a with the uid {FIRST}.",
        ),
        ({"found": [Evidence("a", FIRST), Evidence("b", SECOND, True)]}, PinChoice.KEEP, f"a uid other than {FIRST}:"),
    ],
)
def test_site_of_which_too_little_is_known_is_the_operators_to_say(
    known: dict[str, object], choice: PinChoice, said: str
) -> None:
    """Nothing is guessed: the sentence has what was found, and what to say."""
    decision = decide_pin(PinFacts("aurora", DERIVED, **known), choice)  # type: ignore[arg-type]
    assert isinstance(decision, str)
    assert said in decision


def test_operators_choice_is_that_of_the_id() -> None:
    """A new one before all, the named ones, or all of them."""
    choices = PinChoices(keep=["a"], new=["b"])
    assert [choices.of(site) for site in "abc"] == [PinChoice.KEEP, PinChoice.NEW, PinChoice.NOTHING]
    assert [PinChoices(new=["b"], keeps_all=True).of(site) for site in "abc"] == [
        PinChoice.KEEP,
        PinChoice.NEW,
        PinChoice.KEEP,
    ]
    assert NO_CHOICES.of("a") is PinChoice.NOTHING
    assert ask_no_database(a_site()) == (None, "")


@pytest.mark.parametrize(
    ("choices", "told"),
    [
        (PinChoices(keep=["aurora"]), []),
        (PinChoices(new=["borealis"]), []),
        (PinChoices(keep=["x"]), [("--keep", "The registry has no site x.", "x")]),
        (PinChoices(new=["x"]), [("--new", "The registry has no site x.", "x")]),
        (PinChoices(keep=["borealis"], new=["borealis"]), [("--new", "The site borealis is to be kept", "borealis")]),
        (PinChoices(keeps_all=True, new=["borealis"]), [("--new", "The site borealis is to be kept", "borealis")]),
        (PinChoices(new=["aurora"]), [("--new", f"The site aurora already has the uid {FIRST}", "aurora")]),
    ],
)
def test_choice_that_cannot_be_is_told(
    registry: RegistryMaker, choices: PinChoices, told: list[tuple[str, str, str]]
) -> None:
    """An id that there is not, one to be both kept and new, and one that has a uid, each under its option."""
    found, before = read_unpinned(registry(f'{HEAD}{AURORA}uid = "{FIRST}"\n{BOREALIS}'))  # type: ignore[arg-type]
    assert before.startswith(b"[platform]")
    problems = list(choice_problems(found, choices))
    assert [(problem.where, problem.site) for problem in problems] == [(option, site) for option, _, site in told]
    assert all(problem.message.startswith(start) for problem, (_, start, _) in zip(problems, told, strict=True))


def test_names_are_those_that_are_stated_then_those_that_were_and_then_nobodys(registry: RegistryMaker) -> None:
    """What the table states stays; of the rest, noted names come before derived ones, and taken ones are nobody's."""
    stated = '[sites.aurora.names]\nrole = "stated"\n'
    found, _ = read_unpinned(registry(HEAD + AURORA + stated + BOREALIS))  # type: ignore[arg-type]
    aurora, borealis = found.sites
    derived = derive_names("aviary", "aurora")
    owners = find_name_owners(found)
    assert owners["role", "stated"] == {"aurora"}
    assert owners["socket", "borealis.sock"] == {"borealis"}
    plain = Decision(FIRST, True, "")
    assert choose_names(found, aurora, plain, owners) == replace(derived, role="stated")
    had = Decision(FIRST, False, "", {**NAMES, "role": "had", "bucket": "had"})
    assert choose_names(found, aurora, had, owners) == replace(derived, role="stated", bucket="had")
    successor = successor_names("aviary", "aurora", FIRST)
    for taken in ({SECOND}, {"borealis"}, {FIRST, SECOND}):
        table = {**owners, ("bucket", derived.bucket): taken}
        assert choose_names(found, aurora, plain, table) == replace(successor, role="stated")
    for own in ({FIRST}, {"aurora"}, set()):
        assert choose_names(found, aurora, plain, {**owners, ("bucket", derived.bucket): own}).bucket == derived.bucket
    # A name that is stated is not looked for among those of others.
    assert choose_names(found, aurora, plain, {**owners, ("role", derived.role): {SECOND}}).bucket == derived.bucket
    assert choose_names(found, borealis, plain, owners) == derive_names("aviary", "borealis")


def test_notes_have_every_holder_and_the_present_one_last() -> None:
    """Who is no site's any more is removed, who is there is not, and nobody is noted twice."""
    site = a_site(uid=FIRST)
    present, gone = holder(FIRST), holder(SECOND)
    assert merge_holders({}, [site]) == {"aurora": (present,)}
    assert merge_holders({"aurora": (present, gone)}, [site]) == {"aurora": (gone._replace(removed=True), present)}
    assert merge_holders({"aurora": (present._replace(removed=True),)}, [site]) == {"aurora": (present,)}
    other = holder(FIRST, role="other")
    assert merge_holders({"aurora": (other,)}, [site]) == {"aurora": (other, present)}
    kept = Holder("b", OTHER, NAMES)
    assert merge_holders({"b": (kept,)}, [site]) == {"b": (kept._replace(removed=True),), "aurora": (present,)}


def test_pins_that_were_not_noted_are_told(registry: RegistryMaker) -> None:
    """Five of them are named; sites that are not pinned, and those that are noted, are not among them."""
    opened = registry(
        HEAD + AURORA + "".join(f'[sites.s{number}]\nhostnames = ["s{number}.example"]\n' for number in range(6))
    )
    assert list(unrecorded_cautions(opened, opened.load())) == []
    pin_sites(opened)
    contents = opened.load()
    assert len(opened.used) == 7
    assert list(unrecorded_cautions(opened, contents)) == []
    noted_ones = opened.used
    opened.used = {"aurora": noted_ones["aurora"]}
    [caution] = unrecorded_cautions(opened, contents)
    assert "does not have the pins of s0, s1, s2, s3, s4 and 1 more: once" in caution
    opened.used = {key: noted_ones[key] for key in ("aurora", "s5")}
    [caution] = unrecorded_cautions(opened, contents)
    assert "does not have the pins of s0, s1, s2, s3, s4: once" in caution


ENTRY = {"uid": str(FIRST), **NAMES}


@pytest.mark.parametrize("removed", [None, True, False])
def test_entry_of_a_holder_is_read(removed: bool | None) -> None:
    """It has a uid and all names, and whether its site is gone; false where it does not say."""
    entry = ENTRY if removed is None else {**ENTRY, "removed": removed}
    assert holder_of("aurora", entry) == Holder("aurora", FIRST, NAMES, bool(removed))


@pytest.mark.parametrize(
    "entry",
    [
        *(7, [], {}, {**ENTRY, "other": 1}, {**ENTRY, "removed": 1}, {**ENTRY, "removed": "true"}),
        *({**ENTRY, "uid": uid} for uid in (7, "", "x", None, [])),
        *({**ENTRY, key: 7} for key in NAMES),
        *({name: value for name, value in ENTRY.items() if name != key} for key in ENTRY),
    ],
    ids=repr,
)
def test_entry_of_no_holder_is_none(entry: object) -> None:
    """Any key that is missing, unknown or of another type makes it none."""
    assert holder_of("aurora", entry) is None


@pytest.mark.parametrize("key", NAME_KEYS)
def test_each_name_of_a_holder_that_is_gone_is_held(key: str) -> None:
    """Unless it is the same uid, or that of a site that lives."""
    site = a_site(sources={"id": "f: sites.aurora"})
    other = {name: f"other-{name}" for name in NAME_KEYS}
    used = {"b": (Holder("b", FIRST, {**other, key: getattr(site.names, key)}, True),)}
    [problem] = held_name_problems(used, [site], [])
    assert (problem.where, problem.site) == (f"f: sites.aurora.names.{key}", "aurora")
    assert (
        f"belonged to the site b with the uid {FIRST}, but the site aurora has the uid {site.uid}." in problem.message
    )
    assert list(held_name_problems(used, [site], [FIRST])) == []
    assert list(held_name_problems(used, [replace(site, uid=FIRST)], [])) == []
    assert list(held_name_problems({}, [site], [])) == []
    assert held_name_problem(replace(site, sources={}), key, used["b"][0]).where == f"sites.aurora.names.{key}"


def test_live_uids_are_those_that_records_state(registry: RegistryMaker) -> None:
    """What is no uid, or not stated, is none."""
    uid = f'uid = "{FIRST}"\n'
    _, records = registry(HEAD + AURORA + uid + BOREALIS + "uid = 7\n[sites.c]\n").read_tables(reads_secrets=False)
    assert live_uids(records) == frozenset({FIRST})


def test_file_and_folder_with_anything_are_filled(tmp_path: Path) -> None:
    """A folder that was only made has nothing; what cannot be looked into counts as filled."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    found = {name: is_filled(tmp_path / name) for name in ("none", "empty", "full", "full/file", "link", "full/file/x")}
    assert found == {"none": False, "empty": False, "full": True, "full/file": True, "link": True, "full/file/x": True}


def test_places_of_a_site_are_its_folder_and_what_lies_elsewhere(tmp_path: Path) -> None:
    """What is in the folder is told with it."""
    platform = a_platform(data=tmp_path, snapshots=tmp_path / "snapshots")
    home = tmp_path / "sites" / "aurora"
    inside = a_site(database=sqlite(path=home / "db"), storage=files(path=home / "media"))
    assert list(local_places(platform, inside)) == [("the folder", home)]
    outside = a_site(database=sqlite(path=tmp_path / "db"), storage=files(path=tmp_path / "media"))
    expected = [("the folder", home), ("the database", tmp_path / "db"), ("the files", tmp_path / "media")]
    assert list(local_places(platform, outside)) == expected
    assert list(find_local_evidence(platform, outside)) == []
    (tmp_path / "db").touch()
    (tmp_path / "snapshots").mkdir()
    (tmp_path / "snapshots" / "aurora.json").write_text(
        f'{{"format": 1, "revision": 0, "digest": "", "site": {{"uid": "{FIRST}"}}}}'
    )
    snapshot = Evidence(f"the snapshot {tmp_path}/snapshots/aurora.json", FIRST)
    assert list(find_local_evidence(platform, outside)) == [snapshot, Evidence(f"the database {tmp_path}/db")]
    assert list(find_local_evidence(replace(platform, snapshots=None), inside)) == []


def test_snapshot_shows_the_uid_in_it(tmp_path: Path) -> None:
    """None where there is none, no uid where it is none, and one that cannot be read is there nevertheless."""
    path = tmp_path / "a.json"
    assert read_snapshot_evidence(path) is None
    path.write_text("{}")
    assert read_snapshot_evidence(path) is None
    path.write_text('{"format": 1, "revision": 0, "digest": "", "site": {"uid": "x"}}')
    assert read_snapshot_evidence(path) == Evidence(f"the snapshot {path}")
    path.write_text('{"format": 1, "revision": 0, "digest": "", "site": {}}')
    assert read_snapshot_evidence(path) == Evidence(f"the snapshot {path}")
    assert read_snapshot_evidence(path / "x") == Evidence(f"the snapshot {path / 'x'}, which cannot be read,")


def test_every_name_is_one_of_a_holders() -> None:
    """The keys of a line in the table are the names that a site has."""
    assert set(NAME_KEYS) == set(Names.__slots__)
    assert Problem("a", "b") == Problem("a", "b", "")
