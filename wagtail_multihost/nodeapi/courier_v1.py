"""
Version 1 of what the courier may do in PostgreSQL: two functions in a schema of their own, and nothing else.

A courier sees a challenge only when somebody has asked for a check, and reports only what it has taken, with the token
that it got and within the lease. A report also says of a hostname that the site has already when it was proven, or what
was found; it can change neither the name nor whose it is. Bodies are bound to their tables when they are made, as those
of views are, so that no search path of the caller changes what they mean (BEGIN ATOMIC in
https://www.postgresql.org/docs/current/sql-createfunction.html).
"""

from __future__ import annotations

SCHEMA = "courier_v1"
ROLE = "multihost_courier"
#: A courier that is silent for longer has lost its checks to another one. All times are those of the database's clock.
LEASE_SECONDS = 120
MOST_CHECKS = 20
WORKER_LENGTH = 60
PROBLEM_LENGTH = 1500

CREATE = f"""
CREATE SCHEMA {SCHEMA};

CREATE FUNCTION {SCHEMA}.take(worker text, most integer)
    RETURNS TABLE (id uuid, lease uuid, name text, secret text)
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        -- The sites take turns, so that one with a thousand names holds nobody up.
        WITH queue AS (
            SELECT waiting.id AS waiting_id, row_number() OVER (
                PARTITION BY waiting.site_id
                ORDER BY waiting.lease_until > clock_timestamp() DESC NULLS LAST, waiting.wanted_at
            ) AS turn
            FROM control_verification AS waiting WHERE waiting.wanted_at IS NOT NULL
        ), chosen AS (
            SELECT candidate.id AS chosen_id
            FROM control_verification AS candidate JOIN queue ON queue.waiting_id = candidate.id
            WHERE candidate.wanted_at IS NOT NULL
                AND (candidate.lease_until IS NULL OR candidate.lease_until <= clock_timestamp())
            ORDER BY queue.turn, candidate.wanted_at
            LIMIT greatest(0, least(most, {MOST_CHECKS}))
            FOR UPDATE OF candidate SKIP LOCKED
        )
        UPDATE control_verification AS taken
        SET lease = gen_random_uuid(), lease_until = clock_timestamp() + interval '{LEASE_SECONDS} seconds',
            lease_holder = left(worker, {WORKER_LENGTH}), lease_wish = taken.wanted_at
        FROM chosen WHERE taken.id = chosen.chosen_id
        RETURNING taken.id, taken.lease, taken.name::text, taken.secret::text;
    END;

CREATE FUNCTION {SCHEMA}.report(id uuid, lease uuid, proven boolean, method text, problem text)
    RETURNS boolean
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        WITH told AS (
            UPDATE control_verification AS checked
            SET checked_at = statement_timestamp(),
                proven_at = CASE WHEN report.proven THEN statement_timestamp() ELSE checked.proven_at END,
                method = CASE WHEN report.proven THEN report.method ELSE checked.method END,
                problem = CASE WHEN report.proven THEN '' ELSE
                    regexp_replace(left(coalesce(report.problem, ''), {PROBLEM_LENGTH}), '[[:cntrl:]]', ' ', 'g')
                END,
                -- Who asked once more meanwhile gets another check.
                wanted_at = CASE WHEN checked.wanted_at IS DISTINCT FROM checked.lease_wish THEN checked.wanted_at END,
                lease = NULL, lease_until = NULL, lease_holder = '', lease_wish = NULL
            WHERE checked.id = report.id AND checked.lease = report.lease AND checked.lease_until > clock_timestamp()
                AND report.proven IS NOT NULL AND (NOT report.proven OR report.method IN ('dns', 'file'))
            RETURNING checked.name, checked.site_id, checked.problem, report.proven AS is_proven
        ), shown AS (
            -- What the site has already, an operator may have added without a proof.
            UPDATE control_hostname AS hostname
            SET verified_at = CASE WHEN told.is_proven THEN statement_timestamp() ELSE hostname.verified_at END,
                problem = told.problem
            FROM told WHERE hostname.name = told.name AND hostname.site_id = told.site_id
            RETURNING 1
        )
        SELECT EXISTS (SELECT 1 FROM told);
    END;

REVOKE ALL ON SCHEMA {SCHEMA} FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA {SCHEMA} FROM PUBLIC;
"""  # noqa: S608  # a constant

#: What the courier's role gets; the role itself is made by an operator.
GRANT = f"""
GRANT USAGE ON SCHEMA {SCHEMA} TO {ROLE};
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {SCHEMA} TO {ROLE};
"""

DROP = f"DROP SCHEMA {SCHEMA} CASCADE;"

TAKE = f"SELECT id, lease, name, secret FROM {SCHEMA}.take(%s, %s)"  # noqa: S608  # a constant
REPORT = f"SELECT {SCHEMA}.report(%s, %s, %s, %s, %s)"
