"""
Version 1 of how integrators are told of events, in PostgreSQL: functions of the courier's schema, which make deliveries
of events, give them out, and take down what came of each.

Each event is delivered at least once, and those of one site one after the other. What is sent is thin: who needs more
reads it by the API, so that a signed message never has more than its receiver may know.
"""

from __future__ import annotations

from wagtail_multihost.nodeapi.courier_v1 import SCHEMA

#: A courier that is silent for longer has lost its deliveries to another one.
LEASE_SECONDS = 60
MOST_DELIVERIES = 10
#: So many deliveries to one webhook at a time: a slow receiver holds up nobody else.
MOST_OF_ONE = 2
#: So many events become deliveries at a time, and so many may wait for one webhook.
MOST_QUEUED, MOST_WAITING = 500, 5_000
#: Seconds until the second attempt, each time so many times as long, and the most between two.
FIRST_PAUSE, FACTOR, LONGEST_PAUSE = 5, 4, 21_600
#: More than a day of attempts. Then the webhook is paused, with a problem that says so.
MOST_ATTEMPTS = 11
#: Days that deliveries which have arrived stay listed.
KEPT_DAYS = 7
PROBLEM_LENGTH = 300
#: Days that a public key stays listed after a courier signed with it, and so many are listed at most.
KEY_DAYS, MOST_KEYS = 7, 5
#: Of "whpk_" and 32 bytes in base64.
PUBLIC_KEY_LENGTH = 49
#: The revision of a test, which belongs to no event.
TEST_REVISION = 0
TEST_TYPE = "webhook.test"
GAVE_UP = (
    f"It did not accept an event in {MOST_ATTEMPTS} attempts, in more than a day. Nothing is sent before it is resumed."
)
PRUNED = "Events were deleted before it was told of them: whoever is behind it must read everything again."

