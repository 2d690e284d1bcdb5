"""What is made of the answers of a database; tests/servers/test_postgres_registry.py asks a real one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.nodeapi.connection import RefusedError
from wagtail_multihost.registry.last_copy import copy_path, read_copy
from wagtail_multihost.registry.postgres import (
    PostgresRegistry,
    Reading,
    RegistryUnreachableError,
    refusal_message,
    row_problem,
)

URL = "postgres://db.internal/control"
READING = Reading(
    "one",
    7,
    {"name": "aviary"},
    {site: {"hostnames": [f"{site}.example.org"]} for site in ("aurora", "borealis")},
)
AWAY = RegistryUnreachableError.because("The database cannot be reached: Connection refused.", where="postgresql://db")
REFUSED = ConfigurationError.because("The role may not read.", where="postgresql://db")


class Answers:
    """Stands in for a database, which answers each time with the next of ``answers``, the last for ever."""

    def __init__(self, *answers: Reading | Exception) -> None:
        self.answers = list(answers)

    def give(self, only: list[str] | None) -> Reading:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        sites = {site: record for site, record in answer.sites.items() if only is None or site in only}
        return answer._replace(sites=sites)


@pytest.fixture(name="answering")
def _answering(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., PostgresRegistry]:
    node = tmp_path / "node.toml"
    (tmp_path / "data").mkdir()
    node.write_text(f'[platform]\ndata = "{tmp_path}/data"\nsecret_key = "{"k" * 50}"\n')

    def make(*answers: Reading | Exception, url: str = URL) -> PostgresRegistry:
        known = Answers(*answers)
        monkeypatch.setattr(PostgresRegistry, "read", lambda registry, only=None: known.give(only))
        return PostgresRegistry(url, {"MULTIHOST_NODE_FILE": str(node)})

    return make


def with_record(site: str, **record: Any) -> Reading:
    return READING._replace(sites={**READING.sites, site: {**dict(READING.sites[site]), **record}})  # type: ignore[call-overload]


Answering = Callable[..., PostgresRegistry]


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (("one", 7, {"name": "aviary"}, {}, 0), ""),
        (("one", 7, {"name": "aviary"}, {"aurora": {}}, 1), ""),
        (("one", 7, {"name": "aviary"}, {"aurora": {}}, None), ""),
        (("one", 7, {"name": "aviary"}, {}, None), ""),
        (("one", 7, {"name": "aviary"}, {}, 1), "The answer has 0 sites, but the database says that there are 1."),
        (("one", 7, {"name": "aviary"}, {"aurora": {}}, 0), "The answer has 1 sites"),
        (("one", 7, None, {}, 0), "no platform yet"),
        (("one", 0, {}, {}, 0), "no platform yet"),
        (None, "no registry yet"),
    ],
)
def test_answer_is_whole_or_none(row: tuple[Any, ...] | None, sentence: str) -> None:
    """An empty one is whole if the database counts no site; where one site was asked for, none are counted."""
    problem = row_problem(row)
    assert sentence in problem
    assert bool(problem) is bool(sentence)


@pytest.mark.parametrize(
    ("sqlstate", "sentence"),
    [("42P01", "node_api_v1"), ("3F000", "node_api_v1"), ("42703", "node_api_v1"), ("42501", "multihost_reader")],
)
def test_refusals_say_what_to_do(sqlstate: str, sentence: str) -> None:
    """Others are the server's own sentence."""
    assert sentence in refusal_message(RefusedError("x", sqlstate))
    assert refusal_message(RefusedError("x", "22000")) == "x"


def test_platform_key_is_never_made(answering: Answering, tmp_path: Path) -> None:
    """In development neither: each node would make another."""
    (tmp_path / "node.toml").write_text(f'[platform]\ndata = "{tmp_path}/data"\nenvironment = "development"\n')
    with pytest.raises(ConfigurationError, match="It is missing, and this registry makes none") as refused:
        answering(READING).site("aurora")
    (problem,) = refused.value.problems
    assert problem.where == "node.toml: platform.secret_key"
    assert problem.message.endswith("name its file in node.toml: platform.secret_key_file.")
    assert list((tmp_path / "data").iterdir()) == []


def test_registry_is_not_for_sites_processes(answering: Answering) -> None:
    """They are given snapshots."""
    registry = answering(READING)
    assert registry.is_for_operators
    assert registry.for_rendering(pytest.fail).is_for_operators
    assert not registry.assumes_development


