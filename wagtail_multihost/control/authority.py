"""Who makes a change, and what they may do: registration asks nobody else."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from uuid import UUID

from wagtail_multihost.control.models import ACTIONS, ADMIN, OPERATE, VIEW, Grant

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser, AnonymousUser

PERMISSION = "multihost_control.operate_platform"


@dataclass(frozen=True)
class Authority:
    """
    Someone who acts: the ``actor`` as events and the audit log name them (``user:17``, ``token:3``,
    ``operator:root``), the key of the ``user`` if there is one, whether they are an operator of the platform, and the
    highest action that they may do by the uid of a site. ``limit`` caps all of it; ``only`` are the sites that it is
    confined to, None for no such bound.
    """

    actor: str
    user: int | None = None
    is_operator: bool = False
    actions: Mapping[UUID, str] = field(default_factory=dict)
    limit: str = ADMIN
    only: frozenset[UUID] | None = None

    def may(self, action: str, site: UUID) -> bool:
        """Return whether ``action`` on the site with the uid ``site`` is allowed."""
        if not includes(self.limit, action) or (self.only is not None and site not in self.only):
            return False
        return self.is_operator or (site in self.actions and includes(self.actions[site], action))

    @property
    def may_operate(self) -> bool:
        """Whether the platform, and keys of sites that only its operators may change, can be changed."""
        return self.is_operator and includes(self.limit, OPERATE) and self.only is None

    @property
    def sees_all(self) -> bool:
        """Whether every site may be seen."""
        return self.is_operator and self.only is None

    def may_operate_on(self, site: UUID) -> bool:
        """Return whether the operators' keys of one site can be changed."""
        return self.is_operator and self.may(OPERATE, site)

    def narrowed(self, limit: str, only: Collection[UUID] | None) -> Authority:
        """Return what is left of it under a scope."""
        lower = limit if includes(self.limit, limit) else self.limit
        if only is None:
            return replace(self, limit=lower)
        return replace(self, limit=lower, only=frozenset(only) if self.only is None else self.only & frozenset(only))

    @property
    def visible(self) -> frozenset[UUID] | None:
        """The uids of the sites that may be seen; None for all."""
        if self.is_operator:
            return self.only
        return frozenset(site for site in self.actions if self.may(VIEW, site))


NOBODY = Authority("nobody")


def includes(action: str, other: str) -> bool:
    """Return whether who may do ``action`` may do ``other`` too."""
    return ACTIONS.index(action) >= ACTIONS.index(other)


def authority_of(user: AbstractUser | AnonymousUser) -> Authority:
    """Return what a user may do. Someone who is not active, or not logged in, may do nothing."""
    if not user.is_active or user.pk is None:
        return NOBODY
    actor = f"user:{user.pk}"
    if user.has_perm(PERMISSION):
        return Authority(actor, user.pk, is_operator=True)
    actions: dict[UUID, str] = {}
    for uid, action in Grant.objects.filter(group__user=user.pk).values_list("site_id", "action"):
        if uid not in actions or includes(action, actions[uid]):
            actions[uid] = action
    return Authority(actor, user.pk, actions=actions)


def operator_authority(name: str) -> Authority:
    """Return the authority of someone who runs a command on the machine, whose account has the ``name``."""
    return Authority(f"operator:{name}", is_operator=True)
