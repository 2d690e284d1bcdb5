"""Changes that registration can make, as values; and what came of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from wagtail_multihost.control.declared_keys import Table
from wagtail_multihost.control.differences import Difference
from wagtail_multihost.exceptions import ConfigurationError, MultihostError

#: So long a reason is kept with a change.
REASON_LENGTH = 500
#: Returns a record's next form; it must not change the one that it gets.
Edit = Callable[[Table], Mapping[str, Any]]


class NotAllowedError(ConfigurationError):
    """Who asks may not do this; the problems say which keys."""


class ClashError(ConfigurationError):
    """Another site has what was asked for; the problems say what."""


class NotNowError(ConfigurationError):
    """What is asked for could be done at another time; the problems say why not now."""


class WaveRunsError(NotNowError):
    """A change has to wait until a wave is done; the problems say why."""


class UnknownSiteError(MultihostError):
    """There is no such site, or none that may be seen."""


class StaleRecordError(MultihostError):
    """The record of the ``site`` (blank: of the platform) was changed since it was read."""

    #: What each change raises.
    number = "generation"

    def __init__(self, found: int, expected: int, site: str = "") -> None:
        self.site = site
        super().__init__(
            f"The record was changed since it was read: it has the {self.number} {found}, not {expected}. Read it "
            "again."
        )


class StaleNodeError(StaleRecordError):
    """A node, or a group of nodes, was made, changed or removed since it was looked for."""

    number = "revision"


class UnconfirmedError(MultihostError):
    """
    So many sites would stop at once that it must be confirmed; ``count`` is the number to state. How many are
    ``enabled`` is None where who asks may not know it.
    """

    def __init__(self, count: int, enabled: int | None) -> None:
        self.count = count
        all_of_them = "" if enabled is None else f" of {enabled}"
        super().__init__(f"This stops {count}{all_of_them} sites at once. State {count} to confirm it.")


@dataclass(frozen=True)
class CreateSite:
    """
    A new site. Only an import states a ``uid`` and ``names``, of a site that exists elsewhere; otherwise registration
    gives both.
    """

    identifier: str
    record: Table
    uid: UUID | None = None
    names: Table | None = None


@dataclass(frozen=True)
class RecordRetired:
    """
    A site that was removed elsewhere, before its registry was imported: nobody else gets its ``uid`` and its ``names``.
    """

    identifier: str
    uid: UUID
    names: Table


@dataclass(frozen=True)
class EditSite:
    """A new form of a site's record; refused if its generation is not the ``expected`` one, where that is stated."""

    uid: UUID
    edit: Edit
    expected: int | None = None


@dataclass(frozen=True)
class RetireSite:
    """The end of a site. Its id can be used again; its uid and its names cannot."""

    uid: UUID
    expected: int | None = None


@dataclass(frozen=True)
class EditPlatform:
    """A new form of the platform's record."""

    edit: Edit
    expected: int | None = None


Change = CreateSite | RecordRetired | EditSite | RetireSite | EditPlatform


@dataclass(frozen=True)
class Changed:
    """What changed of a site, or of the platform (``uid`` None), with the revision of the change."""

    type: str
    uid: UUID | None
    identifier: str
    generation: int
    revision: int
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class Outcome:
    """
    The ``revision`` that the registry has now, and what ``changed``: nothing if it was so before. After a ``dry_run``
    nothing was written, and the numbers are those that it would have had. ``wave`` is the wave in which it goes to the
    nodes; None if it goes to all at once.
    """

    revision: int
    changed: tuple[Changed, ...] = ()
    dry_run: bool = False
    wave: UUID | None = None
