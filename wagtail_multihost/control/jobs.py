"""
Asking other processes to do something: rows that runners take. They are no part of the registry, so they have no
revision; they are in the audit log.

A runner believes a row no more than it must: it checks the kind and the parameters again, and the database gives a node
the jobs of its own sites alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID, uuid4

from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from wagtail_multihost.control.audit import JOB_CANCELLED, JOB_WANTED, log_change
from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.bells import ring
from wagtail_multihost.control.changes import NotAllowedError, UnknownSiteError
from wagtail_multihost.control.database_time import database_time
from wagtail_multihost.control.drafts import NO_SITE
from wagtail_multihost.control.models import ADMIN, VIEW, Job, ManagedSite, Node
from wagtail_multihost.control.proofs import refuse_soon, start_proof
from wagtail_multihost.control.texts import refuse_text
from wagtail_multihost.exceptions import ConfigurationError, MultihostError
from wagtail_multihost.nodeapi.job_kinds import KINDS, JobKind, check_job
from wagtail_multihost.nodeapi.jobs_v1 import (
    CANCELLED,
    END_LATE,
    NODE,
    TAKEN,
    VERIFY_HOSTNAME,
    WAITING,
)
from wagtail_multihost.nodeapi.node_states import ALL, AWAY, PLACED
from wagtail_multihost.spec.identifiers import shown

OPEN = (WAITING, TAKEN)
#: So many wishes of one person for one site an hour, and so many jobs of one site that are not done.
MOST_AN_HOUR, MOST_OPEN = 60, 200
DAYS = 30
NOT_ALLOWED = "Only who may {right} the site can ask for this."
NEEDS_OPERATOR = "Only an operator of the platform can ask for this."
NO_NODE = "No node has the site, so there is nobody to do it."
NOT_ON_NODE = "The node {node} does not have the site."
NOT_OF_NODES = "It is not done by nodes: state none."
ANY_NODE = "It is done once, by whichever node takes it first: state none."
TOO_MANY = f"You have asked for {MOST_AN_HOUR} jobs of this site within an hour, which is the most. Wait a little."
TOO_MANY_OPEN = f"{MOST_OPEN} jobs of this site are not done yet, which is the most. Wait for them, or cancel some."
WAITS = "A job of the kind {kind} with other parameters waits already. Cancel it, or wait for it."
ENDED = "It has ended already."
NO_JOB = "There is no such job, or none that you may see."
PRUNE_NOT_ALLOWED = "Only an operator of the platform can delete jobs."
AT_LEAST = "The number of days {days} is not accepted: it must be 1 or more."


class RefusedJobError(MultihostError):
    """What is asked for cannot be done now, although it could be at another time."""


class UnknownJobError(MultihostError):
    """There is no such job among those that may be seen."""


class Wanted(NamedTuple):
    """What came of a wish: all ``jobs`` that carry it out, and whether some of them are new."""

    jobs: tuple[Job, ...]
    is_new: bool


def want_job(
    authority: Authority,
    kind: str,
    site: ManagedSite,
    parameters: Mapping[str, object],
    node: str | None = None,
    *,
    reason: str = "",
) -> Wanted:
    """
    Ask for something to be done for ``site``: on the ``node``, or without one on each that has the site, if it is of a
    kind that is done there. What waits already with the same parameters is not asked for twice.

    Raises ConfigurationError with all problems, NotAllowedError, UnknownSiteError and RefusedJobError.
    """
    if site.retired_at is not None or not authority.may(VIEW, site.uid):
        raise UnknownSiteError(NO_SITE)
    refuse_text(reason, "reason")
    found = check_job(kind, parameters)
    known = KINDS[kind]
    refuse_right(authority, known, site)
    with transaction.atomic():
        # One after the other, so that together they are not more than the most.
        ManagedSite.objects.select_for_update().get(uid=site.uid)
        end_late_jobs()
        nodes = nodes_of(known, site, node)
        waiting = {job.node_id: job for job in Job.objects.filter(kind=kind, site=site, state=WAITING)}
        refuse_many(authority, known, site, [job for one, job in waiting.items() if one in nodes], found)
        if kind == VERIFY_HOSTNAME and None not in waiting:
            ask_for_proof(authority, site, found["hostname"])
        new = make_jobs(authority, known, site, [one for one in nodes if one not in waiting], found)
        if new:
            log_change(authority, site, JOB_WANTED, kind=kind, parameters=found, node=node, reason=reason)
            ring()
    return Wanted((*(waiting[one] for one in nodes if one in waiting), *new), bool(new))


def refuse_right(authority: Authority, kind: JobKind, site: ManagedSite) -> None:
    if not may_want(authority, kind, site.uid):
        right = "administer" if kind.right == ADMIN else kind.right
        message = NEEDS_OPERATOR if kind.for_operators else NOT_ALLOWED.format(right=right)
        raise NotAllowedError.because(message, where="kind", site=site.identifier)


def may_want(authority: Authority, kind: JobKind, site: UUID) -> bool:
    """
    Return whether a job of this kind can be asked for, and what it found be read: by who has the right over the site,
    and by operators of the whole platform, whose tokens administer no site.
    """
    return authority.may_operate or (not kind.for_operators and authority.may(kind.right, site))


def nodes_of(kind: JobKind, site: ManagedSite, node: str | None) -> list[str | None]:
    """Return the nodes that a job is for; None stands for whoever takes it first."""
    if kind.runner != NODE:
        if node is not None:
            raise ConfigurationError.because(NOT_OF_NODES, where="node", site=site.identifier)
        return [None]
    having = [*nodes_that_have(site).values_list("pk", flat=True)]
    if not having:
        raise RefusedJobError(NO_NODE)
    if not kind.on_each:
        if node is not None:
            raise ConfigurationError.because(ANY_NODE, where="node", site=site.identifier)
        return [None]
    if node is None:
        return [*having]
    if node not in having:
        raise ConfigurationError.because(NOT_ON_NODE.format(node=shown(node)), where="node", site=site.identifier)
    return [node]


def nodes_that_have(site: ManagedSite) -> QuerySet[Node]:
    """Return the nodes that serve a site, or are about to."""
    placed = Q(group__holds=PLACED, placements__site=site, placements__is_gone=False)
    return Node.objects.filter(Q(group__holds=ALL) | placed).exclude(state=AWAY).distinct().order_by("pk")


def refuse_many(
    authority: Authority, kind: JobKind, site: ManagedSite, waiting: list[Job], parameters: Mapping[str, str]
) -> None:
    if any(job.parameters != parameters for job in waiting):
        raise RefusedJobError(WAITS.format(kind=kind.name))
    own = Job.objects.filter(site=site, actor=authority.actor, wanted_at__gt=timezone.now() - timedelta(hours=1))
    if own.values("request").distinct().count() >= MOST_AN_HOUR:
        raise RefusedJobError(TOO_MANY)
    if Job.objects.filter(site=site, state__in=OPEN).count() >= MOST_OPEN:
        raise RefusedJobError(TOO_MANY_OPEN)


def ask_for_proof(authority: Authority, site: ManagedSite, hostname: str) -> None:
    """Make the challenge that the courier looks for, if there is none. Raises as ``want_job`` does."""
    try:
        refuse_soon(start_proof(site, hostname, authority.user))
    except ValueError as error:
        raise ConfigurationError.because(str(error), where="hostname", site=site.identifier) from None
    except MultihostError as error:
        raise RefusedJobError(str(error)) from None


def make_jobs(
    authority: Authority, kind: JobKind, site: ManagedSite, nodes: list[str | None], parameters: Mapping[str, str]
) -> list[Job]:
    request, now = uuid4(), database_time()
    return Job.objects.bulk_create(
        Job(
            kind=kind.name,
            runner=kind.runner,
            site=site,
            node_id=node,
            parameters=dict(parameters),
            actor=authority.actor,
            user_id=authority.user,
            request=request,
            wanted_at=now,
            deadline=now + timedelta(seconds=kind.seconds),
        )
        for node in nodes
    )


def end_late_jobs() -> None:
    """End what nobody can do any more: a node that is gone takes no job, and so ends none."""
    with connection.cursor() as cursor:
        cursor.execute(END_LATE)


def cancel_job(authority: Authority, job: Job) -> Job:
    """
    End a job that has not ended; one that is being done is stopped where that is possible, as soon as its runner asks.
    Raises UnknownJobError, NotAllowedError, and RefusedJobError for one that has ended.
    """
    site = job.site
    if site is None or job.kind not in KINDS:
        if not authority.may_operate:
            raise UnknownJobError(NO_JOB)
    else:
        if not authority.may(VIEW, site.uid):
            raise UnknownJobError(NO_JOB)
        refuse_right(authority, KINDS[job.kind], site)
    with transaction.atomic():
        changed = Job.objects.filter(pk=job.pk, state__in=OPEN).update(
            state=CANCELLED, lease=None, lease_until=None, ended_at=database_time()
        )
        if not changed:
            raise RefusedJobError(ENDED)
        log_change(authority, site or job, JOB_CANCELLED, kind=job.kind, parameters=job.parameters)
    job.refresh_from_db()
    return job


def visible_jobs(authority: Authority) -> QuerySet[Job]:
    """
    Return the jobs of the sites that may be seen, the latest first, with their sites; those of no site for who
    operates the platform.
    """
    jobs = Job.objects.select_related("site").order_by("-wanted_at", "-id")
    return jobs if authority.visible is None else jobs.filter(site__in=authority.visible)


def get_job(authority: Authority, identifier: UUID) -> Job:
    """Return a job that may be seen; raises UnknownJobError."""
    found = visible_jobs(authority).filter(pk=identifier).first()
    if found is None:
        raise UnknownJobError(NO_JOB)
    return found


def may_read_result(authority: Authority, job: Job) -> bool:
    """Return whether the parameters and the log of a job may be seen: by those who could have asked for it."""
    if job.site_id is None or job.kind not in KINDS:
        return authority.may_operate
    return may_want(authority, KINDS[job.kind], job.site_id)


def prune_jobs(authority: Authority, days: int = DAYS) -> int:
    """Delete the jobs that ended more than so many days ago; return how many. The audit log stays."""
    if not authority.may_operate:
        raise ConfigurationError.because(PRUNE_NOT_ALLOWED)
    if days < 1:
        raise ConfigurationError.because(AT_LEAST.format(days=days), where="--days")
    end_late_jobs()
    return Job.objects.filter(ended_at__lt=timezone.now() - timedelta(days=days)).delete()[0]