CREATE = f"""
-- Deliveries of what has happened since each webhook was asked last. Returns how many events were looked at.
CREATE FUNCTION {SCHEMA}.queue_events() RETURNS bigint
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    head record;
    hook record;
    upto bigint;
    looked bigint := 0;
BEGIN
    SELECT one.revision, one.oldest, one.incarnation INTO head FROM public.control_head AS one;
    FOR hook IN
        SELECT one.id, one.types, one.queued FROM public.control_webhook AS one
        WHERE one.is_active AND one.queued < head.revision AND (
            SELECT count(*) FROM (
                SELECT FROM public.control_webhook_delivery AS delivery
                WHERE delivery.webhook_id = one.id AND delivery.delivered_at IS NULL LIMIT {MOST_WAITING}
            ) AS waiting
        ) < {MOST_WAITING}
        FOR UPDATE OF one SKIP LOCKED
    LOOP
        upto := least(head.revision, greatest(hook.queued, head.oldest - 1) + {MOST_QUEUED});
        INSERT INTO public.control_webhook_delivery
            (id, webhook_id, revision, site, body, attempts, due_at, problem)
        SELECT gen_random_uuid(), hook.id, event.revision, event.uid, jsonb_build_object(
                'v', 1, 'incarnation', head.incarnation, 'revision', event.revision, 'type', event.type,
                'at', to_char(event.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
                'site', nullif(event.site, ''), 'uid', event.uid, 'generation', event.generation,
                'changed', coalesce(event.metadata -> 'changed', '[]')
            ) || CASE WHEN event.metadata ? 'incident' THEN jsonb_build_object(
                'incident', event.metadata -> 'incident', 'kind', event.metadata -> 'kind'
            ) ELSE '{{}}' END, 0, clock_timestamp(), ''
        FROM public.control_event AS event
        WHERE event.revision > hook.queued AND event.revision <= upto
            AND (hook.types = '[]' OR hook.types ? event.type)
        ORDER BY event.revision
        ON CONFLICT DO NOTHING;
        UPDATE public.control_webhook AS one SET queued = upto,
            problem = CASE WHEN hook.queued < head.oldest - 1 THEN '{PRUNED}' ELSE one.problem END
        WHERE one.id = hook.id;
        looked := looked + upto - hook.queued;
    END LOOP;
    DELETE FROM public.control_webhook_delivery AS old
    WHERE old.delivered_at < clock_timestamp() - interval '{KEPT_DAYS} days';
    RETURN looked;
END $$;

CREATE FUNCTION {SCHEMA}.take_deliveries(most integer)
    RETURNS TABLE (id uuid, lease uuid, url text, revision bigint, body text, webhook uuid)
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        -- An event waits for the one before it of the same site; a test is none, and waits for nothing.
        WITH first AS (
            SELECT DISTINCT ON (delivery.webhook_id, delivery.site, delivery.revision = {TEST_REVISION})
                delivery.id, delivery.webhook_id, delivery.revision, delivery.attempts, delivery.due_at,
                coalesce(delivery.lease_until > clock_timestamp(), false) AS is_taken
            FROM public.control_webhook_delivery AS delivery WHERE delivery.delivered_at IS NULL
            ORDER BY delivery.webhook_id, delivery.site, delivery.revision = {TEST_REVISION}, delivery.revision
        ), open AS (
            SELECT first.id, first.due_at, row_number() OVER (
                PARTITION BY first.webhook_id ORDER BY first.is_taken DESC, first.due_at, first.revision
            ) AS turn
            FROM first JOIN public.control_webhook AS hook ON hook.id = first.webhook_id
            WHERE first.due_at <= clock_timestamp() AND CASE
                WHEN first.revision = {TEST_REVISION} THEN first.attempts = 0 ELSE hook.is_active END
        ), chosen AS (
            SELECT candidate.id AS chosen_id
            FROM public.control_webhook_delivery AS candidate JOIN open ON open.id = candidate.id
            WHERE open.turn <= {MOST_OF_ONE} AND candidate.delivered_at IS NULL
                AND (candidate.lease_until IS NULL OR candidate.lease_until <= clock_timestamp())
            ORDER BY open.turn, open.due_at LIMIT greatest(0, least(take_deliveries.most, {MOST_DELIVERIES}))
            FOR UPDATE OF candidate SKIP LOCKED
        )
        UPDATE public.control_webhook_delivery AS taken
        SET lease = gen_random_uuid(), lease_until = clock_timestamp() + interval '{LEASE_SECONDS} seconds'
        FROM chosen, public.control_webhook AS hook
        WHERE taken.id = chosen.chosen_id AND hook.id = taken.webhook_id
        RETURNING taken.id, taken.lease, hook.url::text, taken.revision, taken.body::text, hook.id;
    END;

CREATE FUNCTION {SCHEMA}.report_delivery(id uuid, lease uuid, arrived boolean, problem text)
    RETURNS boolean
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        WITH told AS (
            UPDATE public.control_webhook_delivery AS sent
            SET attempts = sent.attempts + 1, lease = NULL, lease_until = NULL,
                delivered_at = CASE WHEN report_delivery.arrived THEN clock_timestamp() END,
                problem = CASE WHEN report_delivery.arrived THEN '' ELSE regexp_replace(
                    left(coalesce(report_delivery.problem, ''), {PROBLEM_LENGTH}), '[[:cntrl:]]', ' ', 'g'
                ) END,
                due_at = clock_timestamp() + make_interval(
                    secs => least({LONGEST_PAUSE}, {FIRST_PAUSE} * power({FACTOR}, least(sent.attempts, 20)))
                )
            WHERE sent.id = report_delivery.id AND sent.lease = report_delivery.lease AND sent.delivered_at IS NULL
                AND sent.lease_until > clock_timestamp() AND report_delivery.arrived IS NOT NULL
            RETURNING sent.webhook_id, sent.revision, sent.attempts
        ), given_up AS (
            UPDATE public.control_webhook AS hook
            SET is_active = false, generation = hook.generation + 1, problem = '{GAVE_UP}'
            FROM told
            WHERE hook.id = told.webhook_id AND hook.is_active AND NOT report_delivery.arrived
                AND told.revision <> {TEST_REVISION} AND told.attempts >= {MOST_ATTEMPTS}
            RETURNING 1
        )
        SELECT EXISTS (SELECT FROM told);
    END;

-- Says by which key receivers know the messages of the courier that asks; written down once an hour.
CREATE FUNCTION {SCHEMA}.show_key(public_key text) RETURNS boolean
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF show_key.public_key !~ '^whpk_[A-Za-z0-9+/]{{43}}=$' OR EXISTS (
        SELECT FROM public.control_courier_key AS one
        WHERE one.public_key = show_key.public_key AND one.seen_at > clock_timestamp() - interval '1 hour'
    ) THEN
        RETURN false;
    END IF;
    INSERT INTO public.control_courier_key AS one (public_key, seen_at)
    VALUES (show_key.public_key, clock_timestamp())
    ON CONFLICT ON CONSTRAINT control_courier_key_pkey DO UPDATE SET seen_at = excluded.seen_at;
    DELETE FROM public.control_courier_key AS old
    WHERE old.seen_at < clock_timestamp() - interval '{KEY_DAYS} days' OR old.public_key NOT IN (
        SELECT one.public_key FROM public.control_courier_key AS one ORDER BY one.seen_at DESC LIMIT {MOST_KEYS}
    );
    RETURN true;
END $$;
REVOKE ALL ON FUNCTION {SCHEMA}.queue_events, {SCHEMA}.take_deliveries, {SCHEMA}.report_delivery,
    {SCHEMA}.show_key FROM PUBLIC;
"""  # noqa: S608  # constants
DROP = f"DROP FUNCTION {SCHEMA}.queue_events, {SCHEMA}.take_deliveries, {SCHEMA}.report_delivery, {SCHEMA}.show_key;"

QUEUE = f"SELECT {SCHEMA}.queue_events()"
TAKE = f"SELECT id, lease, url, revision, body, webhook FROM {SCHEMA}.take_deliveries(%s)"  # noqa: S608  # a constant
REPORT = f"SELECT {SCHEMA}.report_delivery(%s, %s, %s, %s)"
SHOW_KEY = f"SELECT {SCHEMA}.show_key(%s)"
