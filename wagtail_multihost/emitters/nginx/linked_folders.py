"""
Folders of uploads behind symbolic links, such as ``current`` of a deploy tool. nginx follows no links, so it is told
where they lead; but not by links that somebody else can change, who could lead nginx to any other folder.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from wagtail_multihost.emitters.files import Plan
from wagtail_multihost.spec.permissions import MOST_LINKS, account_name, own_accounts, step_problem, walk_path
from wagtail_multihost.spec.printing import one_line
from wagtail_multihost.spec.site import SiteSpec


class LinkedFolder(NamedTuple):
    """
    A folder of uploads, the first ``link`` on its path, the ``target`` of the whole path, and the ``problem`` for which
    links are not followed; blank if they are.
    """

    path: str
    link: str
    target: str
    problem: str


def folder_of_uploads(plan: Plan, site: SiteSpec) -> str:
    """Return the folder that nginx serves for a site, without links where these are followed; blank for a bucket."""
    found = linked_folder(plan, site)
    return found.target if found and not found.problem else str(site.storage.path or "")


def linked_folder(plan: Plan, site: SiteSpec) -> LinkedFolder | None:
    """Return where the links on the path of a site's uploads lead; None if there are none."""
    path = site.storage.path
    # Sites own their folders below the platform's data. nginx follows no link there, and nor does anybody for it.
    if path is None or f"{path}/".startswith(f"{plan.platform.data}/sites/"):
        return None
    written = os.path.normpath(path)
    if os.path.realpath(written) == written:
        return None
    links, target = follow_links(written, trusted_accounts(plan))
    if not links:
        return None
    return LinkedFolder(written, links[0][0], target, next((problem for _, problem in links if problem), ""))


def trusted_accounts(plan: Plan) -> tuple[int, ...]:
    """
    Return the accounts whose links are followed: root, this process's, and the owner of the code that every site runs,
    unless that is a site itself.
    """
    try:
        owner = os.stat(plan.codebase.directory).st_uid
    except OSError:
        return own_accounts()
    if owner in own_accounts():  # as usual; the accounts of a thousand sites, for each of them, take a second
        return own_accounts()
    sites = {plan.platform.account_of(site.id) for site in plan.sites}
    return own_accounts() if not all(sites) or account_name(owner) in sites else (*own_accounts(), owner)


def follow_links(path: str, owners: Collection[int]) -> tuple[list[tuple[str, str]], str]:
    """
    Return the links on the way to ``path``, each with why it cannot be trusted (it or a folder above it can be changed
    by others), and where the way ends.
    """
    links: list[tuple[str, str]] = []
    problem, end = "", path
    for step in walk_path(Path(path)):
        # A folder counts only if a link is found behind it: the last one is the site's.
        problem = problem or (one_line(step_problem(step, owners)) if step.target or step.rest else "")
        base = step.path.parent if step.target else step.path
        end = os.path.normpath(base.joinpath(step.target or "", *step.rest))
        if step.target:
            links.append((str(step.path), problem))
    if len(links) > MOST_LINKS:
        return [(links[0][0], "Too many links.")], path
    return links, end


def linked_folder_cautions(plan: Plan) -> Iterator[str]:
    """Yield a sentence for each chosen site whose uploads are behind a link, with the target."""
    for site in plan.chosen:
        found = linked_folder(plan, site)
        if found is None:
            continue
        where = site.sources.get("storage") or f"sites.{site.id}.storage"
        path, link, target = map(one_line, found[:3])
        leads = f"{where}.path: {path} leads through the link {link} to {target}"
        if found.problem:
            yield (
                f"{leads}. nginx follows no links, and this one is not followed for it, because others can change "
                f"it: {found.problem} Every upload would be answered with 403 or 404. State the target as the path."
            )
        else:
            yield (
                f"{leads}. nginx follows no links, so it serves that folder until files are emitted again, while the "
                "site's process follows the link: after its next change, such as a release, they would differ. State "
                "the target as the path, and keep it outside of releases."
            )
