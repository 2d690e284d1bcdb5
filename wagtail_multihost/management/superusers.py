"""
Making a superuser of a site, who chooses a password by a link that is good once: nobody ever knows a first password.
The site's other superusers are told before the link goes out.
"""

from __future__ import annotations

import smtplib
from typing import TYPE_CHECKING, Any, NamedTuple

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.core.mail import EmailMessage
from django.db import DEFAULT_DB_ALIAS, transaction
from django.template.loader import render_to_string
from django.urls import NoReverseMatch, reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from wagtail_multihost.exceptions import MultihostError
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.printing import one_line

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: Backends that bring no mail to anybody: the link would be in a terminal, a log or a file, or nowhere.
UNSENT = tuple(f"django.core.mail.backends.{name}." for name in ("console", "dummy", "filebased", "locmem"))
LINK_PAGE = "wagtailadmin_password_reset_confirm"
SUBJECT = "wagtailadmin/account/password_reset/email_subject.txt"
BODY = "wagtailadmin/account/password_reset/email.txt"
MOST_TOLD = 50
NO_MAIL = (
    "The site sends no mail: its backend is {backend}. State the site's mail server, or run the command on the machine "
    "with --print, which shows the link instead."
)
NO_RESET = (
    "The site has no page on which a password is chosen by a link: WAGTAIL_PASSWORD_RESET_ENABLED or "
    "WAGTAIL_PASSWORD_MANAGEMENT_ENABLED is False, or Wagtail's admin is not in its URLs."
)
NO_ADDRESS_FIELD = "The site's user model {model} has no field for a mail address. Use createsuperuser."
NOT_SENT = "The mail server did not take the mail ({reason}). Nothing was changed."
NO_SUPERUSER = (
    "There is an account with this address that is no active superuser. Make it one in the admin, or state another "
    "address."
)
SEVERAL = "There are several accounts with this address. State another one."
NEEDS_MORE = "The user model refuses an account with an address alone: {problems} Use createsuperuser."
TOLD_SUBJECT = "A superuser of {site}: {email}"
TOLD_BODY = (
    "Somebody who operates the site {site} has asked for a superuser with the mail address {email}.\n\n"
    "{what}\n\n"
    "If you did not expect this, ask whoever hosts the site.\n"
)
NEW, KNOWN = (
    "The account is new. A link by which its password is chosen, once, is sent there.",
    "The account was there already. A link by which its password is chosen anew, once, is sent there.",
)


class MadeSuperuser(NamedTuple):
    """The ``user``, whether it ``is_new``, the ``link``, how many were ``told``, and why others could not be."""

    user: User
    is_new: bool
    link: str
    told: int
    caution: str = ""


def make_superuser(site: str, email: str, *, prints: bool) -> MadeSuperuser:
    """
    Make a superuser with the address unless there is one, tell the others, and send the link; with ``prints`` it is not
    sent. Raises MultihostError, and then nothing was changed.
    """
    refuse_site(prints=prints)
    with transaction.atomic(using=DEFAULT_DB_ALIAS):
        user, is_new = find_or_make(email)
        link = link_of(user)
        told, caution = tell_others(site, email, user, is_new=is_new, is_needed=not prints)
        if not prints:
            send(link_mail(user, email))
    return MadeSuperuser(user, is_new, link, told, caution)


def refuse_site(*, prints: bool) -> None:
    """Raise MultihostError where a link could not be used, or not be sent."""
    manages = getattr(settings, "WAGTAIL_PASSWORD_MANAGEMENT_ENABLED", True)
    if not (apps.is_installed("wagtail.admin") and getattr(settings, "WAGTAIL_PASSWORD_RESET_ENABLED", manages)):
        raise MultihostError(NO_RESET)
    if not prints and not sends_mail():
        raise MultihostError(NO_MAIL.format(backend=shown(mail_backend())))


def mail_backend() -> str:
    mailers = getattr(settings, "MAILERS", None)
    if mailers:
        return str(mailers.get("default", {}).get("BACKEND", ""))
    return str(settings.EMAIL_BACKEND)


def sends_mail() -> bool:
    backend = mail_backend()
    return bool(backend) and not backend.startswith(UNSENT)


def find_or_make(email: str) -> tuple[User, bool]:
    """Return the superuser with an address, and whether it was made; raises MultihostError."""
    model: Any = get_user_model()
    name = model.get_email_field_name()
    try:
        model._meta.get_field(name)
    except FieldDoesNotExist:
        raise MultihostError(NO_ADDRESS_FIELD.format(model=model._meta.label)) from None
    found = [*model._default_manager.filter(**{f"{name}__iexact": email})[:2]]
    if len(found) > 1:
        raise MultihostError(SEVERAL)
    if found:
        [user] = found
        if not (user.is_superuser and user.is_active):
            raise MultihostError(NO_SUPERUSER)
        return user, False
    user = model(**{model.USERNAME_FIELD: email, name: email, "is_superuser": True, "is_active": True})
    if hasattr(model, "is_staff"):
        user.is_staff = True
    user.set_unusable_password()
    try:
        user.full_clean(exclude=["password"])
    except ValidationError as error:
        problems = " ".join(f"{field}: {' '.join(messages)}" for field, messages in error.message_dict.items())
        raise MultihostError(NEEDS_MORE.format(problems=one_line(problems))) from None
    user.save()
    return user, True


def link_of(user: User) -> str:
    """Return the address at which the user chooses a password; raises MultihostError."""
    try:
        path = reverse(LINK_PAGE, kwargs=token_of(user))
    except NoReverseMatch:
        raise MultihostError(NO_RESET) from None
    return f"{settings.WAGTAILADMIN_BASE_URL.rstrip('/')}{path}"


def token_of(user: User) -> dict[str, str]:
    key = force_bytes(type(user)._meta.pk.value_to_string(user))
    return {"uidb64": urlsafe_base64_encode(key), "token": default_token_generator.make_token(user)}


def link_mail(user: User, email: str) -> EmailMessage:
    """Return the mail that Wagtail sends to who has forgotten a password."""
    token = token_of(user)
    context = {"user": user, "uid": token["uidb64"], "token": token["token"], "email": email}
    subject = "".join(render_to_string(SUBJECT, context).splitlines())
    return EmailMessage(subject, render_to_string(BODY, context), None, [email])


def tell_others(site: str, email: str, user: User, *, is_new: bool, is_needed: bool) -> tuple[int, str]:
    """
    Tell the site's other superusers; return how many, and why that failed. Raises MultihostError if it ``is_needed``.
    """
    model: Any = get_user_model()
    name = model.get_email_field_name()
    others = model._default_manager.filter(is_superuser=True, is_active=True).exclude(pk=user.pk).exclude(**{name: ""})
    addresses = [*others.order_by("pk").values_list(name, flat=True)[:MOST_TOLD]]
    if not addresses:
        return 0, ""
    if not sends_mail():
        return 0, "The site sends no mail, so its other superusers were not told."
    body = TOLD_BODY.format(site=site, email=email, what=NEW if is_new else KNOWN)
    message = EmailMessage(TOLD_SUBJECT.format(site=site, email=email), body, None, [], bcc=addresses)
    try:
        send(message)
    except MultihostError as error:
        if is_needed:
            raise
        return 0, f"The site's other superusers were not told: {error}"
    return len(addresses), ""


def send(message: EmailMessage) -> None:
    try:
        message.send()
    except (OSError, smtplib.SMTPException) as error:
        # A server's words may repeat what was sent.
        raise MultihostError(NOT_SENT.format(reason=type(error).__name__)) from None
