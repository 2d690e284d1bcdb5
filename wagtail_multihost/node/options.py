"""What the agent is told by its node: the table ``[agent]`` of the node file, which only root may change."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

from wagtail_multihost.exceptions import ConfigurationError, Problem
from wagtail_multihost.node.specs import NOT_DEVELOPMENT, Development
from wagtail_multihost.nodeapi.join_v1 import ZONE
from wagtail_multihost.registry.node_file import AGENT, NodeFile
from wagtail_multihost.registry.platform_key import DEVELOPMENT
from wagtail_multihost.registry.postgres_url import postgres_url_problem
from wagtail_multihost.sealing import KEY_BYTES
from wagtail_multihost.spec.identifiers import NODE_LENGTH, parse_slug, shown
from wagtail_multihost.spec.options import check_networks
from wagtail_multihost.spec.platform import NODE_ADDRESS
from wagtail_multihost.spec.suggestions import suggest

#: Seconds.
LONGEST = 86_400
#: What each of the containers of a group has of its own.
VARIABLES = {"node": "MULTIHOST_NODE", "address": "MULTIHOST_NODE_ADDRESS", "zone": "MULTIHOST_NODE_ZONE"}
TARGET = re.compile(r"[a-z][a-z0-9_]*")
ACCOUNT = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
#: How far healing goes: not at all, to restarts of sites' processes, or to the node itself.
NOTHING, SITES, NODE = "nothing", "sites", "node"
REACHES = (NOTHING, SITES, NODE)
MOST_ALONE = 20
LOCAL_ORIGIN = re.compile(r"https?://\{hostname\}(:[0-9]{1,5})?")
#: The target of a runner on one's own machine, whose sites have keys of the platform's, and one account.
EMBEDDED = "embedded"
Parse = Callable[[object], Any]


def parse_registry(value: object) -> str:
    if not isinstance(value, str) or postgres_url_problem(value):
        raise ValueError("It must be postgres:///?service=NAME, or such an address without a password.")
    return value


def parse_node(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("It must be the id of this node.")
    return parse_slug(value, what="The node", length=NODE_LENGTH)


def parse_group(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("It must be the id of this node's group.")
    return parse_slug(value, what="The group", length=NODE_LENGTH)


def parse_path(value: object) -> Path:
    if not isinstance(value, str) or not value.startswith("/"):
        raise ValueError("It must be an absolute path.")
    return Path(value)


def parse_address(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(NODE_ADDRESS, value):
        raise ValueError("It must be an address such as 10.0.0.5:8080.")
    return value


def parse_zone(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(ZONE, value) or len(value) > NODE_LENGTH:
        raise ValueError("It must be a word such as eu-1.")
    return value


def parse_command(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(word, str) and word for word in value):
        raise ValueError("It must be a list of a program and its arguments: no shell reads it.")
    return tuple(value)


def parse_targets(value: object) -> tuple[str, ...]:
    words = parse_command(value)
    if not all(TARGET.fullmatch(word) for word in words):
        raise ValueError('It must be a list of targets, such as ["nginx", "uwsgi"].')
    return words


def parse_seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < LONGEST:
        raise ValueError(f"It must be a number of seconds, more than 0 and less than {LONGEST}.")
    return float(value)


def parse_public_key(value: object) -> bytes:
    try:
        key = base64.b64decode(value, validate=True) if isinstance(value, str) else b""
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError("It must be a public Ed25519 key in base64, as multihost-operator init prints it.")
    return key


def parse_text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("It must be a text.")
    return value


def parse_local_origin(value: object) -> str:
    if not isinstance(value, str) or not LOCAL_ORIGIN.fullmatch(value):
        raise ValueError('It must be such as "http://{hostname}:8000".')
    return value


def parse_networks(value: object) -> tuple[str, ...]:
    words = parse_command(value)
    return check_networks(words)


def parse_account(value: object) -> str:
    if not isinstance(value, str) or not ACCOUNT.fullmatch(value):
        raise ValueError("It must be the name of an account.")
    return value


def parse_reach(value: object) -> str:
    if value not in REACHES:
        raise ValueError(f"It must be one of: {', '.join(REACHES)}.")
    return str(value)


def parse_count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_ALONE:
        raise ValueError(f"It must be a whole number from 0 to {MOST_ALONE}.")
    return value


def parse_flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("It must be true or false.")
    return value


def option(parse: Parse, meaning: str, default: object = MISSING) -> Any:
    return field(default=default, metadata={"parse": parse, "meaning": meaning})


@dataclass(frozen=True, kw_only=True)
class AgentOptions:
    """What the agent of a ``node`` does; each field is a key of the table, with its meaning."""

    registry: str = option(
        parse_registry, "The control site's database, such as `postgres:///?service=NAME`, without a password."
    )
    node: str = option(parse_node, "The id of this node in the registry, unless `MULTIHOST_NODE` states it.")
    targets: tuple[str, ...] = option(parse_targets, "What files are written for, such as `nginx` and `uwsgi`.")
    output: Path = option(parse_path, "The folder that they are written below.")
    release: Path = option(
        parse_path, "The file that `multihost_codebase` wrote for the release of the project that runs here."
    )
    state: Path | None = option(
        parse_path, "Where the agent keeps what it knows. Default: `agent` in the platform's `data`.", None
    )
    join: Path | None = option(
        parse_path, "The file with a group's token, by which a node joins that has no login of its own.", None
    )
    token_command: tuple[str, ...] = option(
        parse_command, "A command that prints such a token instead: a program and its arguments.", ()
    )
    address: str = option(
        parse_address, "Where front servers ask a node that joins, unless `MULTIHOST_NODE_ADDRESS` states it.", ""
    )
    zone: str = option(parse_zone, "The zone of a node that joins, unless `MULTIHOST_NODE_ZONE` states it.", "")
    reload: tuple[str, ...] = option(
        parse_command, "The command that reloads the servers: a program and its arguments.", ()
    )
    reload_timeout: float = option(parse_seconds, "How long that may take.", 60.0)
    verify: str = option(parse_text, "The URL that shows which generation of its files nginx uses.", "")
    verify_timeout: float = option(parse_seconds, "How long nginx may take to use the new one.", 10.0)
    poll: float = option(parse_seconds, "How often at least the registry is asked for changes.", 30.0)
    integrity: float = option(parse_seconds, "How often the disk is compared with what was written.", 300.0)
    ready: Path | None = option(
        parse_path, "A file that is there while the node may be asked, for a container's health check.", None
    )
    drains: bool = option(
        parse_flag, "Whether the node leaves the fleet when the agent is stopped, as a container does.", False
    )
    drain_seconds: float = option(parse_seconds, "How long it then waits at most until no front server asks it.", 10.0)
    start_seconds: float = option(
        parse_seconds, "How long front servers wait at most for the processes of a node that joins.", 300.0
    )
    node_networks: tuple[str, ...] = option(
        parse_networks,
        "The networks whose nodes a front server asks. Without any: all but those of its own machine.",
        (),
    )
    probe_targets: Path | None = option(
        parse_path, "The file of what the monitor beside the agent asks, which the agent writes.", None
    )
    observations: Path | None = option(parse_path, "The file of what that monitor says, which the agent reads.", None)
    monitor_user: str = option(
        parse_account, "The account of that monitor: it reads the former file and owns the latter.", "multihost-monitor"
    )
    heal: str = option(
        parse_reach,
        "How far sites that do not answer here are healed: `nothing`, `sites` (restarts of their processes), or "
        "`node` (and the node may say that it is unhealthy).",
        NODE,
    )
    heal_pause: float = option(
        parse_seconds, "How long a step of healing has to help. At least two periods of the monitor.", 150.0
    )
    heal_alone: int = option(
        parse_count, "How many restarts of sites there may be within an hour while the database is away.", 0
    )
    origin: str = option(
        parse_local_origin, "With the target `embedded`, where visitors reach the sites, instead of the platform's.", ""
    )

    bundle: Path | None = option(
        parse_path, "The bundle that the node starts from while the database is away, such as a file on a share.", None
    )
    bundle_key: bytes = option(parse_public_key, "The public key by which that counts, in base64.", b"")
    bundle_group: str = option(parse_group, "The node's group, if the bundle is one of its group.", "")
    group_key: Path | None = option(parse_path, "The private key that opens what is sealed in such a bundle.", None)

    @property
    def development(self) -> Development:
        """What specs are made with, beside the registry and the node file: nothing but for the target ``embedded``."""
        return Development(self.origin) if EMBEDDED in self.targets else NOT_DEVELOPMENT


def read_agent_options(node: NodeFile, environ: Mapping[str, str] | None = None) -> AgentOptions:
    """
    Return what the node file says, and the variables of containers that are made from one image; raises
    ConfigurationError with all problems of the table.
    """
    if node.path is None:
        raise ConfigurationError.because(f"There is no node file, which must have a table [{AGENT}].", where=node.label)
    problems: list[Problem] = []
    stated = {key: value for key, name in VARIABLES.items() if (value := (environ or {}).get(name, ""))}
    problems += [
        Problem(f"{node.label}: {AGENT}.{key}", f"The variable {VARIABLES[key]} states it too. State it in one place.")
        for key in stated
        if key in node.agent
    ]
    values = dict(parse_values({**stated, **node.agent}, node.label, problems))
    if "join" in values and "token_command" in values:
        problems.append(Problem(f"{node.label}: {AGENT}.token_command", "State either join or token_command."))
    if "bundle" in values and "bundle_key" not in node.agent:
        problems.append(Problem(f"{node.label}: {AGENT}.bundle_key", "It is missing: no bundle is used without it."))
    if ("probe_targets" in values) != ("observations" in values):
        missing = "observations" if "probe_targets" in values else "probe_targets"
        problems.append(Problem(f"{node.label}: {AGENT}.{missing}", "It is missing: a monitor needs both files."))
    if not problems:
        options = AgentOptions(**values)
        problems.extend(embedded_problems(options, node))
    if problems:
        raise ConfigurationError(problems)
    return options


def embedded_problems(options: AgentOptions, node: NodeFile) -> Iterator[Problem]:
    """Yield why the target ``embedded`` cannot be applied as the node file says, or what only it may be told."""
    where = f"{node.label}: {AGENT}"
    if EMBEDDED not in options.targets:
        if options.origin:
            yield Problem(f"{where}.origin", f'It is for the target "{EMBEDDED}" alone. State the platform\'s origin.')
        return
    if options.targets != (EMBEDDED,):
        yield Problem(f"{where}.targets", f'"{EMBEDDED}" has no other target beside it: its sites share one account.')
    if node.platform.get("environment") != DEVELOPMENT:
        yield Problem(
            f"{where}.targets",
            f'"{EMBEDDED}" is for development: it needs environment = "{DEVELOPMENT}" in the [platform] of this file.',
        )


def parse_values(table: Mapping[str, object], label: str, problems: list[Problem]) -> Any:
    """Yield the values of the table by name; problems are reported."""
    known = {one.name: one for one in fields(AgentOptions)}
    for name in table:
        if name not in known:
            hint = suggest(name, known)
            problems.append(Problem(f"{label}: {AGENT}.{name}", f"The key {shown(name)} is not known.{hint}"))
    for name, one in known.items():
        where = f"{label}: {AGENT}.{name}"
        if name not in table:
            if one.default is MISSING:
                problems.append(Problem(where, "It is missing."))
            continue
        try:
            yield name, one.metadata["parse"](table[name])
        except ValueError as error:
            problems.append(Problem(where, str(error)))
