"""How a site sends mail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias, get_args

from wagtail_multihost.exceptions import Problem
from wagtail_multihost.spec.declared import declared_problems, key
from wagtail_multihost.spec.frozen import Frozen, frozen
from wagtail_multihost.spec.kinds import PORT, SECRET, USERNAME, Kind, choice, integer
from wagtail_multihost.spec.secret import Secret
from wagtail_multihost.spec.validation import parse_server_host, raise_problems

MailBackend: TypeAlias = Literal["smtp", "console"]
MailSecurity: TypeAlias = Literal["starttls", "tls", "none"]
MAIL_BACKENDS: tuple[MailBackend, ...] = get_args(MailBackend)
MAIL_SECURITIES: tuple[MailSecurity, ...] = get_args(MailSecurity)
MOST_SECONDS = 300
SMTP = ("smtp",)
MAIL_HOST = Kind("host or IP address", str, parse_server_host)


@frozen
class MailSpec(Frozen):
    """
    A mail server: ``console`` (mail is printed, no fields) or ``smtp`` with ``host``, ``port``, ``username`` and
    ``password`` (both or neither), ``security`` (``starttls``, ``tls`` from the start, or ``none``) and
    ``timeout`` in seconds.
    """

    backend: MailBackend = key(
        choice(*MAIL_BACKENDS, what="backend"), "A mail server, or mail is printed.", "smtp", selects=True
    )
    host: str = key(MAIL_HOST, "The server.", "", of=SMTP, required=True)
    port: int = key(PORT, "The server's port.", 587, of=SMTP)
    username: str = key(USERNAME, "The account, if the server asks for one.", "", of=SMTP)
    password: Secret | None = key(
        SECRET,
        "The account's password.",
        None,
        default_text="required with a username",
        of=SMTP,
        invalidates=(
            "Nothing that is stored. Mail cannot be sent while the server and the registry have different passwords.",
        ),
    )
    security: MailSecurity = key(
        choice(*MAIL_SECURITIES, what="security"),
        "How the connection is encrypted: after its start, from its start, or not.",
        "starttls",
        of=SMTP,
    )
    timeout: int | None = key(
        integer(1, MOST_SECONDS, what="timeout", unit="seconds"),
        "How long the server may take to connect, and to answer.",
        None,
        default_text="the project's, or 10",
        of=SMTP,
    )

    def __post_init__(self) -> None:
        raise_problems(mail_problems(self))


def mail_problems(mail: MailSpec) -> Iterator[Problem]:
    yield from declared_problems(mail)
    if mail.backend == "smtp" and bool(mail.username) != (mail.password is not None):
        missing = "password" if mail.username else "username"
        yield Problem(missing, "A username and a password belong together; give both or neither.")
