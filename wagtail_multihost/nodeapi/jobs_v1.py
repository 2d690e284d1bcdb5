"""
Version 1 of jobs in PostgreSQL: how a runner takes one, says how it goes, and ends it.

A job is taken for the time of a lease. Whoever takes one gets a fence, a number that rises with each taking: a runner
that was thought dead cannot report on a job that another one has. All times are those of the database's clock.
"""

from __future__ import annotations

from wagtail_multihost.nodeapi.courier_v1 import LEASE_SECONDS as CHECK_SECONDS
from wagtail_multihost.nodeapi.courier_v1 import WORKER_LENGTH
from wagtail_multihost.nodeapi.v1 import SCHEMA as NODE_SCHEMA

WAITING, TAKEN, ENDED, FAILED, CANCELLED = "waiting", "taken", "ended", "failed", "cancelled"
STATES = (WAITING, TAKEN, ENDED, FAILED, CANCELLED)
NODE, OPERATOR, COURIER = "node", "operator", "courier"
RUNNERS = (NODE, OPERATOR, COURIER)
HOLDER_LENGTH = 100
PROGRESS_LENGTH = 200
MOST_LOG_BYTES = 64_000
PROBLEM_LENGTH = 1500
#: What a runner may report: that it goes on, how the job ended, or that it gives the job back.
REPORTED = f"'{TAKEN}', '{ENDED}', '{FAILED}', '{WAITING}'"
#: A runner that is silent for longer has lost its job to another one.
LEASE_SECONDS = 60
#: So long after its deadline the end of a job can still be reported.
REPORT_SECONDS = 30
#: A job that has lost so many runners has failed.
MOST_TAKINGS = 3
#: NOTIFY rings on it when a job is wanted. The bell says nothing: whoever hears it asks for a job.
CHANNEL = "multihost_jobs"
VERIFY_HOSTNAME = "verify-hostname"
#: Schemas of the runners that are not nodes.
SCHEMAS = {OPERATOR: "operator_v1", COURIER: "courier_v1"}
LATE = f"""
    (job.state = '{WAITING}' AND job.deadline <= clock_timestamp())
    OR (job.state = '{TAKEN}' AND job.lease_until <= clock_timestamp()
        AND (job.deadline <= clock_timestamp() OR job.fence >= {MOST_TAKINGS}))"""
#: Ends jobs that nobody can do any more. A job that nobody asked for in time is as late as one that took too long. The
#: conditions are of the row itself, so that they are asked again of one that somebody else has changed meanwhile.
END_LATE = f"""
UPDATE public.control_job AS job SET state = '{FAILED}', ended_at = clock_timestamp(), lease = NULL,
    lease_until = NULL, problem = CASE
        WHEN job.state = '{WAITING}' THEN 'Nobody took it in time.'
        WHEN job.deadline <= clock_timestamp() THEN 'It was not done in time.'
        ELSE 'Whoever did it fell silent, {MOST_TAKINGS} times.' END
WHERE ({LATE})"""  # noqa: S608  # constants


def functions(schema: str, runner: str, mine: str) -> str:
    """Return the functions of a kind of runner in a ``schema``; ``mine`` says of the row ``job`` whether it is its."""
    return f"""
CREATE FUNCTION {schema}.take_job(holder text)
    RETURNS TABLE (
        id uuid, lease uuid, fence bigint, kind text, site text, uid uuid, parameters jsonb, seconds double precision
    )
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        {END_LATE} AND job.runner = '{runner}' AND {mine};
        WITH chosen AS (
            SELECT job.id AS chosen_id FROM public.control_job AS job
            WHERE job.runner = '{runner}' AND {mine} AND job.deadline > clock_timestamp() AND (
                job.state = '{WAITING}'
                OR (job.state = '{TAKEN}' AND job.lease_until <= clock_timestamp() AND job.fence < {MOST_TAKINGS})
            )
            ORDER BY job.wanted_at LIMIT 1 FOR UPDATE OF job SKIP LOCKED
        )
        UPDATE public.control_job AS taken
        SET state = '{TAKEN}', lease = gen_random_uuid(), fence = taken.fence + 1, problem = '',
            lease_until = least(clock_timestamp() + interval '{LEASE_SECONDS} seconds',
                taken.deadline + interval '{REPORT_SECONDS} seconds'),
            holder = left(take_job.holder, {HOLDER_LENGTH})
        FROM chosen WHERE taken.id = chosen.chosen_id
        RETURNING taken.id, taken.lease, taken.fence, taken.kind::text,
            (SELECT found.id::text FROM public.control_site AS found WHERE found.uid = taken.site_id),
            taken.site_id, taken.parameters,
            extract(epoch FROM taken.deadline - clock_timestamp())::double precision;
    END;

CREATE FUNCTION {schema}.report_job(id uuid, lease uuid, state text, progress text, log text, problem text)
    RETURNS boolean
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        UPDATE public.control_job AS job
        SET state = report_job.state,
            -- Cut first: a regular expression takes many times the memory of what it is applied to.
            progress = regexp_replace(left(coalesce(report_job.progress, job.progress), {PROGRESS_LENGTH}),
                '[[:cntrl:]]', ' ', 'g'),
            log = job.log || regexp_replace(
                left(coalesce(report_job.log, ''), greatest(0, {MOST_LOG_BYTES} - length(job.log))),
                '[^[:print:]\\n]', ' ', 'g'),
            problem = regexp_replace(left(coalesce(report_job.problem, ''), {PROBLEM_LENGTH}), '[[:cntrl:]]', ' ', 'g'),
            lease = CASE WHEN report_job.state = '{TAKEN}' THEN job.lease END,
            lease_until = CASE WHEN report_job.state = '{TAKEN}'
                THEN least(clock_timestamp() + interval '{LEASE_SECONDS} seconds',
                    job.deadline + interval '{REPORT_SECONDS} seconds') END,
            ended_at = CASE WHEN report_job.state IN ('{ENDED}', '{FAILED}') THEN clock_timestamp() END
        WHERE job.id = report_job.id AND job.lease = report_job.lease AND job.state = '{TAKEN}'
            AND job.lease_until > clock_timestamp() AND report_job.state IN ({REPORTED})
            AND job.runner = '{runner}' AND {mine}
        RETURNING true;
    END;
REVOKE ALL ON FUNCTION {schema}.take_job, {schema}.report_job FROM PUBLIC;
"""  # noqa: S608  # constants


