"""
Tokens of Wagtail's API with a bound: what they may do, with which sites, and until when. Wagtail's own have none, and
are their user (https://docs.wagtail.org/en/stable/advanced_topics/api/v3/index.html); here such a one may do nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from wagtail.models import APIToken

from wagtail_multihost.control.audit import TOKEN_CREATED, TOKEN_REVOKED, log_change
from wagtail_multihost.control.authority import NOBODY, Authority, authority_of
from wagtail_multihost.control.models import CHANGE, OPERATE, VIEW, ManagedSite, TokenScope
from wagtail_multihost.exceptions import ConfigurationError

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser

#: What each action of a scope lets a token do at most.
LIMITS = {TokenScope.READ: VIEW, CHANGE: CHANGE, OPERATE: OPERATE}
LONGEST = timedelta(days=365)
#: So many tokens that work a person may have.
MOST = 50
TOO_LONG = "A token ends in the future, and after a year at the latest."
TOO_MANY = f"You have {MOST} tokens. Revoke one first."
NO_SITES = "State at least one of your sites, or all of them."


class NewToken(NamedTuple):
    """A token and its secret, which is nowhere afterwards."""

    token: APIToken
    secret: str


def create_token(
    user: AbstractUser, name: str, action: str, sites: Collection[ManagedSite] | None, expires_at: datetime
) -> NewToken:
    """
    Return a new token that may do ``action`` with ``sites`` (None: with all that its user ever may) until
    ``expires_at``, never more than its user. Raises ConfigurationError.
    """
    authority = authority_of(user)
    if problem := problem_of(authority, action, sites, expires_at):
        raise ConfigurationError.because(problem)
    with transaction.atomic():
        if working_tokens(user).count() >= MOST:
            raise ConfigurationError.because(TOO_MANY)
        token, secret = APIToken.create_token(user=user, name=name)
        scope = TokenScope.objects.create(token=token, action=action, all_sites=sites is None, expires_at=expires_at)
        scope.sites.set(sites or ())
        uids = sorted(str(site.uid) for site in sites or ())
        log_change(authority, token, TOKEN_CREATED, may=action, sites=uids or "all", expires_at=expires_at.isoformat())
    return NewToken(token, secret)


def problem_of(authority: Authority, action: str, sites: Collection[ManagedSite] | None, expires_at: datetime) -> str:
    """Return why there can be no such token; blank if there can."""
    if action not in LIMITS:
        return f"There is no such scope. Accepted: {', '.join(LIMITS)}."
    now = timezone.now()
    if not now < expires_at <= now + LONGEST:
        return TOO_LONG
    if sites is not None and (not sites or not all(authority.may(VIEW, site.uid) for site in sites)):
        return NO_SITES
    return ""


def tokens_of(user: AbstractUser) -> QuerySet[TokenScope]:
    """Return the scopes of a person's own tokens, with the tokens; those that were revoked are left out."""
    found = TokenScope.objects.filter(token__user=user.pk, token__revoked_at=None)
    return found.select_related("token").prefetch_related("sites").order_by("-token__created")


def working_tokens(user: AbstractUser) -> QuerySet[TokenScope]:
    return tokens_of(user).filter(expires_at__gt=timezone.now())


def revoke_token(user: AbstractUser, token: APIToken) -> bool:
    """End a person's own token; return whether it was one that was not ended."""
    if token.user_id != user.pk or token.revoked_at is not None:
        return False
    with transaction.atomic():
        token.revoke()
        log_change(authority_of(user), token, TOKEN_REVOKED)
    return True


def authority_of_token(token: APIToken) -> Authority:
    """
    Return what a token may do: what its user may, within its scope. One that was revoked, that has ended, or that has
    no scope may do nothing.
    """
    scope = TokenScope.objects.filter(token=token.pk).first()
    if scope is None or token.revoked_at is not None or scope.expires_at <= timezone.now():
        return NOBODY
    authority = authority_of(token.user)
    if authority.user is None:
        return NOBODY
    only = None if scope.all_sites else scope.sites.values_list("uid", flat=True)
    limit = LIMITS.get(scope.action, "")
    if not limit:
        return NOBODY
    return replace(authority, actor=f"token:{token.pk}").narrowed(limit, None if only is None else list(only))
