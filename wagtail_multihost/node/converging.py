"""Making what is in use what is known: what is owed is planned, applied, and noted; what fails is tried again later."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from wagtail_multihost.exceptions import ConfigurationError, MultihostError
from wagtail_multihost.files.reading import Mark, mark_of
from wagtail_multihost.node.applying import Applied, Applier, UnlistedError, Work
from wagtail_multihost.node.choosing import Choice, choose_sites
from wagtail_multihost.node.conditions import Conditions
from wagtail_multihost.node.fronts import FrontServer
from wagtail_multihost.node.holds import Holds
from wagtail_multihost.node.keeping import Keeper
from wagtail_multihost.node.listening import silent_sites
from wagtail_multihost.node.local_changes import LocalChanges
from wagtail_multihost.node.on_disk import sites_on_disk
from wagtail_multihost.node.opening import Opener
from wagtail_multihost.node.options import AgentOptions
from wagtail_multihost.node.owing import Owed
from wagtail_multihost.node.reading import Known, Merged, Table
from wagtail_multihost.node.recalling import recall_front, recall_specs
from wagtail_multihost.node.retrying import FIRST, LONGEST, Retries
from wagtail_multihost.node.specs import Specs, make_specs, make_standing, record_of
from wagtail_multihost.node.state_file import State, find_folder, read_state
from wagtail_multihost.nodeapi.node_states import APPLIED, CHANGED_HERE, FRONT, HELD, SITE_REFUSED, UNLISTED
from wagtail_multihost.registry.neighbours import Neighbours
from wagtail_multihost.registry.node_file import NodeFile
from wagtail_multihost.registry.postgres import PostgresRegistry
from wagtail_multihost.spec.printing import escape_unprintable, one_line
from wagtail_multihost.spec.site import SiteSpec

logger = logging.getLogger(__name__)

#: So many reasons of one change are in the log.
MOST_LOGGED = 50
MISSING = "The registry does not list it any more, and does not say that it is gone: nothing is removed."
REFUSED_BEFORE = "Its record was refused before the agent was started, and it is held since."
NODE_WAITS = "Everything on this node is held, and a change waits until the hold ends."
WAITS = "It is held, and a change of it waits until the hold ends."


class Convergence:
    """
    What is in use on this node, and the way to what is ``known``. Once ``is_stopping`` returns true, nothing further is
    begun; ``let_go`` are sites whose files may be removed although the registry does not list them.
    """

    def __init__(
        self,
        options: AgentOptions,
        environ: Mapping[str, str],
        conditions: Conditions,
        is_stopping: Callable[[], bool],
        let_go: Collection[str] = (),
    ) -> None:
        self.options, self.environ, self.conditions, self.is_stopping = options, environ, conditions, is_stopping
        self.let_go = frozenset(let_go)
        self.registry = PostgresRegistry(options.registry, environ)
        self.node: NodeFile = self.registry.read_node()
        self.is_node_readable = True
        #: Of the node file as it was read last.
        self.node_mark: Mark | None = None
        self.applier = Applier(options, self.registry, is_stopping)
        # Said now, and not with the first change.
        self.targets = self.applier.targets
        self.front = FrontServer(options, options.registry, environ, is_stopping)
        self.open_sealed = Opener(self.folder, options.group_key)
        self.keeper = Keeper(self.folder, options.registry)
        self.retries = Retries(FIRST, LONGEST)
        self.owed = Owed()
        self.holds = Holds()
        self.local = LocalChanges(self.folder)
        #: The sites that are held, and those that stay as they are: these too, or they were changed here.
        self.held: frozenset[str] = frozenset()
        self.kept: frozenset[str] = frozenset()
        self.known: Known | None = None
        self.specs: Specs | None = None
        self.neighbours = Neighbours()
        #: The records that the sites' specs in use were made of.
        self.good: dict[str, Table] = {}
        #: The records that were applied last, whether they were accepted or refused.
        self.used: Mapping[str, Table] = {}
        #: The revision that is in use.
        self.applied = 0

    @property
    def folder(self) -> Path:
        """The folder for what the agent keeps."""
        return find_folder(self.options, self.node)

    @property
    def has_former(self) -> bool:
        """Whether this node has what was applied before this start."""
        return self.known is not None and bool(self.on_disk)

    def has_new_local_changes(self) -> bool:
        """Return whether sites were changed here, or changed back, and that was not applied yet."""
        try:
            self.local.read()
        except ConfigurationError as error:
            logger.warning("%s", error)
        return bool(self.local.touched)

    @property
    def snapshots(self) -> Path | None:
        stated = self.node.platform.get("snapshots")
        return Path(str(stated)) if stated else None

    @property
    def on_disk(self) -> frozenset[str]:
        """The sites that have files here."""
        return sites_on_disk(self.snapshots, self.options.output, self.targets)

    @property
    def refused(self) -> Mapping[str, str]:
        """Why the newest records of some sites are not in use."""
        if self.front.applied is not None:
            return self.front.applied.refused
        return self.specs.refused if self.specs else {}

    @property
    def waiting(self) -> frozenset[str]:
        """The sites that stay as they are although the registry says something else."""
        return frozenset((self.owed.touched | self.owed.gone) & self.kept)

    @property
    def unapplied(self) -> Mapping[str, str]:
        """Why the newest records of some sites are not in use: they are refused, or wait."""
        return {**self.refused, **dict.fromkeys(self.waiting, WAITS)}

    @property
    def is_owing(self) -> bool:
        """Whether anything is to be applied that nobody holds."""
        # A front server follows the nodes of sites that are held, too.
        kept = () if self.is_front else self.kept
        return self.owed.exceeds(kept) or bool(self.local.touched - self.held)

    @property
    def is_in_use(self) -> bool:
        """Whether everything was applied since this start."""
        return self.specs is not None or self.front.applied is not None

    @property
    def has_standing(self) -> bool:
        """Whether it is known what the files here should be made of: what was applied, or before this start."""
        return self.is_in_use or (bool(self.retries.failures) and self.keeper.newest is not None)

    def find_standing(self) -> Specs | FrontServer:
        """Return what the files here should be made of, where that is known. Raises MultihostError."""
        if self.specs is not None:
            return self.specs
        state = self.keeper.newest
        if self.front.applied is not None or state is None:
            return self.front
        # What was edited by hand while no agent ran keeps this one from applying anything.
        if self.is_front:
            return recall_front(state, self.options, self.node, self.environ)
        return recall_specs(state, self.local, self.options, self.node, self.environ, self.folder)

    @property
    def is_front(self) -> bool:
        """Whether this node is a front server, on which no site runs."""
        return self.known is not None and self.known.node["holds"] == FRONT

    def find_silent(self) -> list[str]:
        """Return the sites at whose sockets nobody listens, of those whose processes this agent makes the files of."""
        if self.specs is None or not any(target.runs_sites for target in self.targets):
            return []
        return silent_sites(self.specs.platform, self.specs.sites.values())

    def recall(self) -> None:
        """Know what was known before this start; raises ConfigurationError for a file that is not to be used."""
        state = read_state(self.folder, self.options.registry)
        self.keeper = Keeper(self.folder, self.options.registry, state)
        if state is not None:
            self.known = state.known
            self.holds.take(state.known.holds)
            # A front server's files are of all sites together.
            here = state.used.keys() if self.is_front else self.on_disk
            self.used = {site: table for site, table in state.used.items() if site in here}
            self.good = {site: table for site, table in state.standing.sites.items() if site in here}

    def take(self, merged: Merged, asked: Collection[str] = ()) -> bool:
        """
        Know what was read; return whether there is anything to apply because of it. The sites that are ``asked`` for
        are applied anew.
        """
        self.known = merged.known
        if self.holds.take(merged.known.holds):
            # Whoever changes a site here while the registry is away is told of them.
            self.keep()
        anew = merged.known.sites.keys() & set(asked)
        self.owed.add_sites(anew - self.local.sites.keys())
        self.local.touched |= anew & self.local.sites.keys()
        return self.owed.add(merged) or bool(anew)

    @property
    def problem(self) -> str:
        """Why what is owed was not applied; blank if it was."""
        if self.is_owing and self.holds.everything:
            return NODE_WAITS
        return (
            str(self.conditions.found[APPLIED]["message"]) if self.is_owing and APPLIED in self.conditions.found else ""
        )

    def converge(self, *, is_new: bool) -> bool:
        """
        Put into use what is owed, and return whether files changed. Where that fails, everything stays as it is, and is
        tried again: at once for what ``is_new``, and else when it is due.
        """
        try:
            self.local.read()
            is_new = self.note_kept() or is_new
            if self.holds.everything:
                return False
            is_new = self.read_node() or is_new
            if self.is_time(is_new=is_new):
                return self.apply()
        except UnlistedError as error:
            self.conditions.set(UNLISTED, status=True, message=", ".join(error.sites))
            self.fail(error)
        except (MultihostError, OSError) as error:
            self.fail(error)
        else:
            self.note_nothing_owed()
        return False

    def choose(self) -> Choice:
        """Return what of all that is known may be applied now."""
        assert self.known is not None  # noqa: S101  # it was read
        return choose_sites(self.known, self.used, self.good, self.holds, self.local)

    def note_kept(self) -> bool:
        """Say what is held, and what was changed here; return whether anything that has waited may be applied now."""
        if self.known is None:
            return False
        choice, before = self.choose(), self.waiting
        if self.is_front and self.held - choice.held:
            self.owed.is_whole = True
        self.held, self.kept = choice.held, choice.kept
        said = self.local.describe(choice.base, self.known.sites)
        self.conditions.set(CHANGED_HERE, status=bool(said), message=said)
        is_held = bool(self.holds.in_force)
        if is_held and not self.conditions.holds(HELD):
            logger.warning("%s", one_line(self.holds.describe()))
        self.conditions.set(HELD, status=is_held, message=self.holds.describe(self.waiting, choice.stopped))
        return bool(before - self.kept or self.local.touched - self.held)

    def note_nothing_owed(self) -> None:
        """Note a revision that changes no file here; it may be that sites are not listed any more, or are again."""
        if self.known is None or not self.is_in_use or self.is_owing:
            return
        self.applied = self.known.revision
        if self.specs is not None:
            self.note_refused(self.known, self.specs)
        if not self.retries.failures or self.refused:
            self.conditions.set(APPLIED, status=True, revision=self.applied)

    def note_refused(self, known: Known, specs: Specs) -> None:
        """Use the specs, and say why the newest records of some sites are not in use."""
        waiting = {site for site, why in specs.refused.items() if site not in known.missing and why != MISSING}
        refused = {**{site: specs.refused[site] for site in waiting}, **dict.fromkeys(known.missing, MISSING)}
        log_refused(refused, self.specs.refused if self.specs else {})
        self.specs = specs._replace(refused=refused)
        self.conditions.set(SITE_REFUSED, status=bool(waiting), message=", ".join(sorted(waiting)))
        self.conditions.set(UNLISTED, status=bool(known.missing), message=", ".join(known.missing))

    def read_node(self) -> bool:
        """Read the node file if it is another one; return whether everything has to be applied because of it."""
        mark = mark_of(self.node.path, follows=True) if self.node.path else None
        if mark is not None and mark == self.node_mark and self.is_node_readable:
            return False
        self.is_node_readable, was_readable = False, self.is_node_readable
        node = self.registry.read_node()
        self.is_node_readable, self.node_mark = True, mark
        if node == self.node and was_readable:
            return False
        self.node, self.owed.is_whole = node, True
        return True

    def is_time(self, *, is_new: bool) -> bool:
        """Return whether to apply now: after a failure only for something new, or when the next attempt is due."""
        owes = self.is_owing or (self.is_front and self.front.has_new_certificates)
        return self.retries.is_due or (owes and (is_new or not self.retries.failures))

    def apply(self) -> bool:
        known = self.known
        assert known is not None  # noqa: S101  # it was read
        if self.is_front:
            return self.apply_front(known)
        on_disk = self.on_disk if self.owed.is_whole or self.specs is None else frozenset()
        if self.specs is None:
            # Of what has files and was not known, nothing but the newest record says anything.
            self.used = {**{site: known.sites[site] for site in on_disk & known.sites.keys()}, **self.used}
        # What was refused for a reason that may pass is tried again in its time, and not with each change of others.
        if self.specs is not None and self.retries.is_due:
            self.owed.add_sites(self.refused.keys() - set(known.missing) - self.kept)
        choice = self.choose()
        work = self.plan_whole(choice, on_disk) if self.owed.is_whole else self.plan_touched(choice)
        logger.debug("The specs of revision %s are made.", known.revision)
        applied = self.applier.apply(work)
        self.settle(known, choice, work, applied)
        return applied.files > 0

    def apply_front(self, known: Known) -> bool:
        """Apply the files of a front server."""
        before, former = self.front.applied, self.used
        if self.front.applied is None:
            # Of what was not known before this start, nothing but the newest record says anything.
            self.used = {**known.sites, **former}
        choice = self.choose()
        settled = {site for site, table in choice.base.sites.items() if former.get(site) == table}
        touched, gone = frozenset(self.owed.touched), frozenset(self.owed.gone)
        done = self.front.apply(Merged(choice.base, touched, gone, self.owed.is_whole), self.node, settled)
        log_refused(done.refused, before.refused if before else {})
        for kind, message in done.conditions.items():
            self.conditions.set(kind, status=bool(message), message=message)
        self.conditions.set(SITE_REFUSED, status=bool(done.refused), message=", ".join(sorted(done.refused)))
        self.used = choice.base.sites
        self.note_applied(known, choice, is_waiting=bool(done.refused), files=done.files)
        return done.files > 0

    def plan_whole(self, choice: Choice, on_disk: frozenset[str]) -> Work:
        """Return all sites as work. Of what has files here, nothing may be lost."""
        known, before = choice.patched, self.specs
        former = before.sites if before else self.recall_former()
        why = before.refused if before else dict.fromkeys(self.find_refused_before(choice.held), REFUSED_BEFORE)
        # What is held is left as it is, unless nothing is known of that but its files.
        read = known.sites.keys() - (choice.held & former.keys())
        specs = self.make_specs(known, read, former, why)
        wanted = frozenset(known.sites) - choice.held
        stopped = {site for site in wanted & specs.refused.keys() if is_disabled(known.sites[site])}
        gone = (self.owed.gone - choice.kept) | (stopped - specs.sites.keys()) | (self.let_go - known.sites.keys())
        return Work(specs, wanted, frozenset(gone), former, on_disk)

    def plan_touched(self, choice: Choice) -> Work:
        """Return what changed as work."""
        before = self.specs
        assert before is not None  # noqa: S101  # all was applied before
        touched = (self.owed.touched - choice.kept) | (self.local.touched - choice.held)
        wanted = frozenset(touched & choice.patched.sites.keys())
        specs = self.make_specs(choice.patched, wanted, before.sites, before.refused, self.neighbours)
        return Work(specs, wanted, frozenset(self.owed.gone - choice.kept), before.sites)

    def make_specs(
        self,
        known: Known,
        read: Collection[str],
        former: Mapping[str, SiteSpec],
        why: Mapping[str, str],
        neighbours: Neighbours | None = None,
    ) -> Specs:
        given = (self.node, self.environ, self.open_sealed, self.options.development)
        return make_specs(known, read, former, why, *given, neighbours)

    def recall_former(self) -> Mapping[str, SiteSpec]:
        """Return the specs of what was in use before this start, as far as the state says it."""
        if self.keeper.newest is None:
            return {}
        standing = self.keeper.newest.known._replace(sites=self.good)
        return make_standing(self.local.patched(standing), self.node, self.environ)

    def find_refused_before(self, sites: Collection[str]) -> set[str]:
        """Return those of the sites that had been refused before this start: their records say no more than a bound."""
        return {site for site in sites if site in self.good and self.used.get(site) != self.good[site]}

    def settle(self, known: Known, choice: Choice, work: Work, applied: Applied) -> None:
        """Note what is in use now."""
        self.note_refused(known, Specs(work.specs.platform, applied.sites, {**work.specs.refused, **applied.refused}))
        refused = self.refused
        self.used = choice.base.sites
        self.good = {
            site: self.used[site] if site not in refused else self.good[site]
            for site in applied.sites
            if site not in refused or site in self.good
        }
        self.local.settle(self.local.touched - choice.held)
        self.note_applied(known, choice, is_waiting=bool(refused.keys() - set(known.missing)), files=applied.files)

    def keep(self) -> None:
        """Keep what is known, and what of it is in use."""
        if self.known is None:
            return
        former = {site: table for site, table in self.good.items() if self.used.get(site) != table}
        applied = {site: table for site, table in self.used.items() if self.known.sites.get(site) != table}
        self.keeper.keep(State(self.known, former, applied))

    def note_applied(self, known: Known, choice: Choice, *, is_waiting: bool, files: int) -> None:
        """Say what is in use now; what ``is_waiting`` is tried again in its time."""
        self.applied = known.revision
        self.owed.settle(*(() if self.is_front else (choice.kept, choice.held)))
        if is_waiting:
            self.retries.fail()
        else:
            self.retries.clear()
        if files:
            logger.info("Revision %s is applied: %s files changed.", known.revision, files)
        self.conditions.set(APPLIED, status=True, revision=known.revision)
        self.keep()

    def fail(self, error: Exception) -> None:
        """Say why nothing was applied, and try again later; a stop is no failure."""
        if self.is_stopping():
            return
        self.conditions.set(APPLIED, status=False, reason=type(error).__name__, message=str(error))
        seconds = self.retries.fail()
        said = escape_unprintable(str(error))
        logger.error("%s Everything stays as it is; the next attempt is in %g s.", said, seconds)


def log_refused(refused: Mapping[str, str], before: Mapping[str, str]) -> None:
    """Log why sites are refused that were not ``before``, or for another reason."""
    new = sorted(site for site, why in refused.items() if before.get(site) != why)
    for site in new[:MOST_LOGGED]:
        logger.warning("%s: %s", site, one_line(refused[site]))
    if len(new) > MOST_LOGGED:
        logger.warning("%s more sites are refused.", len(new) - MOST_LOGGED)


def is_disabled(table: Table) -> bool:
    """Return whether a site's record says so, whatever else of it cannot be read."""
    return record_of(table).get("enabled", True) is False
