"""The agent of this machine, the only node of the control site: it says which sites are served, and from what files."""

import sys
from collections.abc import Mapping

import tomlkit

from runner.children import Child, start
from runner.folders import CONTROL, DATA, HERE, LOGS
from runner.preparing import environment
from runner.registry import NODE, Place, merge, own_platform, read
from wagtail_multihost.nodeapi import node_v1

NAME, GROUP = "local", "example"
ROLE = f"{node_v1.ROLE}_{NAME}"
RELEASE = CONTROL / "release.json"
KEY, KEY_VARIABLE = DATA / "platform.key", "EXAMPLE_PLATFORM_KEY"
#: As the superuser, since nobody else may say who a node is. A project for production lets its nodes join instead.
MAKE_ROLE = f"""
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{ROLE}') THEN
        CREATE ROLE {ROLE} LOGIN CONNECTION LIMIT 4 IN ROLE {node_v1.ROLE};
    END IF;
END $$;
"""
MAKE_NODE = f"""
from wagtail_multihost.control.authority import operator_authority
from wagtail_multihost.control.models import Node, NodeGroup, NodeIdentity
from wagtail_multihost.control.nodes import save_group, save_node

operator = operator_authority("example")
if not NodeGroup.objects.filter(pk="{GROUP}").exists():
    save_group(operator, "{GROUP}", replicas=1)
if not Node.objects.filter(pk="{NAME}").exists():
    save_node(operator, "{NAME}", "{GROUP}")
NodeIdentity.objects.get_or_create(node_id="{NAME}", defaults={{"role": "{ROLE}"}})
"""


def start_agent(registry: str, place: Place) -> Child:
    """Start the agent, which follows the ``registry`` of the control site as its node."""
    path = place.runtime / "node.toml"
    path.write_text(tomlkit.dumps(node_document(registry, place)))
    # Not in the file: root reads no secret in a checkout of another account's, in which it may be working here.
    key = {KEY_VARIABLE: KEY.read_text().strip()}
    environ = {**environment(), **key, "MULTIHOST_NODE_FILE": str(path)}
    return start([sys.executable, "-P", "-m", "wagtail_multihost.node"], LOGS / "agent.log", environ, HERE)


def node_document(registry: str, place: Place) -> Mapping[str, object]:
    """Return the node file: what the control site's import found to be the node's, with what is of this run."""
    own = {key: value for key, value in own_platform(place).items() if key != "origin"}
    key = f"env:{KEY_VARIABLE}"
    return {
        **merge(read(NODE), {"platform": {**own, "environment": "development", "secret_key": key}}),
        "agent": {
            "registry": registry,
            "node": NAME,
            "targets": ["embedded"],
            "output": str(place.etc),
            "release": str(RELEASE),
            "state": str(place.runtime / "agent"),
            "origin": own_platform(place)["origin"],
        },
    }
