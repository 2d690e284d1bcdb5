"""
The closed list of what jobs may do. Control shows and checks them by it, and each runner does again: no job states a
program, an argument of one, or a path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from wagtail_multihost.exceptions import ConfigurationError, Problem
from wagtail_multihost.nodeapi.jobs_v1 import COURIER, NODE, RUNNERS, VERIFY_HOSTNAME
from wagtail_multihost.spec.identifiers import parse_hostname, shown
from wagtail_multihost.spec.site import parse_mail_address

CHANGE, OPERATE, ADMIN = "change", "operate", "admin"
RELOAD_SITE, RESTART_SITE, REREAD_SITE = "reload-site", "restart-site", "reread-site"
CREATE_SUPERUSER, MEASURE_SITE = "create-superuser", "measure-site"
#: Of an address that SMTP takes (RFC 5321, 4.5.3.1.3).
EMAIL_LENGTH = 254
Parse = Callable[[str], str]


def parse_email(value: str) -> str:
    """Return the address of a mailbox; raises ValueError."""
    if len(value) > EMAIL_LENGTH:
        raise ValueError(f"The mail address is longer than {EMAIL_LENGTH} characters.")
    return parse_mail_address(value)


@dataclass(frozen=True)
class Parameter:
    """A parameter: its ``meaning``, and what parses its text or raises ValueError."""

    meaning: str
    parse: Parse


@dataclass(frozen=True)
class JobKind:
    """
    Something that a ``runner`` can be asked to do for a site by who has the ``right`` there (or, ``for_operators``, by
    operators of the platform), and how many ``seconds`` it may take from the wish on. On nodes it is done ``on_each``
    that has the site, or else on whichever of them takes it first.
    """

    name: str
    meaning: str
    runner: str
    right: str
    seconds: int
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    for_operators: bool = False
    on_each: bool = False


KINDS: Mapping[str, JobKind] = {
    kind.name: kind
    for kind in (
        JobKind(
            RELOAD_SITE,
            "Let the site's processes load its code and settings again.",
            NODE,
            OPERATE,
            600,
            on_each=True,
        ),
        JobKind(RESTART_SITE, "Stop the site's processes, and start them.", NODE, OPERATE, 600, on_each=True),
        JobKind(
            REREAD_SITE, "Read the site's record again, and write its files anew.", NODE, OPERATE, 600, on_each=True
        ),
        JobKind(
            VERIFY_HOSTNAME,
            "Look whether a hostname is proven.",
            COURIER,
            CHANGE,
            600,
            {"hostname": Parameter("The hostname.", parse_hostname)},
        ),
        JobKind(
            CREATE_SUPERUSER,
            "Make a superuser of the site, who gets a link to choose a password, once.",
            NODE,
            ADMIN,
            900,
            {"email": Parameter("The address that the link is sent to.", parse_email)},
        ),
        JobKind(
            MEASURE_SITE,
            "Measure the site's database and its files, for the usage of this month.",
            NODE,
            OPERATE,
            7200,
        ),
    )
}


def check_job(kind: str, parameters: Mapping[str, object]) -> dict[str, str]:
    """Return the parameters of a job as they are kept; raises ConfigurationError with all problems."""
    if kind not in KINDS:
        message = f"There is no kind of job {shown(kind)}; accepted: {', '.join(KINDS)}."
        raise ConfigurationError.because(message, where="kind")
    known = KINDS[kind].parameters
    problems = [Problem(name, f"The parameter {shown(name)} is not known.") for name in parameters if name not in known]
    found = {}
    for name, parameter in known.items():
        value = parameters.get(name)
        if not isinstance(value, str):
            problems.append(Problem(name, "It is missing." if value is None else "It must be a text."))
            continue
        try:
            found[name] = parameter.parse(value)
        except ValueError as error:
            problems.append(Problem(name, str(error)))
    if problems:
        raise ConfigurationError(problems)
    return found


def refuse_taken(runner: str, kind: str, site: str | None, parameters: object) -> dict[str, str]:
    """
    Return the parameters of a job that a ``runner`` has taken: whoever wrote the row is not believed. Raises
    ConfigurationError for one that is no job of this runner's.
    """
    found = check_job(kind, parameters if isinstance(parameters, dict) else {})
    if runner not in RUNNERS or KINDS[kind].runner != runner:
        raise ConfigurationError.because(f"A job of the kind {kind} is not done by the {runner}.", where="kind")
    if not site:
        raise ConfigurationError.because(f"A job of the kind {kind} is of a site, and this one of none.", where="site")
    return found
