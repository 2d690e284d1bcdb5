"""``multihost-agent --check``: what differs on this node from what was applied last. Nothing is changed or asked."""

from __future__ import annotations

import json
import os


def check_node(*, as_json: bool) -> int:
    """Print what differs; return 0 if nothing does, else 1. Raises MultihostError where that cannot be told."""
    from wagtail_multihost.node.applying import Applier
    from wagtail_multihost.node.comparing import find_drift
    from wagtail_multihost.node.drift import MOST_LISTED
    from wagtail_multihost.node.integrity import find_front_drift
    from wagtail_multihost.node.local_changes import LocalChanges
    from wagtail_multihost.node.options import read_agent_options
    from wagtail_multihost.node.recalling import recall_front, recall_specs, recall_state
    from wagtail_multihost.node.state_file import find_folder
    from wagtail_multihost.nodeapi.node_states import FRONT
    from wagtail_multihost.registry.node_file import read_node_file
    from wagtail_multihost.registry.postgres import PostgresRegistry

    environ = dict(os.environ)
    node = read_node_file(environ)
    options = read_agent_options(node, environ)
    folder = find_folder(options, node)
    state = recall_state(folder, options.registry, takes_front=True)
    if state.known.node.get("holds") == FRONT:
        found = find_front_drift(recall_front(state, options, node, environ))
    else:
        local = LocalChanges(folder)
        local.read()
        specs = recall_specs(state, local, options, node, environ, folder)
        registry = PostgresRegistry(options.registry, environ)
        registry.read_node()  # snapshots name its files
        found = find_drift(Applier(options, registry, lambda: False), specs)
    if as_json:
        print(json.dumps({"count": len(found), "drift": [one.row for one in found[:MOST_LISTED]]}, indent=2))
    else:
        for one in found[:MOST_LISTED]:
            print(one.sentence)
    return 1 if found else 0
