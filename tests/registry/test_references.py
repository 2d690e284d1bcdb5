"""Where secrets may be that a database names: the site's own folder, and variables that begin with its own name."""

from __future__ import annotations

from pathlib import Path

import pytest

from wagtail_multihost.exceptions import ConfigurationError, Problem
from wagtail_multihost.registry import open_registry
from wagtail_multihost.registry.references import NO_RULES, RESERVED, ReferenceRules, longest_owner, read_rules

RULES = ReferenceRules("/etc/multihost/secrets/{site}", "MULTIHOST_SECRET_{SITE}_")
CLEAR = ReferenceRules("", "MULTIHOST_SECRET_{SITE}__")


@pytest.mark.parametrize(
    ("rules", "site", "name", "is_accepted"),
    [
        (RULES, "a", "MULTIHOST_SECRET_A_KEY", True),
        (RULES, "a", "MULTIHOST_SECRET_A_KEY2", True),
        (RULES, "a-b", "MULTIHOST_SECRET_A_B_KEY", True),
        (RULES, "a", "MULTIHOST_SECRET_A_B_KEY", False),
        (RULES, "a", "MULTIHOST_SECRET_B_KEY", False),
        (RULES, "a", "MULTIHOST_SECRET_AB_KEY", False),
        (RULES, "a", "MULTIHOST_SECRET_A_", False),
        (RULES, "a", "MULTIHOST_SECRET_A_KEY\n", False),
        (RULES, "a", "MULTIHOST_SECRET_A_K=Y", False),
        (RULES, "a", "PATH", False),
        (RULES, "a", "", False),
        (CLEAR, "a", "MULTIHOST_SECRET_A__B_KEY", True),
        (CLEAR, "a", "MULTIHOST_SECRET_A__B__KEY", True),
        (CLEAR, "a-b", "MULTIHOST_SECRET_A_B__KEY", True),
        (CLEAR, "a", "MULTIHOST_SECRET_A_B__KEY", False),
        (CLEAR, "a", "MULTIHOST_SECRET_A_KEY", False),
    ],
)
def test_variable_is_that_of_one_site(rules: ReferenceRules, site: str, name: str, is_accepted: bool) -> None:
    """Of two sites whose names begin alike, never both."""
    assert (rules.variable_problem(name, site) == "") is is_accepted


def test_no_variable_is_accepted_of_two_sites() -> None:
    """Whatever the ids and the name are."""
    sites = ["a", "b", "ab", "a-b", "b-a", "a-b-a", "a1", "a-1b"]
    names = [f"MULTIHOST_SECRET_{'_'.join(parts)}" for parts in [("A", "B"), ("A", "B", "A"), ("A", "B", "A", "K")]]
    names += [f"MULTIHOST_SECRET_{'__'.join(parts)}" for parts in [("A", "B"), ("A_B", "K"), ("A", "B", "K")]]
    for rules in (RULES, CLEAR):
        for name in names:
            assert sum(rules.variable_problem(name, site) == "" for site in sites) <= 1, name


@pytest.mark.parametrize(
    ("path", "is_accepted"),
    [
        ("/etc/multihost/secrets/aurora/key", True),
        ("/etc/multihost/secrets/aurora/deep/key", True),
        ("/etc/multihost/secrets/aurora", False),
        ("/etc/multihost/secrets/aurora/", False),
        ("/etc/multihost/secrets/aurora/../borealis/key", False),
        ("/etc/multihost/secrets/aurora//key", False),
        ("/etc/multihost/secrets/aurora-2/key", False),
        ("/etc/multihost/secrets/borealis/key", False),
        ("etc/multihost/secrets/aurora/key", False),
        ("//etc/multihost/secrets/aurora/key", False),
        ("/etc/shadow", False),
        ("", False),
    ],
)
def test_file_is_in_the_sites_own_folder(path: str, is_accepted: bool) -> None:
    """As it is written: no way leads out of it and back."""
    assert (RULES.file_problem(path, "aurora") == "") is is_accepted


@pytest.mark.parametrize("text", ["hunter7", "sealed:x", "env", "ENV:MULTIHOST_SECRET_A_KEY", " env:X", ""])
def test_secret_in_the_clear_is_not_accepted_and_not_repeated(text: str) -> None:
    """Nor one of a kind that is not read."""
    problem = RULES.value_problem(text, "a")
    assert problem and "hunter7" not in problem


def test_without_rules_nothing_is_accepted() -> None:
    """A node that states none has no secrets that a database names."""
    assert "no rule variables" in NO_RULES.value_problem("env:MULTIHOST_SECRET_A_KEY", "a")
    assert "no rule files" in NO_RULES.file_problem("/etc/multihost/secrets/a/key", "a")


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("files", "/etc/multihost/secrets/{site}", ""),
        ("files", "/etc/multihost/secrets", "with {site} in it once"),
        ("files", "/etc/{site}/{site}", "with {site} in it once"),
        ("files", "/etc/{site}/../x", "with {site} in it once"),
        ("files", "secrets/{site}", "with {site} in it once"),
        ("files", "/etc/{site}/{hostname}", "with {site} in it once"),
        ("files", 5, "with {site} in it once"),
        ("variables", "MULTIHOST_SECRET_{SITE}_", ""),
        ("variables", "MULTIHOST_SECRET_{SITE}__", ""),
        ("variables", "MULTIHOST_SECRET_{SITE}", "the beginning of names"),
        ("variables", "{SITE}_", "the beginning of names"),
        ("variables", "MULTIHOST_SECRET_", "the beginning of names"),
        ("variables", "multihost_{SITE}_", "the beginning of names"),
        ("variables", "MULTIHOST_{SITE}_", "can be the node's own"),
        ("variables", "MULTIHOST_{SITE}__", "can be the node's own"),
        ("variables", ["A_{SITE}_"], "the beginning of names"),
        ("folder", "/etc/{site}", "is not known. Accepted: files, variables."),
    ],
)
def test_rules_that_confine_nothing_are_refused(key: str, value: object, sentence: str) -> None:
    """And left out, so that nothing is accepted by them."""
    problems: list[Problem] = []
    rules = read_rules({key: value}, "node.toml", problems)
    if not sentence:
        assert getattr(rules, key) == value and not problems
        return
    assert rules == NO_RULES
    assert [problem.where for problem in problems] == [f"node.toml: secrets.{key}"]
    assert sentence in problems[0].message


def test_owner_of_a_variable_is_the_longest_id() -> None:
    """A name that no id can have belongs to nobody."""
    assert longest_owner(RULES.variables, "MULTIHOST_SECRET_A_B_C") == "A_B"
    assert longest_owner(RULES.variables, "MULTIHOST_SECRET__C") == ""


def test_what_is_sealed_is_refused_where_no_agent_opens_it(tmp_path: Path) -> None:
    """By every registry that follows references, and whatever follows the word."""
    for text in ("sealed:", "sealed:abc"):
        path = tmp_path / "sites.toml"
        path.write_text(
            '[platform]\nname = "aviary"\n[sites.aurora]\nhostnames = ["aurora.example.com"]\n'
            f'secret_key = "{text}"\nsecret_key_fallbacks = ["{text}"]\n'
        )
        with pytest.raises(ConfigurationError) as refused:
            open_registry(path, {}).load()
        assert [problem.message for problem in refused.value.problems] == [RESERVED, RESERVED]
