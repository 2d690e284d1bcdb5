"""What the commands that write configurations have in common: their arguments, the plan, and the report."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from wagtail_multihost.emitters import Emitter, Plan, emitters
from wagtail_multihost.emitters.apply.request import ApplyRequest
from wagtail_multihost.emitters.cautions import cautions
from wagtail_multihost.emitters.output import Change
from wagtail_multihost.emitters.planning import loaded, plan
from wagtail_multihost.exceptions import EmitError
from wagtail_multihost.management.production import production_cautions, refuse_development
from wagtail_multihost.management.progress import choose_watch
from wagtail_multihost.project import own_codebase
from wagtail_multihost.registry.base import Tell
from wagtail_multihost.registry.release import read_release
from wagtail_multihost.registry.watch import Watch, watch_nothing
from wagtail_multihost.running import registry_of
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.suggestions import suggest
from wagtail_multihost.version import own_version

logger = logging.getLogger(__name__)

#: Whatever --verbosity is.
LOUD = 1
#: What these variables say can be part of a registry.
REGISTRY_PREFIX = "MULTIHOST_"
#: Options that make no difference to what is done, but for the sites, which are added up.
LEFT_OUT = frozenset({"site", "targets", "stdout", "stderr", "verbosity", "json", "no_color", "force_color"})


def add_targets(parser: CommandParser, nargs: str) -> None:
    parser.add_argument(
        "targets", nargs=nargs, type=parse_target, metavar="TARGET", help=f"one or more of {', '.join(emitters())}"
    )


def parse_target(name: str) -> Emitter:
    """Return the target of a name, as an argument's type."""
    if name not in emitters():
        hint = suggest(name, emitters()) or f" Accepted: {', '.join(emitters())}."
        raise ArgumentTypeError(f"There is no target {shown(name)}.{hint}")
    return emitters()[name]


def add_choice(parser: CommandParser) -> None:
    """Add the arguments that say for which sites files are written, and what of others may go."""
    parser.add_argument(
        "--site",
        nargs="+",
        action="extend",
        default=[],
        metavar="ID",
        help="write or remove only these sites' own files; what all sites share is always written",
    )
    parser.add_argument(
        "--node",
        default="",
        metavar="NAME",
        help="the platform's node that the files are for (default: the front server)",
    )
    parser.add_argument(
        "--codebase",
        type=Path,
        metavar="FILE",
        help="the file that multihost_codebase wrote for the running release (default: the project of this command)",
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="also replace files that these commands did not write, or that were edited since",
    )
    parser.add_argument(
        "--allow-mass-delete",
        action="store_true",
        help="allow removing more than ten files when that is more than half of them",
    )


def load_plan(
    registry_url: str | None,
    directory: Path,
    only: list[str],
    *,
    node: str = "",
    release: Path | None = None,
    watch: Watch = watch_nothing,
    tell: Tell = logger.warning,
) -> Plan:
    """
    Return what the emitters need; raises ConfigurationError, for unknown or disabled ``only`` sites too. ``tell`` is
    told if it is made of what a registry said last.
    """
    registry = registry_of(registry_url).for_rendering(tell)
    code = read_release(release).codebase if release else own_codebase()
    return plan(registry, loaded(registry, code, watch=watch), code, directory, only=only, node=node)


def refuse_front(chosen: Iterable[Emitter], plan: Plan) -> None:
    """Raise EmitError for a target that runs sites, where the platform has nodes and none is named."""
    for emitter in chosen:
        if emitter.runs_sites and plan.platform.nodes and not plan.node:
            names = ", ".join(name for name, _ in plan.platform.nodes)
            raise EmitError(f"The target {emitter.name} is for a node; give --node and one of {names}.")


def apply_request(
    options: dict[str, Any], directory: Path, caution: Callable[[Iterable[str], int], None], **more: Any
) -> ApplyRequest:
    """Return what a command's options ask for; ``caution`` is told what is possible and seldom meant."""
    chosen = tuple(dict.fromkeys(options["targets"]))
    watch = choose_watch(options)

    def tell(sentence: str) -> None:
        caution([sentence], LOUD)

    def load() -> Plan:
        known = {"node": options["node"], "release": options["codebase"], "watch": watch}
        made = load_plan(options["registry"], directory, options["site"], tell=tell, **known)
        refuse_front(chosen, made)
        refuse_development(made)
        told = [*cautions(made, [emitter.name for emitter in chosen]), *production_cautions(made)]
        caution(told, options["verbosity"])
        return made

    return ApplyRequest(
        emitters=chosen,
        directory=directory,
        load=load,
        sites=frozenset(options["site"]),
        force=options["force"],
        allow_mass_delete=options["allow_mass_delete"],
        watch=watch,
        fingerprint=fingerprint(options),
        **more,
    )


def fingerprint(options: dict[str, Any]) -> str:
    """Return what is the same for two runs that do the same, whatever their sites. No secret can be read from it."""
    told = {name: str(value) for name, value in options.items() if name not in LEFT_OUT}
    told["targets"] = " ".join(emitter.name for emitter in options["targets"])
    variables = {name: value for name, value in os.environ.items() if name.startswith(REGISTRY_PREFIX)}
    place = [os.getcwd(), os.geteuid(), os.environ.get("PATH", ""), registry_of(options["registry"]).url]
    # What a process has read at its start, and does not read again for another run.
    place += [repr(own_codebase()), own_version()]
    return hashlib.sha256(json.dumps([told, variables, place], sort_keys=True).encode()).hexdigest()


def change_lines(changes: Iterable[Change], prefix: str) -> Iterable[str]:
    """Yield a line for each file and what becomes of it."""
    for change in changes:
        words = f"{prefix} {change.word}".strip()
        yield f"{words[0].upper()}{words[1:]}: {change.path}"


def sort_changes(changes: Iterable[Change]) -> dict[str, list[str]]:
    """Return the paths, below the folder, of the files that are written and of those that are removed."""
    found: dict[str, list[str]] = {"changed": [], "removed": []}
    for change in changes:
        found["changed" if change.new else "removed"].append(str(change.path))
    return found


def list_targets() -> list[dict[str, str]]:
    """Return the name and the summary of each target, those of other packages too."""
    return [{"name": name, "summary": emitter.summary} for name, emitter in emitters().items()]


def target_lines(targets: Iterable[Mapping[str, str]]) -> str:
    """Return a line for each target, the summaries in a column."""
    found = list(targets)
    width = max(len(target["name"]) for target in found)
    return "\n".join(f"{target['name']:<{width}}  {target['summary']}" for target in found)
