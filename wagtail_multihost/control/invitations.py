"""
Inviting people to a group by mail. Whoever invites is told the same whether or not the address has an account; who has
the link, and nobody else, decides about joining.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.core.mail import send_mail
from django.core.signing import BadSignature, Signer
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import QuerySet
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from wagtail_multihost.control.audit import INVITED, JOINED, WITHDRAWN, change_row, log_change
from wagtail_multihost.control.authority import Authority, authority_of
from wagtail_multihost.control.changes import NotAllowedError
from wagtail_multihost.control.models import Invitation
from wagtail_multihost.control.people import administered_groups, refuse_group
from wagtail_multihost.exceptions import ConfigurationError

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser

SALT = "multihost.invitation"
#: The name of the page that the link leads to.
INVITATION = "multihost_control_invitation"
VALID = timedelta(days=3)
DAY = timedelta(days=1)
#: So many invitations a day: of one person, to one address into one group, and to one address at all.
BY_PERSON, INTO_GROUP, TO_ADDRESS = 30, 3, 5
TOO_MANY = "So many invitations cannot be sent in a day. Try again tomorrow."
NO_ADDRESS = "It is no address of a mailbox."
NO_BASE = "State WAGTAILADMIN_BASE_URL in the settings: the link in the mail starts with it."
NOT_SENT = "The mail could not be sent. Nobody was invited."
NO_PERSON = "Only a person can invite."
ENDED = "This invitation is no longer valid. Ask for another one."
OTHER_ACCOUNT = "This invitation was sent to another address than that of your account."
HAS_ACCOUNT = "There is an account with this address already: sign in with it."


def invite(authority: Authority, group: Group, email: str) -> Invitation:
    """
    Send an invitation to join the group. One that was sent to the same address before counts no more. Raises
    NotAllowedError and ConfigurationError.
    """
    refuse_group(authority, group)
    if authority.user is None:
        raise NotAllowedError.because(NO_PERSON)
    email = checked_address(email)
    with transaction.atomic():
        # Whoever invites twice at once waits, so that both are counted.
        get_user_model()._default_manager.select_for_update().get(pk=authority.user)
        refuse_many(authority.user, group, email)
        open_invitations(group).filter(email__iexact=email).update(ended_at=timezone.now())
        invitation = Invitation.objects.create(
            group=group, email=email, invited_by_id=authority.user, expires_at=timezone.now() + VALID
        )
        log_change(authority, group, INVITED, email=email)
        send_invitation(invitation)
    return invitation


def checked_address(email: str) -> str:
    email = email.strip()
    try:
        validate_email(email)
    except ValidationError:
        raise ConfigurationError.because(NO_ADDRESS) from None
    return email


def refuse_many(user: int, group: Group, email: str) -> None:
    """Raise ConfigurationError if there were so many in the last day that one could bother people with them."""
    recent = Invitation.objects.filter(invited_at__gt=timezone.now() - DAY)
    here = recent.filter(email__iexact=email)
    if (
        recent.filter(invited_by=user).count() >= BY_PERSON
        or here.filter(group=group).count() >= INTO_GROUP
        or here.count() >= TO_ADDRESS
    ):
        raise ConfigurationError.because(TOO_MANY)


def send_invitation(invitation: Invitation) -> None:
    base = getattr(settings, "WAGTAILADMIN_BASE_URL", "")
    if not base:
        raise ConfigurationError.because(NO_BASE)
    context = {
        "group": invitation.group.name,
        # Not their full name, which everyone can set to any text.
        "inviter": invitation.invited_by.get_username(),
        "url": base.rstrip("/") + reverse(INVITATION, args=[signed(invitation)]),
        "expires_at": invitation.expires_at,
        "name": getattr(settings, "WAGTAIL_SITE_NAME", ""),
    }
    subject = " ".join(render_to_string("multihost_control/people/invitation_subject.txt", context).split())
    text = render_to_string("multihost_control/people/invitation.txt", context)
    try:
        send_mail(subject, text, None, [invitation.email])
    except OSError:
        raise ConfigurationError.because(NOT_SENT) from None


def withdraw(authority: Authority, invitation: Invitation) -> bool:
    """End an invitation; return whether it was open. Raises NotAllowedError."""
    refuse_group(authority, invitation.group)
    ended = open_invitations(invitation.group).filter(pk=invitation.pk).update(ended_at=timezone.now())
    if ended:
        log_change(authority, invitation.group, WITHDRAWN, email=invitation.email)
    return bool(ended)


def open_invitations(group: Group | None = None) -> QuerySet[Invitation]:
    """Return the invitations that nobody has taken up, and that still count."""
    found = Invitation.objects.filter(ended_at=None, expires_at__gt=timezone.now()).select_related("group")
    return found if group is None else found.filter(group=group)


def signed(invitation: Invitation) -> str:
    return Signer(salt=SALT).sign(invitation.pk.hex)


def find_invitation(text: str) -> Invitation | None:
    """
    Return the invitation whose link has ``text``; None unless it counts, and who sent it may still invite to the group.
    """
    try:
        pk = UUID(Signer(salt=SALT).unsign(text))
    except (BadSignature, ValueError):
        return None
    found = open_invitations().select_related("invited_by").filter(pk=pk).first()
    if found is None or not administered_groups(authority_of(found.invited_by)).filter(pk=found.group.pk).exists():
        return None
    return found


def accounts_with(email: str) -> QuerySet[Any]:
    """Return the accounts that have an address, whether or not they are active."""
    model = get_user_model()
    return model._default_manager.filter(**{f"{model.get_email_field_name()}__iexact": email})


def is_for(invitation: Invitation, user: AbstractUser) -> bool:
    """Return whether the invitation was sent to the address of the user's account."""
    return user.is_active and accounts_with(invitation.email).filter(pk=user.pk).exists()


def accept(text: str, user: AbstractUser) -> Group:
    """
    Let a user join the group of the invitation whose link has ``text``; it counts no more. Raises ConfigurationError.
    """
    with transaction.atomic():
        invitation = taken(text)
        if not is_for(invitation, user):
            raise ConfigurationError.because(OTHER_ACCOUNT)
        join(invitation, user)
    return invitation.group


def accept_as_new(text: str, user: AbstractUser) -> Group:
    """The same for someone who has no account: ``user`` is the new one, not saved yet."""
    with transaction.atomic():
        invitation = taken(text)
        if accounts_with(invitation.email).exists():
            raise ConfigurationError.because(HAS_ACCOUNT)
        setattr(user, get_user_model().get_email_field_name(), invitation.email)
        user.is_superuser = user.is_staff = False
        user.save()
        join(invitation, user)
    return invitation.group


def taken(text: str) -> Invitation:
    """Return the invitation, locked until the transaction ends: of two who take it up at once, one is late."""
    invitation = find_invitation(text)
    if (
        invitation is None
        or Invitation.objects.select_for_update().filter(pk=invitation.pk, ended_at=None).first() is None
    ):
        raise ConfigurationError.because(ENDED)
    return invitation


def join(invitation: Invitation, user: AbstractUser) -> None:
    user.groups.add(invitation.group)
    Invitation.objects.filter(pk=invitation.pk).update(ended_at=timezone.now(), joined=user.pk)
    row = change_row(user.get_username(), False, True)
    log_change(authority_of(user), invitation.group, JOINED, [row], invited_by=invitation.invited_by_id)
