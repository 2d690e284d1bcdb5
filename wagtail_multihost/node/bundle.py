"""
The bundle that a node starts from while the database is away. Anybody may have written where it is, so that it counts
only with the operator's signature, for this node or its group, and never with an older state than the known one.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.files.reading import Mark, mark_of, read_bounded
from wagtail_multihost.node.options import AgentOptions
from wagtail_multihost.node.reading import (
    IncompleteError,
    Known,
    Merged,
    refuse_deep_platform,
    refuse_foreign_ids,
    without_deep_values,
)
from wagtail_multihost.nodeapi.bundle import CONTEXT, MOST_BYTES, parse_content, split_bundle
from wagtail_multihost.nodeapi.bundles_v1 import GROUP, NODE
from wagtail_multihost.sealing import is_signed
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.printing import one_line
from wagtail_multihost.spec.time_lengths import DAY, HOUR, MINUTE

logger = logging.getLogger(__name__)

NOT_SIGNED = "It was not signed with the key that agent.bundle_key names, or was changed afterwards: it is not used."


class Bundle(NamedTuple):
    """What a bundle makes known, and when it was made."""

    known: Known
    made_at: datetime

    @property
    def age(self) -> str:
        """How old it is, in words."""
        seconds = max(0.0, (datetime.now(UTC) - self.made_at).total_seconds())
        for unit, length in (("d", DAY), ("h", HOUR), ("min", MINUTE)):
            if seconds >= length:
                return f"{int(seconds // length)} {unit}"
        return "less than a minute"


class BundleFile:
    """The bundle of a node; what was refused is said once."""

    def __init__(self, options: AgentOptions) -> None:
        self.options = options
        self.seen: Mark | None = None
        self.said = ""

    def read_newer(self, known: Known | None) -> Bundle | None:
        """
        Return the bundle if there is one, it may be used, and it is of a later state than the known one; a file that
        was looked at is not read again.
        """
        path = self.options.bundle
        if path is None:
            return None
        seen = mark_of(path)
        if seen is not None and seen == self.seen:
            return None
        self.seen = seen
        try:
            return read_bundle(path, self.options, known)
        except FileNotFoundError:
            self.say(f"{path}: There is no bundle.")
        except OSError as error:
            self.say(f"{path}: It cannot be read: {error.strerror}.")
        except ConfigurationError as error:
            self.say(str(error))
        return None

    def say(self, sentence: str) -> None:
        """Log why there is nothing to start from, if it is not what was logged last."""
        if sentence != self.said:
            self.said = sentence
            logger.warning("%s", one_line(sentence))


def read_bundle(path: Path, options: AgentOptions, known: Known | None) -> Bundle | None:
    """
    Return what the bundle at ``path`` says; None if that is known. Raises OSError, and ConfigurationError with a
    sentence for one that is not to be used.
    """
    content, signature = b"", b""
    try:
        content, signature = split_bundle(read_bounded(path, MOST_BYTES))
        is_right = is_signed(content, signature, options.bundle_key, CONTEXT)
    except ValueError:
        is_right = False
    if not is_right:
        raise ConfigurationError.because(NOT_SIGNED, where=str(path))
    try:
        found = parse_content(content)
        refuse_foreign_ids(found["sites"])
        refuse_deep_platform(found["platform"])
        made_at = datetime.fromisoformat(found["made_at"])
    except IncompleteError as error:
        raise ConfigurationError.because(str(error), where=str(path)) from None
    except (ValueError, RecursionError):
        raise ConfigurationError.because(
            "It was written by another version: it is not used.", where=str(path)
        ) from None
    if (found["kind"], found["owner"]) not in {(NODE, options.node), (GROUP, options.bundle_group)}:
        message = f"It is for the {found['kind']} {shown(found['owner'])}, and not for this node: it is not used."
        raise ConfigurationError.because(message, where=str(path))
    refuse_older(path, known, found["incarnation"], found["revision"])
    if known is not None and (known.incarnation, known.revision) == (found["incarnation"], found["revision"]):
        return None
    node = {**found["node"], "id": options.node}
    serials = [int(table["serial"] or 0) for table in found["sites"].values()] if found["kind"] == NODE else []
    return Bundle(
        Known(
            found["incarnation"],
            found["revision"],
            max(serials, default=0),
            node,
            found["platform"],
            without_deep_values(found["sites"]),
            tuple(found["holds"]),
        ),
        made_at,
    )


def merge_bundle(before: Known | None, known: Known) -> Merged:
    """Return what to apply of a bundle: what it does not have stays as it was, as nothing says that it is gone."""
    old = before.sites if before else {}
    sites = {**old, **known.sites}
    missing = tuple(sorted(old.keys() - known.sites.keys()))
    return Merged(known._replace(sites=sites, missing=missing), frozenset(sites), frozenset(), platform_changed=True)


def refuse_older(path: Path, known: Known | None, incarnation: str, revision: int) -> None:
    """Raise ConfigurationError for a state before the known one, or of another incarnation that is not above it."""
    if known is None:
        return
    is_other = incarnation != known.incarnation
    if revision < known.revision or (is_other and revision <= known.revision):
        message = f"Its revision is {revision}, but this node knows {known.revision}: it is not used."
        raise ConfigurationError.because(message, where=str(path))
