"""
Version 1 of jobs in PostgreSQL: how a runner takes one, says how it goes, and ends it.

A job is taken for the time of a lease. Whoever takes one gets a fence, a number that rises with each taking: a runner
that was thought dead cannot report on a job that another one has. All times are those of the database's clock.
"""

from __future__ import annotations

from wagtail_multihost.nodeapi.v1 import SCHEMA as NODE_SCHEMA

WAITING, TAKEN, ENDED, FAILED, CANCELLED = "waiting", "taken", "ended", "failed", "cancelled"
STATES = (WAITING, TAKEN, ENDED, FAILED, CANCELLED)
NODE, OPERATOR, COURIER = "node", "operator", "courier"
RUNNERS = (NODE, OPERATOR, COURIER)
HOLDER_LENGTH = 100
PROGRESS_LENGTH = 200
MOST_LOG_BYTES = 64_000
PROBLEM_LENGTH = 1500
#: A runner that is silent for longer has lost its job to another one.
LEASE_SECONDS = 60
#: A job that has lost so many runners has failed.
MOST_TAKINGS = 3
#: Schemas of the runners that are not nodes.
SCHEMAS = {OPERATOR: "operator_v1", COURIER: "courier_v1"}

ENDED_STATES = f"'{ENDED}', '{FAILED}', '{CANCELLED}'"


def functions(schema: str, runner: str, mine: str) -> str:
    """Return the functions of a kind of runner in a ``schema``; ``mine`` says of the row ``job`` whether it is its."""
    return f"""
CREATE FUNCTION {schema}.take_job(holder text)
    RETURNS TABLE (
        id uuid, lease uuid, fence bigint, kind text, site text, uid uuid, parameters jsonb, deadline timestamptz
    )
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        UPDATE public.control_job AS late SET state = '{FAILED}', ended_at = clock_timestamp(), lease = NULL,
            problem = CASE WHEN late.deadline <= clock_timestamp() THEN 'It was not done in time.'
                ELSE 'Whoever did it fell silent, {MOST_TAKINGS} times.' END
        FROM public.control_job AS job
        WHERE late.id = job.id AND job.runner = '{runner}' AND {mine} AND (
            (job.state = '{WAITING}' AND job.deadline <= clock_timestamp())
            OR (job.state = '{TAKEN}' AND job.lease_until <= clock_timestamp()
                AND (job.deadline <= clock_timestamp() OR job.fence >= {MOST_TAKINGS}))
        );
        WITH chosen AS (
            SELECT job.id AS chosen_id FROM public.control_job AS job
            WHERE job.runner = '{runner}' AND {mine} AND job.deadline > clock_timestamp() AND (
                job.state = '{WAITING}' OR (job.state = '{TAKEN}' AND job.lease_until <= clock_timestamp())
            )
            ORDER BY job.wanted_at LIMIT 1 FOR UPDATE OF job SKIP LOCKED
        )
        UPDATE public.control_job AS taken
        SET state = '{TAKEN}', lease = gen_random_uuid(), fence = taken.fence + 1,
            lease_until = clock_timestamp() + interval '{LEASE_SECONDS} seconds',
            holder = left(take_job.holder, {HOLDER_LENGTH})
        FROM chosen WHERE taken.id = chosen.chosen_id
        RETURNING taken.id, taken.lease, taken.fence, taken.kind::text,
            (SELECT found.id::text FROM public.control_site AS found WHERE found.uid = taken.site_id),
            taken.site_id, taken.parameters, taken.deadline;
    END;

CREATE FUNCTION {schema}.report_job(id uuid, lease uuid, state text, progress text, log text, problem text)
    RETURNS boolean
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        UPDATE public.control_job AS job
        SET state = report_job.state,
            progress = left(regexp_replace(coalesce(report_job.progress, job.progress), '[[:cntrl:]]', ' ', 'g'),
                {PROGRESS_LENGTH}),
            log = left(job.log || regexp_replace(coalesce(report_job.log, ''), '[^[:print:]\\n]', ' ', 'g'),
                {MOST_LOG_BYTES}),
            problem = left(regexp_replace(coalesce(report_job.problem, ''), '[[:cntrl:]]', ' ', 'g'), {PROBLEM_LENGTH}),
            lease = CASE WHEN report_job.state = '{TAKEN}' THEN job.lease END,
            lease_until = CASE WHEN report_job.state = '{TAKEN}'
                THEN clock_timestamp() + interval '{LEASE_SECONDS} seconds' END,
            ended_at = CASE WHEN report_job.state <> '{TAKEN}' THEN clock_timestamp() END
        WHERE job.id = report_job.id AND job.lease = report_job.lease AND job.state = '{TAKEN}'
            AND job.lease_until > clock_timestamp() AND report_job.state IN ('{TAKEN}', '{ENDED}', '{FAILED}')
            AND job.runner = '{runner}' AND {mine}
        RETURNING true;
    END;
REVOKE ALL ON FUNCTION {schema}.take_job, {schema}.report_job FROM PUBLIC;
"""  # noqa: S608  # constants


#: A node's are those of the sites that it has.
OF_NODE = f"""(job.node_id = (SELECT self.id FROM {NODE_SCHEMA}.self AS self) AND (
    job.site_id IS NULL OR job.site_id IN (SELECT placed.uid FROM {NODE_SCHEMA}.placed_site AS placed)))"""  # noqa: S608

CREATE = functions(NODE_SCHEMA, NODE, OF_NODE)
DROP = f"DROP FUNCTION {NODE_SCHEMA}.take_job, {NODE_SCHEMA}.report_job;"


def take_statement(schema: str) -> str:
    return f"SELECT * FROM {schema}.take_job(%s)"  # noqa: S608  # a constant


def report_statement(schema: str) -> str:
    return f"SELECT {schema}.report_job(%s, %s, %s, %s, %s, %s)"
