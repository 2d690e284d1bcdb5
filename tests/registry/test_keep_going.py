"""A registry some of whose sites have problems: the others can be had without them."""

from __future__ import annotations

import pytest

from tests.registry.conftest import AURORA, BOREALIS, HEAD, RegistryMaker
from wagtail_multihost.exceptions import ConfigurationError

CORONA = '[sites.corona]\nhostnames = ["corona.example.org"]\n'


def left_out(registry: RegistryMaker, text: str) -> tuple[list[str], list[str]]:
    """Return the sites that are there, and those that are left out."""
    contents = registry(text).load(keep_going=True)
    return [site.id for site in contents.sites], sorted(contents.problems)


def test_good_sites_are_returned_beside_the_problems_of_others(registry: RegistryMaker) -> None:
    """A site that is wrong in itself is left out alone, with all its problems under its id."""
    draco = '[sites.draco]\nhostnames = ["draco"]\nepoch = "x"\n'
    contents = registry(HEAD + AURORA + draco + CORONA).load(keep_going=True)
    assert [site.id for site in contents.sites] == ["aurora", "corona"]
    assert {site: len(problems) for site, problems in contents.problems.items()} == {"draco": 2}
    assert {problem.site for problem in contents.problems["draco"]} == {"draco"}


def test_site_that_is_no_table_is_left_out_alone(registry: RegistryMaker) -> None:
    """What is written in the place of a site is a problem of that site."""
    assert left_out(registry, HEAD + "[sites]\nwrong = 1\n" + AURORA) == (["aurora"], ["wrong"])


@pytest.mark.parametrize(
    "second",
    [
        '[sites.borealis]\nhostnames = ["aurora.example.org"]\n',
        BOREALIS + 'names = { index_prefix = "aurora_" }\n',
        BOREALIS + 'storage = { backend = "files", path = "/srv/shared/in" }\n',
        BOREALIS + 'uid = "6f1c2b0e-4a0d-5c8e-9b1f-2d3c4b5a6978"\n',
    ],
    ids=["a hostname", "an index prefix", "a folder", "a uid"],
)
@pytest.mark.parametrize("is_first", [True, False])
def test_two_sites_that_share_something_are_both_left_out(registry: RegistryMaker, second: str, is_first: bool) -> None:
    """Which of them had it first is not known, whatever their order in the file."""
    first = AURORA + 'uid = "6f1c2b0e-4a0d-5c8e-9b1f-2d3c4b5a6978"\n'
    first += 'storage = { backend = "files", path = "/srv/shared" }\nnames = { index_prefix = "aurora_" }\n'
    sites = first + second if is_first else second + first
    assert left_out(registry, HEAD + sites + CORONA) == (["corona"], ["aurora", "borealis"])


def test_three_sites_with_one_hostname_are_all_left_out(registry: RegistryMaker) -> None:
    """Each problem names two of them, and each of the three is in one."""
    same = "".join(f'[sites.{name}]\nhostnames = ["same.example.org"]\n' for name in ("a", "b", "c"))
    assert left_out(registry, HEAD + AURORA + same) == (["aurora"], ["a", "b", "c"])


@pytest.mark.parametrize("key", ["unknown = 1", 'user = "root"'])
def test_problem_of_the_platform_is_an_error_all_the_same(registry: RegistryMaker, key: str) -> None:
    """No site is right on a platform that is not, whether that can be read or not."""
    with pytest.raises(ConfigurationError) as refused:
        registry(f"{HEAD}{key}\n{AURORA}[sites.b]\nhostnames = []\n").load(keep_going=True)
    assert {problem.site for problem in refused.value.problems} == {"", "b"}


def test_registry_with_problems_is_not_loaded_unless_that_is_asked_for(registry: RegistryMaker) -> None:
    """All or nothing is what a caller gets who says nothing; a whole registry has no problems either way."""
    with pytest.raises(ConfigurationError):
        registry(HEAD + AURORA + "[sites.b]\nhostnames = []\n").load()
    whole = registry(HEAD + AURORA)
    assert whole.load(keep_going=True) == whole.load()
    assert whole.load().problems == {}
