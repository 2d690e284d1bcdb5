"""
Changing one site on this node while control is gone: ``multihost-agent change``. It is made on the last good copy, read
by the readers of every record, and applied by the same transaction.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.node.applying import Applier, Work
from wagtail_multihost.node.database import NodeDatabase
from wagtail_multihost.node.joining import read_login
from wagtail_multihost.node.local_changes import (
    FILE_NAME,
    LocalChange,
    LocalChanges,
    put_change,
    read_changes,
)
from wagtail_multihost.node.options import AgentOptions
from wagtail_multihost.node.patches import Difference, compare_records, make_patch, merge_patch, parse_patch
from wagtail_multihost.node.reading import IncompleteError, Known, Table
from wagtail_multihost.node.recalling import recall_specs, recall_state
from wagtail_multihost.node.specs import record_of
from wagtail_multihost.nodeapi.connection import RefusedError, UnreachableError
from wagtail_multihost.registry.postgres import PostgresRegistry
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.printing import one_line
from wagtail_multihost.spec.times import shown_text

REASON_LENGTH = 500
ANSWERS = "The database answers: change the site in the control site. If that cannot be, state --force too."
HELD = "The site is held {held} State --force to change it all the same."
NO_SITE = "This node does not have the site {site}."
NO_REASON = "--reason: It is missing: whoever comes next must know why."
LONG_REASON = f"--reason: It has {{count}} characters; at most {REASON_LENGTH} are accepted."
AWAY = "The database does not answer, so it is not known what control says. --force goes back to the last good copy."


class SiteChanger:
    """Changes sites of the node of ``options``; ``folder`` is that of the agent."""

    def __init__(self, options: AgentOptions, environ: Mapping[str, str], folder: Path) -> None:
        self.options, self.environ, self.folder = options, environ, folder
        self.registry = PostgresRegistry(options.registry, environ)
        #: A node that joined has a login of its own.
        self.url = read_login(folder, options) or options.registry
        self.state = recall_state(folder, options.registry)
        #: The last good copy.
        self.known: Known = self.state.standing
        self.changes = read_changes(folder / FILE_NAME)

    def change(self, site: str, words: Iterable[str], removed: Iterable[str], reason: str, *, force: bool) -> int:
        """
        Change keys of a site, and apply it; return how many files changed. Raises ConfigurationError, with all problems
        of what is stated, ApplyError and EmitError; then nothing has changed.
        """
        self.refuse_unknown(site)
        patch = parse_patch(site, words, removed)
        if not reason.strip():
            raise ConfigurationError.because(NO_REASON, site=site)
        if len(reason) > REASON_LENGTH:
            raise ConfigurationError.because(LONG_REASON.format(count=len(reason)), site=site)
        if not force:
            self.refuse_needless(site)
        table, before = self.known.sites[site], self.changes.get(site)
        record, uid = record_of(table), str(table["uid"])
        former = before.patch if before and before.uid == uid else {}
        made = LocalChange(
            uid,
            make_patch(record, merge_patch(merge_patch(record, former), patch)),
            own_name(self.environ),
            datetime.now(UTC).isoformat(timespec="seconds"),
            one_line(reason),
            self.known.revision,
        )
        return self.apply(site, made)

    def apply(self, site: str, made: LocalChange) -> int:
        """Keep the change and apply the site with it; what was kept before comes back where that is refused."""
        path = self.folder / FILE_NAME
        node = self.registry.read_node()
        changes = {**self.changes, site: made}
        former, wanted = LocalChanges(self.folder), LocalChanges(self.folder)
        former.sites, wanted.sites = self.changes, changes
        before, specs = (
            recall_specs(self.state, local, self.options, node, self.environ, self.folder) for local in (former, wanted)
        )
        if site in specs.refused:
            raise ConfigurationError.because(specs.refused[site], site=site)
        put_change(path, site, made)
        try:
            work = Work(specs, frozenset({site}), frozenset(), before.sites)
            applied = Applier(self.options, self.registry, lambda: False).apply(work)
            if site in applied.refused:
                raise ConfigurationError.because(applied.refused[site], site=site)
        except BaseException:
            put_change(path, site, self.changes.get(site))
            raise
        self.changes = changes
        return applied.files

    def keep_control(self, site: str, *, force: bool) -> None:
        """Let control's record count again: the agent applies it. Raises ConfigurationError, and OSError."""
        if site not in self.changes:
            raise ConfigurationError.because("It was not changed on this node.", site=site)
        if not force and self.read_control() is None:
            raise ConfigurationError.because(AWAY, site=site)
        put_change(self.folder / FILE_NAME, site, None)

    def differences(self, site: str) -> list[Difference] | None:
        """Return how a site differs here from control's record; None if that is not known. Secrets are not shown."""
        control = self.read_control()
        if control is None:
            return None
        table = self.known.sites.get(site)
        here = merge_patch(record_of(table), self.changes[site].patch) if table else {}
        return compare_records(site, here, record_of(control[site]) if site in control else {})

    def read_control(self) -> Mapping[str, Table] | None:
        """Return control's records of the sites that were changed here; None while the database is away."""
        database = NodeDatabase(self.url)
        try:
            return database.read(self.known.revision, self.known.serial, also=self.changes).sites
        except (UnreachableError, RefusedError, IncompleteError):
            return None
        finally:
            database.close()

    def refuse_unknown(self, site: str) -> None:
        if site not in self.known.sites:
            raise ConfigurationError.because(NO_SITE.format(site=shown(site)))

    def refuse_needless(self, site: str) -> None:
        """Raise ConfigurationError while the database answers, even if only to refuse, and for a site that is held."""
        database = NodeDatabase(self.url)
        try:
            database.open()
        except UnreachableError:
            pass
        except RefusedError as error:
            raise ConfigurationError.because(f"{error} {ANSWERS}", site=site) from None
        else:
            raise ConfigurationError.because(ANSWERS, site=site)
        finally:
            database.close()
        now = datetime.now(UTC)
        for hold in self.known.holds:
            if hold["site"] in (None, site) and datetime.fromisoformat(str(hold["until"])) > now:
                until = one_line(shown_text(hold["until"]))
                held = f"until {until} by {one_line(hold['actor'])}: {one_line(hold['reason'])}."
                raise ConfigurationError.because(HELD.format(held=held), site=site)


def own_name(environ: Mapping[str, str]) -> str:
    """Return the account of who runs this and, by sudo, who is behind it."""
    try:
        name = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        name = str(os.geteuid())
    behind = one_line(environ.get("SUDO_USER", ""))[:40]
    return f"{name} ({behind})" if behind else name


def describe_changes(changes: Mapping[str, LocalChange]) -> list[str]:
    """Return a line for each site that was changed here."""
    rows = sorted(changes.items())
    return [f"{site} was changed at {change.at} by {change.who}: {change.reason}" for site, change in rows]
