"""Making what is in use what is known: what was planned is applied and noted; what fails is tried again later."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping

from wagtail_multihost.exceptions import ConfigurationError, MultihostError
from wagtail_multihost.files.reading import Mark, mark_of
from wagtail_multihost.node.applying import Applied, Applier, UnlistedError, Work
from wagtail_multihost.node.choosing import Choice
from wagtail_multihost.node.conditions import Conditions
from wagtail_multihost.node.fronts import FrontServer
from wagtail_multihost.node.keeping import Keeper
from wagtail_multihost.node.options import AgentOptions
from wagtail_multihost.node.planning import Planner
from wagtail_multihost.node.reading import Known, Merged
from wagtail_multihost.node.specs import Specs
from wagtail_multihost.node.state_file import State, read_state
from wagtail_multihost.nodeapi.node_states import APPLIED, CHANGED_HERE, HELD, SITE_REFUSED, UNLISTED
from wagtail_multihost.registry.postgres import PostgresRegistry
from wagtail_multihost.spec.printing import escape_unprintable, one_line

logger = logging.getLogger(__name__)

#: So many reasons of one change are in the log.
MOST_LOGGED = 50
MISSING = "The registry does not list it any more, and does not say that it is gone: nothing is removed."
NODE_WAITS = "Everything on this node is held, and a change waits until the hold ends."


class Convergence:
    """
    The way from what is in use on this node to what is known, as the ``planner`` says. Once ``is_stopping`` returns
    true, nothing further is begun; ``let_go`` are sites whose files may be removed although the registry does not list
    them.
    """

    def __init__(
        self,
        options: AgentOptions,
        environ: Mapping[str, str],
        conditions: Conditions,
        is_stopping: Callable[[], bool],
        let_go: Collection[str] = (),
    ) -> None:
        self.options, self.conditions, self.is_stopping = options, conditions, is_stopping
        self.registry = PostgresRegistry(options.registry, environ)
        self.is_node_readable = True
        #: Of the node file as it was read last.
        self.node_mark: Mark | None = None
        self.applier = Applier(options, self.registry, is_stopping)
        node = self.registry.read_node()
        front = FrontServer(options, options.registry, environ, is_stopping)
        # Targets that there are not are said now, and not with the first change.
        self.planner = Planner(options, environ, node, self.applier.targets, front, let_go)

    def has_new_local_changes(self) -> bool:
        """Return whether sites were changed here, or changed back, and that was not applied yet."""
        try:
            self.planner.local.read()
        except ConfigurationError as error:
            logger.warning("%s", error)
        return bool(self.planner.local.touched)

    def recall(self) -> None:
        """Know what was known before this start; raises ConfigurationError for a file that is not to be used."""
        planner = self.planner
        state = read_state(planner.folder, self.options.registry)
        planner.keeper = Keeper(planner.folder, self.options.registry, state)
        if state is not None:
            planner.known = state.known
            planner.holds.take(state.known.holds)
            # A front server's files are of all sites together.
            here = state.used.keys() if planner.is_front else planner.on_disk
            planner.used = {site: table for site, table in state.used.items() if site in here}
            planner.good = {site: table for site, table in state.standing.sites.items() if site in here}

    def take(self, merged: Merged, asked: Collection[str] = ()) -> bool:
        """
        Know what was read; return whether there is anything to apply because of it. The sites that are ``asked`` for
        are applied anew.
        """
        planner = self.planner
        planner.known = merged.known
        if planner.holds.take(merged.known.holds):
            # Whoever changes a site here while the registry is away is told of them.
            self.keep()
        anew = merged.known.sites.keys() & set(asked)
        planner.owed.add_sites(anew - planner.local.sites.keys())
        planner.local.touched |= anew & planner.local.sites.keys()
        return planner.owed.add(merged) or bool(anew)

    @property
    def problem(self) -> str:
        """Why what is owed was not applied; blank if it was."""
        if not self.planner.is_owing:
            return ""
        if self.planner.holds.everything:
            return NODE_WAITS
        return str(self.conditions.found[APPLIED]["message"]) if APPLIED in self.conditions.found else ""

    def converge(self, *, is_new: bool) -> bool:
        """
        Put into use what is owed, and return whether files changed. Where that fails, everything stays as it is, and is
        tried again: at once for what ``is_new``, and else when it is due.
        """
        try:
            self.planner.local.read()
            is_new = self.note_kept() or is_new
            if self.planner.holds.everything:
                return False
            is_new = self.read_node() or is_new
            if self.planner.is_time(is_new=is_new):
                return self.apply()
        except UnlistedError as error:
            self.conditions.set(UNLISTED, status=True, message=", ".join(error.sites))
            self.fail(error)
        except (MultihostError, OSError) as error:
            self.fail(error)
        else:
            self.note_nothing_owed()
        return False

    def note_kept(self) -> bool:
        """Say what is held, and what was changed here; return whether anything that has waited may be applied now."""
        planner = self.planner
        if planner.known is None:
            return False
        choice, before = planner.choose(), planner.waiting
        if planner.is_front and planner.held - choice.held:
            planner.owed.is_whole = True
        planner.held, planner.kept = choice.held, choice.kept
        said = planner.local.describe(choice.base, planner.known.sites)
        self.conditions.set(CHANGED_HERE, status=bool(said), message=said)
        is_held = bool(planner.holds.in_force)
        if is_held and not self.conditions.holds(HELD):
            logger.warning("%s", one_line(planner.holds.describe()))
        self.conditions.set(HELD, status=is_held, message=planner.holds.describe(planner.waiting, choice.stopped))
        return bool(before - planner.kept or planner.local.touched - planner.held)

    def note_nothing_owed(self) -> None:
        """Note a revision that changes no file here; it may be that sites are not listed any more, or are again."""
        planner = self.planner
        if planner.known is None or not planner.is_in_use or planner.is_owing:
            return
        planner.applied = planner.known.revision
        if planner.specs is not None:
            self.note_refused(planner.known, planner.specs)
        if not planner.retries.failures or planner.refused:
            self.conditions.set(APPLIED, status=True, revision=planner.applied)

    def note_refused(self, known: Known, specs: Specs) -> None:
        """Use the specs, and say why the newest records of some sites are not in use."""
        waiting = {site for site, why in specs.refused.items() if site not in known.missing and why != MISSING}
        refused = {**{site: specs.refused[site] for site in waiting}, **dict.fromkeys(known.missing, MISSING)}
        log_refused(refused, self.planner.specs.refused if self.planner.specs else {})
        self.planner.specs = specs._replace(refused=refused)
        self.conditions.set(SITE_REFUSED, status=bool(waiting), message=", ".join(sorted(waiting)))
        self.conditions.set(UNLISTED, status=bool(known.missing), message=", ".join(known.missing))

    def read_node(self) -> bool:
        """Read the node file if it is another one; return whether everything has to be applied because of it."""
        mark = mark_of(self.planner.node.path, follows=True) if self.planner.node.path else None
        if mark is not None and mark == self.node_mark and self.is_node_readable:
            return False
        self.is_node_readable, was_readable = False, self.is_node_readable
        node = self.registry.read_node()
        self.is_node_readable, self.node_mark = True, mark
        if node == self.planner.node and was_readable:
            return False
        self.planner.node, self.planner.owed.is_whole = node, True
        return True

    def apply(self) -> bool:
        known = self.planner.known
        assert known is not None  # noqa: S101  # it was read
        if self.planner.is_front:
            return self.apply_front(known)
        choice, work = self.planner.plan(known)
        logger.debug("The specs of revision %s are made.", known.revision)
        applied = self.applier.apply(work)
        self.settle(known, choice, work, applied)
        return applied.files > 0

    def apply_front(self, known: Known) -> bool:
        """Apply the files of a front server."""
        planner = self.planner
        before, former = planner.front.applied, planner.used
        if before is None:
            # Of what was not known before this start, nothing but the newest record says anything.
            planner.used = {**known.sites, **former}
        choice = planner.choose()
        settled = {site for site, table in choice.base.sites.items() if former.get(site) == table}
        touched, gone = frozenset(planner.owed.touched), frozenset(planner.owed.gone)
        merged = Merged(choice.base, touched, gone, planner.owed.is_whole)
        done = planner.front.apply(merged, planner.node, settled)
        log_refused(done.refused, before.refused if before else {})
        for kind, message in done.conditions.items():
            self.conditions.set(kind, status=bool(message), message=message)
        self.conditions.set(SITE_REFUSED, status=bool(done.refused), message=", ".join(sorted(done.refused)))
        planner.used = choice.base.sites
        self.note_applied(known, choice, is_waiting=bool(done.refused), files=done.files)
        return done.files > 0

    def settle(self, known: Known, choice: Choice, work: Work, applied: Applied) -> None:
        """Note what is in use now."""
        self.note_refused(known, Specs(work.specs.platform, applied.sites, {**work.specs.refused, **applied.refused}))
        planner, refused = self.planner, self.planner.refused
        planner.used = choice.base.sites
        planner.good = {
            site: planner.used[site] if site not in refused else planner.good[site]
            for site in applied.sites
            if site not in refused or site in planner.good
        }
        planner.local.settle(planner.local.touched - choice.held)
        self.note_applied(known, choice, is_waiting=bool(refused.keys() - set(known.missing)), files=applied.files)

    def keep(self) -> None:
        """Keep what is known, and what of it is in use."""
        planner, known = self.planner, self.planner.known
        if known is None:
            return
        former = {site: table for site, table in planner.good.items() if planner.used.get(site) != table}
        applied = {site: table for site, table in planner.used.items() if known.sites.get(site) != table}
        planner.keeper.keep(State(known, former, applied))

    def note_applied(self, known: Known, choice: Choice, *, is_waiting: bool, files: int) -> None:
        """Say what is in use now; what ``is_waiting`` is tried again in its time."""
        self.planner.applied = known.revision
        self.planner.owed.settle(*(() if self.planner.is_front else (choice.kept, choice.held)))
        if is_waiting:
            self.planner.retries.fail()
        else:
            self.planner.retries.clear()
        if files:
            logger.info("Revision %s is applied: %s files changed.", known.revision, files)
        self.conditions.set(APPLIED, status=True, revision=known.revision)
        self.keep()

    def fail(self, error: Exception) -> None:
        """Say why nothing was applied, and try again later; a stop is no failure."""
        if self.is_stopping():
            return
        self.conditions.set(APPLIED, status=False, reason=type(error).__name__, message=str(error))
        seconds = self.planner.retries.fail()
        said = escape_unprintable(str(error))
        logger.error("%s Everything stays as it is; the next attempt is in %g s.", said, seconds)


def log_refused(refused: Mapping[str, str], before: Mapping[str, str]) -> None:
    """Log why sites are refused that were not ``before``, or for another reason."""
    new = sorted(site for site, why in refused.items() if before.get(site) != why)
    for site in new[:MOST_LOGGED]:
        logger.warning("%s: %s", site, one_line(refused[site]))
    if len(new) > MOST_LOGGED:
        logger.warning("%s more sites are refused.", len(new) - MOST_LOGGED)
