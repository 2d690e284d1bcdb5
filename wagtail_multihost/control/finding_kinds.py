"""What a finding is: of what it may be, which kinds there are, how bad one is, and what repairs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

SITE, NODE, GROUP, FLEET = "site", "node", "group", "fleet"
CRITICAL, WARNING, NOTICE = "critical", "warning", "notice"
SEVERITIES = (CRITICAL, WARNING, NOTICE)
#: Kinds, as programs know them.
NOT_APPLIED, REFUSED, NO_REPLICA, ONE_REPLICA, FEWER_REPLICAS, UNPLACED = (
    "not_applied",
    "refused",
    "no_replica",
    "one_replica",
    "fewer_replicas",
    "unplaced",
)
SILENT, DRIFT, WENT_BACK, NO_BELL, DUPLICATE = "silent", "drift", "went_back", "no_bell", "duplicate"
SERVERS_SILENT, STILL_SERVED, OLD_FILES, ACCOUNTS = "servers_silent", "still_served", "old_files", "accounts"
UNCONFIRMED, FAILING, DISK_FULL, EMPTY_GROUP = "unconfirmed", "failing", "disk", "empty_group"
WAVE_STOPPED, PLAN_HAS_STOPPED, HOLD_RUNS = "wave_stopped", "plan_stopped", "hold"
KINDS = (
    *(NOT_APPLIED, REFUSED, NO_REPLICA, ONE_REPLICA, FEWER_REPLICAS, UNPLACED),
    *(SILENT, DRIFT, WENT_BACK, NO_BELL, DUPLICATE, UNCONFIRMED, FAILING, DISK_FULL, EMPTY_GROUP),
    *(SERVERS_SILENT, STILL_SERVED, OLD_FILES, ACCOUNTS),
    *(WAVE_STOPPED, PLAN_HAS_STOPPED, HOLD_RUNS),
)


@dataclass(frozen=True)
class Repair:
    """What repairs it: a ``command`` to run, or a ``job`` of a kind to ask for, with its parameters; or neither."""

    command: str = ""
    job: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Finding:
    """
    Something that is not as it should be: the ``kind``, how bad it is, a sentence as the ``reason``, ``since`` when (if
    it is known), and what repairs it. ``subject`` says of what it is, ``name`` of which one; ``uid`` is that of a site,
    ``node`` where it was seen. ``seen_at`` is when that was heard, and ``revision`` what that node had applied then.
    """

    subject: str
    name: str
    kind: str
    severity: str
    reason: str
    since: datetime | None = None
    repair: Repair = Repair()
    uid: UUID | None = None
    node: str = ""
    seen_at: datetime | None = None
    revision: int | None = None

    @property
    def rank(self) -> tuple[int, str, str, str, str]:
        """The worst first, then by what it is of."""
        return (SEVERITIES.index(self.severity), self.subject, self.name, self.kind, self.node)
