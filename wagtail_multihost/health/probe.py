"""What probes have in common."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any, ClassVar, NamedTuple

from wagtail_multihost.health.status import Criticality, Status

#: The codes that the sampler gives to any probe.
CODES: Mapping[str, str] = {
    "ok": "It is as it should be.",
    "error": "The probe raised an exception; the process's log has it.",
    "stuck": "The probe has not ended within its timeout. It is not started again before it has.",
}
#: What is accepted for options of these types. True is a whole number to Python, and to nobody else.
TYPES: Mapping[str, tuple[type | tuple[type, ...], str]] = {
    "bool": (bool, "True or False"),
    "int": (int, "a whole number"),
    "float": ((int, float), "a number"),
    "str": (str, "text"),
}


class Outcome(NamedTuple):
    """
    One thing that a probe has found: its ``status``, a ``code`` that may be published, and what was
    observed, in a ``unit`` (``seconds``, ``bytes``, ``percent``, ``days``, …). ``subject`` is the thing, where a probe
    looks at several (a hostname, a file's name, an alias); blank otherwise. None of them ever has an
    exception's text, a password or an address of a server.
    """

    status: Status
    code: str = "ok"
    value: float | None = None
    unit: str = ""
    subject: str = ""


@dataclass(frozen=True, kw_only=True)
class Probe(ABC):
    """
    A question to something that a process needs. Subclasses are frozen dataclasses whose fields are their options;
    ``measure`` may block and raise: the sampler runs it in a thread of its own, and holds it to ``timeout``.

    ``criticality`` is ``critical``, ``degraded`` or ``informative``. ``timeout`` is in seconds. ``interval`` and
    ``retry`` are the seconds until the next run after a pass and after anything else; 0 takes the endpoint's.
    """

    #: The codes of the probe's own outcomes, and what each means: the reference is made of them.
    codes: ClassVar[Mapping[str, str]] = {}
    #: Whether the probe looks at the machine or container, and not at the site.
    is_shared: ClassVar[bool] = False
    #: What the thing is: https://datatracker.ietf.org/doc/html/draft-inadarei-api-health-check-06#section-4.2
    component: ClassVar[str] = "component"

    criticality: Criticality = field(default=Criticality.CRITICAL, metadata={"meaning": "What a failure means."})
    timeout: float = field(default=2, metadata={"meaning": "How long, in seconds, a run may take."})
    interval: float = field(default=0, metadata={"meaning": "Seconds between runs that pass; 0: `INTERVAL`."})
    retry: float = field(default=0, metadata={"meaning": "Seconds until the next run after any other; 0: `RETRY`."})

    @abstractmethod
    def measure(self) -> Iterator[Outcome]:
        """Yield what is found, one outcome or more; none at all counts as a failure."""

    def __post_init__(self) -> None:
        """Raise ValueError, with a sentence, for options that are not accepted."""
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


def check_type(declared: Field[Any], value: object) -> None:
    """Raise ValueError for what an option of one of :data:`TYPES` cannot be; other types are the probe's to check."""
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
