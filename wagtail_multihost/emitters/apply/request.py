"""What an apply is to do, and what it did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from wagtail_multihost.emitters.emitter import Emitter
from wagtail_multihost.emitters.files import Plan
from wagtail_multihost.registry.watch import Watch, watch_nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyRequest:
    """
    A request to apply ``emitters`` to ``directory``. ``load`` reads the registry and returns the plan; it is called
    with the lock held, so that a run that waited for it sees the latest state. Waiting requests with the same
    ``fingerprint`` are carried out together, whatever their ``sites`` (none: all). ``reload`` is the hook's command,
    ``verify`` the URL to request afterwards. Times are in seconds.
    """

    emitters: tuple[Emitter, ...]
    directory: Path
    load: Callable[[], Plan]
    fingerprint: str = ""
    sites: frozenset[str] = frozenset()
    reload: tuple[str, ...] = ()
    reload_timeout: float = 60
    verify: str = ""
    verify_timeout: float = 10
    lock_timeout: float = 600
    force: bool = False
    allow_mass_delete: bool = False
    watch: Watch = watch_nothing

    @property
    def targets(self) -> tuple[str, ...]:
        """The names of the targets."""
        return tuple(emitter.name for emitter in self.emitters)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyResult:
    """
    What an apply did: the paths ``changed`` and ``removed``, whether the hook ``reloaded`` and the URL was
    ``verified``, the ``generation`` that is served (blank where no target shows one) and the ``seconds`` it took.
    ``together`` says that another run, which started after this one was requested, did the work.
    """

    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    reloaded: bool = False
    verified: bool = False
    generation: str = ""
    seconds: float = 0.0
    together: bool = False
