"""
Where the secrets of sites may be that a database names: within the site's own folder, and behind its own prefix.

Whoever may change a record could otherwise have root read a neighbour's secret, or any file, on the site's behalf.
"""

from __future__ import annotations

import re
from os.path import normpath
from typing import NamedTuple

from wagtail_multihost.exceptions import Problem
from wagtail_multihost.spec.identifiers import shown

FILES, VARIABLES = "files", "variables"
SITE, SITE_IN_CAPITALS = "{site}", "{SITE}"
#: A site's id in capitals, with underscores in the place of hyphens.
CAPITALS = r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*"
PREFIX = re.compile(r"[A-Z][A-Z0-9_]*_\{SITE\}_+")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: With such a rule the key of the platform would be a secret of the site called platform.
OWN = f"MULTIHOST_{SITE_IN_CAPITALS}"
ENVIRONMENT, SEALED = "env:", "sealed:"
IN_THE_CLEAR = (
    "A secret in the clear is not accepted: the database, its backups and its history would have it. Write env:NAME, "
    "or the key with _file for the path of a file."
)
RESERVED = (
    "What is sealed is opened by multihost-agent alone, for a node of a managed fleet. Accepted here: env:NAME, or the "
    "key with _file for the path of a file."
)


class ReferenceRules(NamedTuple):
    """
    What a node accepts: ``files`` is a folder, with ``{site}`` in its path, and ``variables`` the beginning of names,
    with ``{SITE}`` in it. Without a rule none is accepted.
    """

    files: str = ""
    variables: str = ""

    def value_problem(self, text: str, site: str) -> str:
        """Return why the value of a secret is not accepted of ``site``; blank if it is."""
        if text.startswith(SEALED):
            return RESERVED
        if not text.startswith(ENVIRONMENT):
            return IN_THE_CLEAR
        return self.variable_problem(text.removeprefix(ENVIRONMENT), site)

    def variable_problem(self, name: str, site: str) -> str:
        """Return why a secret of ``site`` may not be in a variable; blank if it may."""
        if not self.variables:
            return f"No variable is accepted: the node file has no rule {VARIABLES} in [secrets]."
        prefix = self.variables.replace(SITE_IN_CAPITALS, in_capitals(site))
        if not VARIABLE.fullmatch(name) or not name.startswith(prefix) or name == prefix:
            return f"The variable {shown(name)} is not accepted: the site's begin with {prefix}."
        owner = longest_owner(self.variables, name)
        if owner != in_capitals(site):
            other = owner.lower().replace("_", "-")
            return (
                f"The variable {shown(name)} is not accepted: it is that of a site {other}. After {prefix} one word "
                "without an underscore is accepted, or any if the rule of the node file ends in two underscores."
            )
        return ""

    def file_problem(self, path: str, site: str) -> str:
        """Return why a secret of ``site`` may not be in the file at ``path``; blank if it may."""
        if not self.files:
            return f"No file is accepted: the node file has no rule {FILES} in [secrets]."
        folder = self.files.replace(SITE, site)
        # Compared as text: what is a link on the way is root's to decide, and is looked at when the file is read.
        if normpath(path) != path or not path.startswith(f"{folder}/"):
            return f"The path {shown(path)} is not accepted: the site's secrets are in {folder}/."
        return ""


NO_RULES = ReferenceRules()


def in_capitals(site: str) -> str:
    return site.upper().replace("-", "_")


def longest_owner(rule: str, name: str) -> str:
    """
    Return the longest id, in capitals, that a variable can be one of by the ``rule``: of two sites ``a`` and ``a-b``
    the second has ``PREFIX_A_B_KEY``, and no name is that of two.
    """
    start, _, end = rule.partition(SITE_IN_CAPITALS)
    found = re.match(f"{re.escape(start)}({CAPITALS}){re.escape(end)}.", name)
    return found[1] if found else ""


def read_rules(table: object, name: str, problems: list[Problem]) -> ReferenceRules:
    """Return the rules of the node file called ``name``; those that confine nothing are reported and left out."""
    if not isinstance(table, dict):  # reported with the other tables
        return NO_RULES
    found = {}
    for key, value in table.items():
        problem = rule_problem(key, value)
        if problem:
            problems.append(Problem(f"{name}: secrets.{key}", problem))
        else:
            found[key] = str(value)
    return ReferenceRules(**found)


def rule_problem(key: str, value: object) -> str:
    """Return why a rule is not accepted; blank if it is."""
    if key == FILES:
        is_path = isinstance(value, str) and value.startswith("/") and normpath(value) == value and value.isprintable()
        if is_path and str(value).count(SITE) == 1 and not set("{}").intersection(str(value).replace(SITE, "")):
            return ""
        return 'It must be an absolute path with {site} in it once, such as "/etc/multihost/secrets/{site}".'
    if key == VARIABLES:
        if isinstance(value, str) and value.startswith(OWN):
            return f"Names that begin with {value.partition(SITE_IN_CAPITALS)[0]} and an id can be the node's own."
        if isinstance(value, str) and PREFIX.fullmatch(value):
            return ""
        return 'It must be the beginning of names with {SITE} near its end, such as "MULTIHOST_SECRET_{SITE}_".'
    return f"The key {shown(key)} is not known. Accepted: {FILES}, {VARIABLES}."
