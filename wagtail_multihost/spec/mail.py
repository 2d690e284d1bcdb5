"""How a site sends mail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias, get_args

from wagtail_multihost.exceptions import Problem
from wagtail_multihost.spec.frozen import Frozen, frozen
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.secret import Secret
from wagtail_multihost.spec.validation import parse_port, parse_printable, parse_server_host, problem_of, refuse

MailBackend: TypeAlias = Literal["smtp", "console"]
MailSecurity: TypeAlias = Literal["starttls", "tls", "none"]
MAIL_BACKENDS: tuple[MailBackend, ...] = get_args(MailBackend)
MAIL_SECURITIES: tuple[MailSecurity, ...] = get_args(MailSecurity)
MOST_SECONDS = 300


@frozen
class MailSpec(Frozen):
    """
    A mail server: ``console`` (mail is printed, no fields) or ``smtp`` with ``host``, ``port``, ``username`` and
    ``password`` (both or neither), ``security`` (``starttls``, ``tls`` from the start, or ``none``) and
    ``timeout`` in seconds.
    """

    backend: MailBackend = "smtp"
    host: str = ""
    port: int = 587
    username: str = ""
    password: Secret | None = None
    security: MailSecurity = "starttls"
    timeout: int = 10

    def __post_init__(self) -> None:
        refuse(mail_problems(self))


def mail_problems(mail: MailSpec) -> Iterator[Problem]:
    if mail.backend not in MAIL_BACKENDS:
        yield Problem("backend", f"The backend {shown(mail.backend)} is not known; accepted: smtp, console.")
        return
    if mail.backend == "console":
        for key in ("host", "username", "password"):
            if getattr(mail, key):
                yield Problem(key, "Mail to the console takes no other key.")
        return
    yield from problem_of("host", parse_server_host, mail.host)
    yield from problem_of("port", parse_port, mail.port)
    if mail.username:
        yield from problem_of("username", parse_printable, mail.username, what="The username")
    if bool(mail.username) != (mail.password is not None):
        missing = "password" if mail.username else "username"
        yield Problem(missing, "A username and a password belong together; give both or neither.")
    if mail.security not in MAIL_SECURITIES:
        yield Problem("security", f"{shown(mail.security)} is not accepted: it must be starttls, tls or none.")
    if not 1 <= mail.timeout <= MOST_SECONDS:
        yield Problem("timeout", f"The timeout {mail.timeout} is not accepted: it must be 1 to {MOST_SECONDS} seconds.")
