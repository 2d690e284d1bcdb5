"""The base of all probes, and their outcomes."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, ClassVar, NamedTuple

from wagtail_multihost.health.status import Criticality, Status
from wagtail_multihost.spec.type_words import STRING, WHOLE_NUMBER

#: The codes that the sampler gives to any probe.
CODES: Mapping[str, str] = {
    "ok": "Everything is as it should be.",
    "error": "The probe raised an exception, which is in the log of the process.",
    "stuck": "The probe did not end within its timeout. It is not started again until it has ended.",
}
#: The accepted values of options of these types. Only Python takes True for a whole number.
TYPES: Mapping[str, tuple[type | tuple[type, ...], str]] = {
    "bool": (bool, "True or False"),
    "int": (int, f"a {WHOLE_NUMBER}"),
    "float": ((int, float), "a number"),
    "str": (str, f"a {STRING}"),
}


class Outcome(NamedTuple):
    """
    One finding of a probe: its ``status``, a ``code`` that may be published, and the observed ``value`` in a ``unit``
    (``seconds``, ``bytes``, ``percent``, ``days``, …). ``subject`` is what it is about if the probe examines several
    things (a hostname, the name of a file, an alias), otherwise blank. None of them may contain the text of an
    exception, a password or the address of a server.
    """

    status: Status
    code: str = "ok"
    value: float | None = None
    unit: str = ""
    subject: str = ""


@dataclass(frozen=True, kw_only=True)
class Probe(ABC):
    """
    Examines something that a process needs. Subclasses are frozen dataclasses whose fields are their options.
    ``measure`` may block and raise: the sampler runs it in a separate thread, and counts it as stuck after ``timeout``.

    ``criticality`` is ``critical``, ``degraded`` or ``informative``. ``timeout`` is in seconds. ``interval`` and
    ``retry`` are the seconds until the next run after a pass and after anything else; 0 means the endpoint's.
    """

    #: The codes of the probe's own outcomes with their meanings, from which the reference is generated.
    codes: ClassVar[Mapping[str, str]] = {}
    #: Whether the probe examines the machine or container, and not the site.
    is_shared: ClassVar[bool] = False
    #: The kind of thing that it examines: https://datatracker.ietf.org/doc/html/draft-inadarei-api-health-check-06#section-4.2
    component: ClassVar[str] = "component"

    criticality: Criticality = field(default=Criticality.CRITICAL, metadata={"meaning": "What a failure means."})
    timeout: float = field(default=2, metadata={"meaning": "How long, in seconds, a run may take."})
    interval: float = field(default=0, metadata={"meaning": "Seconds between runs that pass; 0: `INTERVAL`."})
    retry: float = field(default=0, metadata={"meaning": "Seconds until the next run after any other; 0: `RETRY`."})

    @abstractmethod
    def measure(self) -> Iterator[Outcome]:
        """Yield one outcome or more; none counts as a failure."""

    def __post_init__(self) -> None:
        """Raise ValueError if an option is not accepted."""
        for declared in fields(self):
            check_type(declared, getattr(self, declared.name))
        if not isinstance(self.criticality, Criticality):
            words = ", ".join(word.value for word in Criticality)
            try:
                object.__setattr__(self, "criticality", Criticality(self.criticality))
            except ValueError:
                raise ValueError(f"The criticality {self.criticality!r} is not one of {words}.") from None
        if not 0 < self.timeout <= 300:
            raise ValueError(f"The timeout {self.timeout!r} is not accepted: it must be above 0, at most 300 seconds.")
        for name in ("interval", "retry"):
            if not 0 <= getattr(self, name) <= 86_400:
                raise ValueError(f"The {name} {getattr(self, name)!r} is not accepted: it must be 0 to 86400 seconds.")


def is_required(option: Field[Any]) -> bool:
    """Return whether a probe cannot do without an option."""
    has_none = option.default is MISSING and option.default_factory is MISSING
    return has_none or bool(option.metadata.get("required", False))


def check_type(declared: Field[Any], value: object) -> None:
    """Raise ValueError if the value of an option of one of :data:`TYPES` is wrong; probes check other types."""
    types, wanted = TYPES.get(getattr(declared.type, "__name__", str(declared.type)), (object, "finite"))
    is_endless = isinstance(value, float) and not math.isfinite(value)
    is_switch = isinstance(value, bool) and types not in (bool, object)
    if value is not declared.default and (is_endless or is_switch or not isinstance(value, types)):
        raise ValueError(f"The option {declared.name} is not accepted: it must be {wanted}.")


def passed(value: float | None = None, unit: str = "", *, subject: str = "", code: str = "ok") -> Outcome:
    return Outcome(Status.PASS, code, value, unit, subject)


def warned(code: str, value: float | None = None, unit: str = "", *, subject: str = "") -> Outcome:
    return Outcome(Status.WARN, code, value, unit, subject)


def failed(code: str, value: float | None = None, unit: str = "", *, subject: str = "") -> Outcome:
    return Outcome(Status.FAIL, code, value, unit, subject)