#: A node's are those of the sites that it has: its own, and those that any such node may take.
OF_NODE = f"""((job.node_id = (SELECT self.id FROM {NODE_SCHEMA}.self AS self)
        AND (job.site_id IS NULL OR job.site_id IN (SELECT placed.uid FROM {NODE_SCHEMA}.placed_site AS placed)))
    OR (job.node_id IS NULL AND job.site_id IN (SELECT placed.uid FROM {NODE_SCHEMA}.placed_site AS placed)))"""  # noqa: S608
#: For the operator process's tick: a node that is gone takes none, and so ends none.
END_LATE_JOBS = f"""
CREATE FUNCTION {SCHEMAS[OPERATOR]}.end_late_jobs() RETURNS bigint
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        WITH ended AS ({END_LATE} RETURNING job.id) SELECT count(*) FROM ended;
    END;
REVOKE ALL ON FUNCTION {SCHEMAS[OPERATOR]}.end_late_jobs FROM PUBLIC;
"""  # noqa: S608  # constants
#: The check that a courier's job asks for: its challenge, taken as :mod:`~wagtail_multihost.nodeapi.courier_v1` gives
#: checks out, whoever else has taken it before.
TAKE_CHECK_OF_JOB = f"""
CREATE FUNCTION {SCHEMAS[COURIER]}.take_check_of_job(job uuid, lease uuid, worker text)
    RETURNS TABLE (id uuid, lease uuid, name text, secret text)
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        UPDATE public.control_verification AS taken
        SET lease = gen_random_uuid(), lease_until = clock_timestamp() + interval '{CHECK_SECONDS} seconds',
            lease_holder = left(take_check_of_job.worker, {WORKER_LENGTH}), lease_wish = taken.wanted_at
        FROM public.control_job AS found
        WHERE found.id = take_check_of_job.job AND found.lease = take_check_of_job.lease AND found.state = '{TAKEN}'
            AND found.lease_until > clock_timestamp() AND found.runner = '{COURIER}'
            AND found.kind = '{VERIFY_HOSTNAME}'
            AND taken.site_id = found.site_id AND taken.name = found.parameters ->> 'hostname'
        RETURNING taken.id, taken.lease, taken.name::text, taken.secret::text;
    END;
REVOKE ALL ON FUNCTION {SCHEMAS[COURIER]}.take_check_of_job FROM PUBLIC;
"""  # noqa: S608  # constants

CREATE = "".join(
    [
        functions(NODE_SCHEMA, NODE, OF_NODE),
        *(functions(schema, runner, "true") for runner, schema in SCHEMAS.items()),
        END_LATE_JOBS,
        TAKE_CHECK_OF_JOB,
    ]
)
DROP = f"""
DROP FUNCTION {SCHEMAS[COURIER]}.take_check_of_job, {SCHEMAS[OPERATOR]}.end_late_jobs;
""" + "".join(f"DROP FUNCTION {schema}.take_job, {schema}.report_job;" for schema in (NODE_SCHEMA, *SCHEMAS.values()))
TAKE_CHECK = f"SELECT id, lease, name, secret FROM {SCHEMAS[COURIER]}.take_check_of_job(%s, %s, %s)"  # noqa: S608


def take_statement(schema: str) -> str:
    return f"SELECT id, lease, fence, kind, site, uid, parameters, seconds FROM {schema}.take_job(%s)"  # noqa: S608


def report_statement(schema: str) -> str:
    return f"SELECT {schema}.report_job(%s, %s, %s, %s, %s, %s)"
