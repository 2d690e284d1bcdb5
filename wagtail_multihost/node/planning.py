"""What is to be applied on a node: found from what is known, in use, owed and held; no file of a site is changed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from wagtail_multihost.emitters import Emitter
from wagtail_multihost.exceptions import MultihostError
from wagtail_multihost.node.applying import Work
from wagtail_multihost.node.choosing import Choice, choose_sites
from wagtail_multihost.node.fronts import FrontServer
from wagtail_multihost.node.holds import Holds
from wagtail_multihost.node.keeping import Keeper
from wagtail_multihost.node.listening import silent_sites
from wagtail_multihost.node.local_changes import LocalChanges
from wagtail_multihost.node.on_disk import sites_on_disk
from wagtail_multihost.node.opening import Opener
from wagtail_multihost.node.options import AgentOptions
from wagtail_multihost.node.owing import Owed
from wagtail_multihost.node.reading import Known, Table
from wagtail_multihost.node.recalling import recall_front, recall_specs
from wagtail_multihost.node.retrying import FIRST, LONGEST, Retries
from wagtail_multihost.node.specs import Specs, make_specs, make_standing, record_of
from wagtail_multihost.node.state_file import find_folder
from wagtail_multihost.nodeapi.node_states import FRONT
from wagtail_multihost.registry.neighbours import Neighbours
from wagtail_multihost.registry.node_file import NodeFile
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.nginx import NginxOptions
from wagtail_multihost.spec.site import SiteSpec

REFUSED_BEFORE = "Its record was refused before the agent was started, and it is held since."
PLACED = "These sites are placed on this node, so nobody lets go of them here: {}. Move or remove them in the registry."
NOT_HERE = "There are no files here of what is to be let go of: {}."
WAITS = "It is held, and a change of it waits until the hold ends."


class Planner:
    """
    What is known of this node, what of it is in use and what is owed, and what to do because of it. ``let_go`` are
    sites whose files may be removed although the registry does not list them.
    """

    def __init__(
        self,
        options: AgentOptions,
        environ: Mapping[str, str],
        node: NodeFile,
        targets: Sequence[Emitter],
        front: FrontServer,
        let_go: Collection[str] = (),
    ) -> None:
        self.options, self.environ, self.node, self.targets, self.front = options, environ, node, targets, front
        self.let_go = frozenset(let_go)
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
    def snapshots(self) -> Path | None:
        stated = self.node.platform.get("snapshots")
        return Path(str(stated)) if stated else None

    @property
    def on_disk(self) -> frozenset[str]:
        """The sites that have files here."""
        return sites_on_disk(self.snapshots, self.options.output, self.targets)

    @property
    def is_front(self) -> bool:
        """Whether this node is a front server, on which no site runs."""
        return self.known is not None and self.known.node["holds"] == FRONT

    @property
    def has_former(self) -> bool:
        """Whether this node has what was applied before this start."""
        return self.known is not None and bool(self.on_disk)

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

    @property
    def unhealthy_marker(self) -> Path | None:
        """The file by which nginx tells load balancers that the node is unhealthy; None where there is no nginx."""
        if self.specs is None or NginxOptions.target not in self.options.targets:
            return None
        return (self.specs.platform.options_of(NginxOptions) or NginxOptions()).unhealthy

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

    def find_silent(self) -> list[str]:
        """Return the sites at whose sockets nobody listens, of those whose processes this agent makes the files of."""
        if self.specs is None or not any(target.runs_sites for target in self.targets):
            return []
        return silent_sites(self.specs.platform, self.specs.sites.values())

    def is_time(self, *, is_new: bool) -> bool:
        """Return whether to apply now: after a failure only for something new, or when the next attempt is due."""
        owes = self.is_owing or (self.is_front and self.front.has_new_certificates)
        return self.retries.is_due or (owes and (is_new or not self.retries.failures))

    def choose(self) -> Choice:
        """Return what of all that is known may be applied now."""
        assert self.known is not None  # noqa: S101  # it was read
        return choose_sites(self.known, self.used, self.good, self.holds, self.local)

    def plan(self, known: Known) -> tuple[Choice, Work]:
        """Return what of all that is ``known`` may be applied now, and the work of it that is owed."""
        on_disk = self.on_disk if self.owed.is_whole or self.specs is None else frozenset()
        if self.specs is None:
            # Of what has files and was not known, nothing but the newest record says anything.
            self.used = {**{site: known.sites[site] for site in on_disk & known.sites.keys()}, **self.used}
        # What was refused for a reason that may pass is tried again in its time, and not with each change of others.
        if self.specs is not None and self.retries.is_due:
            self.owed.add_sites(self.refused.keys() - set(known.missing) - self.kept)
        choice = self.choose()
        return choice, self.plan_whole(choice, on_disk) if self.owed.is_whole else self.plan_touched(choice)

    def plan_whole(self, choice: Choice, on_disk: frozenset[str]) -> Work:
        """Return all sites as work. Of what has files here, nothing may be lost."""
        known, before = choice.patched, self.specs
        self.refuse_wrong_let_go(known, on_disk)
        former = before.sites if before else self.recall_former()
        why = before.refused if before else dict.fromkeys(self.find_refused_before(choice.held), REFUSED_BEFORE)
        # What is held is left as it is, unless nothing is known of that but its files.
        read = known.sites.keys() - (choice.held & former.keys())
        specs = self.make_specs(known, read, former, why)
        wanted = frozenset(known.sites) - choice.held
        stopped = {site for site in wanted & specs.refused.keys() if is_disabled(known.sites[site])}
        gone = (self.owed.gone - choice.kept) | (stopped - specs.sites.keys()) | (self.let_go - known.sites.keys())
        return Work(specs, wanted, frozenset(gone), former, on_disk)

    def refuse_wrong_let_go(self, known: Known, on_disk: Collection[str]) -> None:
        """Raise MultihostError for sites to let go of that are this node's, or are not here at all."""
        if placed := sorted(self.let_go & known.sites.keys()):
            raise MultihostError(PLACED.format(", ".join(placed)))
        if strange := sorted(self.let_go.difference(on_disk)):
            raise MultihostError(NOT_HERE.format(", ".join(map(shown, strange))))

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


def is_disabled(table: Table) -> bool:
    """Return whether a site's record says so, whatever else of it cannot be read."""
    return record_of(table).get("enabled", True) is False