def test_rendering_reads_once(answering: Answering) -> None:
    """What was checked is what is published, though the database has changed meanwhile."""
    rendering = answering(READING, with_record("aurora", enabled=False)).for_rendering(pytest.fail)
    assert len(rendering.load().enabled) == 2
    assert [site.enabled for site in rendering.read_sites({"aurora"}).sites] == [True]
    assert len(rendering.load().enabled) == 1  # each load asks anew
    assert rendering.for_rendering(pytest.fail) is rendering


def test_copy_is_used_if_the_database_does_not_answer(answering: Answering, tmp_path: Path) -> None:
    """And told, with the reason and the age; it stays as it is."""
    told: list[str] = []
    rendering = answering(READING, AWAY).for_rendering(told.append)
    rendering.load()
    before = copy_path(tmp_path / "data").stat()
    assert told == []
    assert [site.id for site in rendering.load().sites] == ["aurora", "borealis"]
    assert told[0].startswith("postgresql://db: The database cannot be reached: Connection refused.")
    assert "of the revision 7, which was read less than a minute ago" in told[0]
    assert copy_path(tmp_path / "data").stat() == before


def test_copy_is_not_used_for_an_answer_that_refuses(answering: Answering) -> None:
    """Who is not allowed to read any more is not to go on with what was read before."""
    rendering = answering(READING, REFUSED).for_rendering(pytest.fail)
    rendering.load()
    with pytest.raises(ConfigurationError, match="The role may not read"):
        rendering.load()


def test_copy_is_not_used_for_a_site_that_is_gone_or_disabled(answering: Answering) -> None:
    """The database has answered."""
    now = READING._replace(revision=8, sites={"borealis": {"hostnames": ["b.example.org"], "enabled": False}})
    rendering = answering(READING, now).for_rendering(pytest.fail)
    rendering.load()
    assert rendering.load().enabled == ()
    with pytest.raises(ConfigurationError, match="has no site 'aurora'"):
        rendering.site("aurora")
    with pytest.raises(ConfigurationError, match="The site borealis is disabled"):
        rendering.site("borealis", reads_secrets=False)


def test_copy_is_not_used_by_commands_that_do_not_render(answering: Answering) -> None:
    """Nor by a site's own process, which opens the registry as it is."""
    registry = answering(READING, AWAY)
    registry.for_rendering(pytest.fail).load()
    for read in (registry.load, lambda: registry.site("aurora"), lambda: registry.read_sites({"aurora"})):
        with pytest.raises(RegistryUnreachableError):
            read()


def test_copy_of_another_url_is_not_used(answering: Answering) -> None:
    """It may be that of another platform."""
    answering(READING).for_rendering(pytest.fail).load()
    with pytest.raises(RegistryUnreachableError):
        answering(AWAY, url="postgres://db2.internal/control").for_rendering(pytest.fail).load()


@pytest.mark.parametrize("now", [READING._replace(revision=6), READING._replace(incarnation="two")])
def test_database_that_went_back_is_not_rendered(answering: Answering, tmp_path: Path, now: Reading) -> None:
    """And the copy of the later state stays."""
    rendering = answering(READING, now).for_rendering(pytest.fail)
    rendering.load()
    with pytest.raises(ConfigurationError, match="The registry went back"):
        rendering.load()
    assert read_copy(copy_path(tmp_path / "data")).reading == READING  # type: ignore[union-attr]


def test_registry_with_problems_is_not_kept(answering: Answering, tmp_path: Path) -> None:
    """The copy is of what was good; of a site alone that has a problem, the others are."""
    rendering = answering(READING._replace(platform={"name": "The Aviary"})).for_rendering(pytest.fail)
    with pytest.raises(ConfigurationError):
        rendering.load()
    assert read_copy(copy_path(tmp_path / "data")) is None
    rendering = answering(with_record("aurora", colour="green")).for_rendering(pytest.fail)
    assert list(rendering.load(keep_going=True).problems) == ["aurora"]
    assert read_copy(copy_path(tmp_path / "data")) is not None


def test_copy_that_cannot_be_used_or_kept_is_told(answering: Answering, tmp_path: Path) -> None:
    """What was asked for is done all the same."""
    told: list[str] = []
    copy_path(tmp_path / "data").mkdir()
    assert answering(READING).for_rendering(told.append).load().sites
    assert [sentence.partition(".")[0].partition(" at ")[0] for sentence in told] == [
        "The copy of the registry is not used",
        "No copy of the registry could be kept",
    ]
