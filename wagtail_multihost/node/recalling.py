"""What is in use on this node, as far as the state that the agent keeps says it; for commands beside the agent."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.node.fronts import FrontServer
from wagtail_multihost.node.local_changes import LocalChanges
from wagtail_multihost.node.opening import Opener
from wagtail_multihost.node.options import AgentOptions
from wagtail_multihost.node.reading import Merged
from wagtail_multihost.node.specs import Specs, make_specs, make_standing
from wagtail_multihost.node.state_file import State, read_state
from wagtail_multihost.nodeapi.node_states import FRONT
from wagtail_multihost.registry.node_file import NodeFile

NO_SITES = "This node is a front server: no site runs on it, and none is changed here."
REFUSED = "Its newest record was refused."


def recall_state(folder: Path, url: str, *, takes_front: bool = False) -> State:
    """
    Return what the agent kept; raises ConfigurationError where that is nothing and, unless that ``takes_front``, on a
    front server.
    """
    state = read_state(folder, url)
    if state is None:
        raise ConfigurationError.because("Nothing was ever applied on this node.", where=str(folder))
    if state.known.node.get("holds") == FRONT and not takes_front:
        raise ConfigurationError.because(NO_SITES, where=str(folder))
    return state


def recall_specs(
    state: State, local: LocalChanges, options: AgentOptions, node: NodeFile, environ: Mapping[str, str], folder: Path
) -> Specs:
    """
    Return the specs of what is in use, with what was changed here; those of refused sites within what their newest
    records say. Raises ConfigurationError.
    """
    refused = state.former.keys() - local.sites.keys()
    standing = local.patched(state.standing)
    former = make_standing(standing._replace(sites={site: standing.sites[site] for site in refused}), node, environ)
    newest = {site: state.used[site] for site in refused if site in state.used}
    base = standing._replace(sites={**standing.sites, **newest})
    opener = Opener(folder, options.group_key)
    why = dict.fromkeys(refused, REFUSED)
    return make_specs(base, base.sites.keys() - refused, former, why, node, environ, opener, options.development)


def recall_front(state: State, options: AgentOptions, node: NodeFile, environ: Mapping[str, str]) -> FrontServer:
    """Return a front server that knows what its files were made of; raises MultihostError."""
    front = FrontServer(options, options.registry, environ)
    wish = front.make_wish(Merged(state.standing, frozenset(), frozenset(), True), node, state.standing.sites)
    front.specs = wish.specs
    front.plan = wish.plan(dict(wish.specs.sites), options, options.registry)
    return front
