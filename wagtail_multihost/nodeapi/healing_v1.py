"""
Version 1 of how healing is bounded: before each step a node asks whether it may, and the answer is a word. What is said
about a node by itself makes it restart its own processes at most, so often, and takes it out of service at most where
others serve all that it has.

Budgets are counted with the head locked, so that nodes that ask at once are given no more than there is. What is
refused is refused before that, and makes neither an event nor a row.
"""

from __future__ import annotations

from wagtail_multihost.nodeapi.event_types import HEAL_NODE, HEAL_RESTART
from wagtail_multihost.nodeapi.heal_steps import (
    APPLY,
    BEGUN,
    DUPLICATE,
    FLEET_BUDGET,
    GRANTED,
    IN_WAVE,
    IS_HELD,
    LAST_NODE,
    MANY,
    NO_PEER,
    NODE,
    NODE_BUDGET,
    NODE_NOT_ACTIVE,
    NOT_ACTIVE,
    OFF,
    READ,
    RESTART,
    SITE_BUDGET,
    STEPS,
    STOP,
    TOLD,
    TOO_OFTEN,
    UNKNOWN_NODE,
    UNKNOWN_SITE,
)
from wagtail_multihost.nodeapi.node_states import ACTIVE, ALL, DONE, PLACED, SILENT_AFTER
from wagtail_multihost.nodeapi.node_v1 import ROLE
from wagtail_multihost.nodeapi.operator_v1 import SCHEMA as OPERATOR_SCHEMA
from wagtail_multihost.nodeapi.probe_states import BAD, UP
from wagtail_multihost.nodeapi.v1 import SCHEMA
from wagtail_multihost.spec.site import STATES

#: Seconds that a monitor's word about a site on another node counts.
FRESH_AFTER = 180
#: Seconds in which nobody counts on a node that has said that it is unhealthy, unless it says that this is over.
HEALED_WITHIN = 1200
#: Steps of one node within an hour, of any kind: each is a row.
MOST_STEPS = 120
#: Days that the rows of steps are kept, and how many are deleted at a time.
KEPT_DAYS, MOST_DELETED = 90, 1000
#: Fewer sites than these are never too many.
FEW = 2

#: Each budget, with what it is where no operator has stated another one, what may be stated, and its meaning.
BUDGETS = {
    "site_restarts": (3, "1 AND 20", "restarts of one site within an hour, on all nodes together"),
    "node_restarts": (5, "1 AND 100", "restarts of sites on one node within ten minutes"),
    "fleet_restarts": (20, "1 AND 1000", "restarts of sites in the whole fleet within ten minutes"),
    "node_seconds": (600, "60 AND 86400", "seconds between two nodes that are to be replaced"),
    "same_node_seconds": (3600, "60 AND 604800", "seconds until the same node is to be replaced again"),
    "most_share": (20, "0 AND 100", "per cent of the sites that may fail while one of them is restarted"),
}
LIMITS = "ALTER TABLE control_heal_budget ADD CONSTRAINT control_heal_budget_is_one CHECK (id = 1);\n" + "".join(
    f"ALTER TABLE control_heal_budget ADD CONSTRAINT control_heal_{name}_fits CHECK ({name} BETWEEN {bounds});\n"
    for name, (_, bounds, _) in BUDGETS.items()
)
STATED = ", ".join(f"coalesce(stated.{name}, {first}) AS {name}" for name, (first, _, _) in BUDGETS.items())
WORDS = " ".join(f"WHEN '{step}' THEN '{words.replace(chr(39), chr(39) * 2)}'" for step, words in STEPS.items())
#: Where no operator has stated any, there is no row.
BUDGET = f"""
CREATE VIEW control_heal_limit AS
    SELECT coalesce(stated.is_on, true) AS is_on, {STATED}
    FROM (SELECT 1) AS one LEFT JOIN control_heal_budget AS stated ON true;
"""  # noqa: S608  # constants
IS_BAD = ", ".join(f"'{state}'" for state in sorted(BAD))

#: What the monitors say, and when a site need not answer.
PEERS = f"""
CREATE FUNCTION control_need_not_answer(wanted uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM public.control_maintenance AS planned
        WHERE (planned.site_id = wanted OR planned.site_id IS NULL) AND planned.since <= clock_timestamp()
            AND coalesce(planned.till > clock_timestamp(), true)
    );
END $$;

-- Whether another node that can be asked serves the site well, as the monitor beside it says.
CREATE FUNCTION control_is_served_elsewhere(wanted uuid, asking text) RETURNS boolean
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM public.control_node AS node
        JOIN public.control_node_group AS held ON held.id = node.group_id
        JOIN public.control_report AS report ON report.node_id = node.id
            AND report.seen_at > clock_timestamp() - interval '{SILENT_AFTER} seconds'
        JOIN public.control_monitor AS monitor ON monitor.place = node.id
            AND monitor.seen_at > clock_timestamp() - interval '{FRESH_AFTER} seconds'
        WHERE node.id <> asking AND node.state = '{ACTIVE}' AND NOT public.control_is_being_healed(node.id)
            AND (held.holds = '{ALL}' OR (held.holds = '{PLACED}' AND EXISTS (
                SELECT FROM public.control_placement AS placement
                WHERE placement.node_id = node.id AND placement.site_id = wanted AND placement.is_serving
                    AND NOT placement.is_leaving AND NOT placement.is_gone
            )))
            AND (
                SELECT bool_or(latest.state = '{UP}') AND NOT bool_or(latest.state IN ({IS_BAD}))
                FROM public.control_probe_latest AS latest
                WHERE latest.place = node.id AND latest.site_id = wanted
            )
    );
END $$;

-- Whether so many of the sites that monitors see are bad that it is no single one's fault: on the node that asks, and
-- on all others together, where one that serves a site well outweighs those that do not.
CREATE FUNCTION control_fails_widely(asking text, most_share integer) RETURNS boolean
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN EXISTS (
        WITH seen AS (
            SELECT latest.site_id, latest.place = asking AS is_here,
                bool_or(latest.state IN ({IS_BAD})) AS is_bad, bool_or(latest.state = '{UP}') AS is_up
            FROM public.control_probe_latest AS latest
            JOIN public.control_monitor AS monitor ON monitor.place = latest.place
                AND monitor.seen_at > clock_timestamp() - interval '{FRESH_AFTER} seconds'
            JOIN public.control_node AS node ON node.id = latest.place
            JOIN public.control_site AS site ON site.uid = latest.site_id AND site.retired_at IS NULL
            GROUP BY latest.site_id, latest.place
        ), judged AS (
            SELECT seen.is_here, bool_or(seen.is_bad) AND NOT bool_or(seen.is_up AND NOT seen.is_bad) AS is_bad
            FROM seen GROUP BY seen.site_id, seen.is_here
        )
        SELECT FROM judged GROUP BY judged.is_here
        HAVING count(*) FILTER (WHERE judged.is_bad) > greatest({FEW}, count(*) * most_share / 100.0)
    );
END $$;
REVOKE ALL ON FUNCTION control_need_not_answer, control_is_served_elsewhere, control_fails_widely FROM PUBLIC;
"""  # noqa: S608  # constants

RULES = f"""
-- Whether a node has said lately that it is unhealthy, so that nobody counts on it.
CREATE FUNCTION control_is_being_healed(wanted text) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT EXISTS (
            SELECT FROM public.control_heal_step AS taken
            WHERE taken.step = '{NODE}' AND taken.node = wanted AND taken.outcome = '{BEGUN}'
                AND taken.at > clock_timestamp() - interval '{HEALED_WITHIN} seconds'
        );
    END;
REVOKE ALL ON FUNCTION control_is_being_healed FROM PUBLIC;
{PEERS}
-- Why a step is not to be taken at all, whatever the budgets have. ``me`` is the node that asks.
CREATE FUNCTION control_heal_bar(me text, wanted uuid, step text) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found record;
BEGIN
    SELECT node.state, held.holds, report.duplicate_at INTO found
    FROM public.control_node AS node
    JOIN public.control_node_group AS held ON held.id = node.group_id
    LEFT JOIN public.control_report AS report ON report.node_id = node.id
    WHERE node.id = me;
    IF found IS NULL THEN
        RETURN '{UNKNOWN_NODE}';
    END IF;
    IF found.state <> '{ACTIVE}' OR found.holds NOT IN ('{ALL}', '{PLACED}') THEN
        RETURN '{NODE_NOT_ACTIVE}';
    END IF;
    IF found.duplicate_at > clock_timestamp() - interval '{SILENT_AFTER} seconds' THEN
        RETURN '{DUPLICATE}';
    END IF;
    IF (wanted IS NULL) <> (step = '{NODE}') OR (
        wanted IS NOT NULL AND NOT EXISTS (SELECT FROM {SCHEMA}.placed_site AS placed WHERE placed.uid = wanted)
    ) THEN
        RETURN '{UNKNOWN_SITE}';
    END IF;
    IF step <> '{STOP}' AND public.control_need_not_answer(wanted) THEN
        RETURN '{NOT_ACTIVE}';
    END IF;
    IF EXISTS (SELECT FROM {SCHEMA}.placed_site AS placed WHERE placed.uid = wanted AND (
        coalesce(placed.record ->> 'enabled', 'true') <> 'true'
        OR coalesce(placed.record ->> 'state', '{STATES[0]}') <> '{STATES[0]}'
    )) THEN
        RETURN '{NOT_ACTIVE}';
    END IF;
    -- That people are called is never kept from them.
    IF step <> '{STOP}' AND EXISTS (
        SELECT FROM public.control_hold AS hold
        WHERE hold.until > clock_timestamp() AND (hold.node_id = me OR hold.node_id IS NULL)
            AND (hold.site_id IS NULL OR hold.site_id = wanted)
    ) THEN
        RETURN '{IS_HELD}';
    END IF;
    -- What a wave has given to this node, or keeps from it, is not told from a fault yet.
    IF step <> '{STOP}' AND EXISTS (
        SELECT FROM public.control_wave AS wave
        JOIN public.control_wave_item AS item ON item.wave_id = wave.id AND item.is_current
        WHERE wave.state <> '{DONE}' AND (item.site_id IS NULL OR wanted IS NULL OR item.site_id = wanted)
    ) THEN
        RETURN '{IN_WAVE}';
    END IF;
    RETURN '{GRANTED}';
END $$;

-- Whether others serve what the step takes away for a moment. Of a node, that is all of its sites that are to be seen.
CREATE FUNCTION control_heal_peers(me text, wanted uuid, step text) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    most integer := (SELECT budget.most_share FROM public.control_heal_limit AS budget);
BEGIN
    IF step = '{RESTART}' THEN
        IF public.control_fails_widely(me, most) THEN
            RETURN '{MANY}';
        END IF;
        RETURN CASE WHEN public.control_is_served_elsewhere(wanted, me) THEN '{GRANTED}' ELSE '{NO_PEER}' END;
    END IF;
    IF step <> '{NODE}' THEN
        RETURN '{GRANTED}';
    END IF;
    IF NOT EXISTS (
        SELECT FROM public.control_node AS mine
        JOIN public.control_node AS other
            ON other.group_id = mine.group_id AND other.zone = mine.zone AND other.id <> mine.id
        JOIN public.control_report AS report ON report.node_id = other.id
        WHERE mine.id = me AND other.state = '{ACTIVE}'
            AND report.seen_at > clock_timestamp() - interval '{SILENT_AFTER} seconds'
            AND NOT public.control_is_being_healed(other.id)
    ) THEN
        RETURN '{LAST_NODE}';
    END IF;
    IF EXISTS (
        SELECT FROM {SCHEMA}.placed_site AS placed
        WHERE coalesce(placed.record ->> 'enabled', 'true') = 'true'
            AND coalesce(placed.record ->> 'state', '{STATES[0]}') = '{STATES[0]}'
            AND NOT public.control_is_served_elsewhere(placed.uid, me)
    ) THEN
        RETURN '{NO_PEER}';
    END IF;
    RETURN '{GRANTED}';
END $$;

-- Whether there is room for one more step.
CREATE FUNCTION control_heal_room(me text, wanted uuid, step text) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    budget record;
    counted record;
BEGIN
    SELECT * INTO budget FROM public.control_heal_limit;
    IF (SELECT count(*) FROM public.control_heal_step AS taken
        WHERE taken.node = me AND taken.at > clock_timestamp() - interval '1 hour') >= {MOST_STEPS}
    THEN
        RETURN '{TOO_OFTEN}';
    END IF;
    IF step IN ('{READ}', '{APPLY}', '{STOP}') THEN
        RETURN '{GRANTED}';
    END IF;
    IF NOT budget.is_on THEN
        RETURN '{OFF}';
    END IF;
    IF step = '{NODE}' THEN
        IF EXISTS (SELECT FROM public.control_heal_step AS taken WHERE taken.step = '{NODE}' AND taken.node = me
            AND taken.at > clock_timestamp() - make_interval(secs => budget.same_node_seconds))
        THEN
            RETURN '{NODE_BUDGET}';
        END IF;
        RETURN CASE WHEN EXISTS (SELECT FROM public.control_heal_step AS taken WHERE taken.step = '{NODE}'
            AND taken.at > clock_timestamp() - make_interval(secs => budget.node_seconds))
            THEN '{FLEET_BUDGET}' ELSE '{GRANTED}' END;
    END IF;
    SELECT count(*) FILTER (WHERE taken.site_id = wanted) AS of_site,
        count(*) FILTER (WHERE taken.node = me AND taken.at > clock_timestamp() - interval '10 minutes') AS of_node,
        count(*) FILTER (WHERE taken.at > clock_timestamp() - interval '10 minutes') AS of_fleet
    INTO counted FROM public.control_heal_step AS taken
    WHERE taken.step = '{RESTART}' AND taken.at > clock_timestamp() - interval '1 hour';
    RETURN CASE WHEN counted.of_site >= budget.site_restarts THEN '{SITE_BUDGET}'
        WHEN counted.of_node >= budget.node_restarts THEN '{NODE_BUDGET}'
        WHEN counted.of_fleet >= budget.fleet_restarts THEN '{FLEET_BUDGET}'
        ELSE '{GRANTED}' END;
END $$;

CREATE FUNCTION control_judge_step(me text, wanted uuid, step text) RETURNS text
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    answer text := public.control_heal_bar(me, wanted, step);
BEGIN
    IF answer = '{GRANTED}' THEN
        answer := public.control_heal_room(me, wanted, step);
    END IF;
    IF answer = '{GRANTED}' THEN
        answer := public.control_heal_peers(me, wanted, step);
    END IF;
    RETURN answer;
END $$;
REVOKE ALL ON FUNCTION control_heal_bar, control_heal_peers, control_heal_room, control_judge_step FROM PUBLIC;
"""  # noqa: S608  # constants

FUNCTIONS = f"""
-- Whether a node may take a step for a site, or, without one, of its own; what it is known as from then on.
CREATE FUNCTION {SCHEMA}.may_heal(site uuid, step text) RETURNS TABLE (answer text, id uuid)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    me text := (SELECT self.id FROM {SCHEMA}.self AS self);
    said text := '{UNKNOWN_NODE}';
    made uuid := gen_random_uuid();
BEGIN
    IF may_heal.step IS NULL OR may_heal.step NOT IN ({", ".join(f"'{step}'" for step in STEPS)}) THEN
        RAISE EXCEPTION 'There is no such step of healing.' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF me IS NOT NULL THEN
        -- Who is refused does not keep others from writing.
        said := public.control_judge_step(me, may_heal.site, may_heal.step);
    END IF;
    IF said = '{GRANTED}' AND may_heal.step IN ('{RESTART}', '{NODE}') THEN
        UPDATE public.control_head SET revision = revision WHERE id = 1;
        -- What is checked at the end of a transaction is asked as the caller, who may read no table.
        SET CONSTRAINTS ALL IMMEDIATE;
        SET CONSTRAINTS ALL DEFERRED;
        said := public.control_judge_step(me, may_heal.site, may_heal.step);
        IF said = '{GRANTED}' THEN
            PERFORM public.control_record_event(
                CASE may_heal.step WHEN '{RESTART}' THEN '{HEAL_RESTART}' ELSE '{HEAL_NODE}' END,
                (SELECT found.id::text FROM public.control_site AS found WHERE found.uid = may_heal.site),
                may_heal.site, 'node:' || me, jsonb_build_object('node', me, 'step', made)
            );
        END IF;
    END IF;
    IF said = '{GRANTED}' THEN
        INSERT INTO public.control_heal_step AS taken (id, site_id, node, step, at, outcome, ended_at)
        VALUES (made, may_heal.site, me, may_heal.step, clock_timestamp(), '{BEGUN}', NULL);
        PERFORM public.control_note_healing(may_heal.site, me, me || ': ' || CASE may_heal.step {WORDS} END);
        DELETE FROM public.control_heal_step AS old WHERE old.id IN (
            SELECT past.id FROM public.control_heal_step AS past
            WHERE past.at < clock_timestamp() - interval '{KEPT_DAYS} days' LIMIT {MOST_DELETED}
        );
        SET CONSTRAINTS ALL IMMEDIATE;
    END IF;
    RETURN QUERY SELECT said, CASE WHEN said = '{GRANTED}' THEN made END;
END $$;

-- What became of a step of this node's.
CREATE FUNCTION {SCHEMA}.end_heal_step(id uuid, outcome text) RETURNS boolean
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        UPDATE public.control_heal_step AS taken SET outcome = end_heal_step.outcome, ended_at = clock_timestamp()
        FROM {SCHEMA}.self AS self
        WHERE taken.id = end_heal_step.id AND taken.node = self.id AND taken.outcome <> end_heal_step.outcome
            AND end_heal_step.outcome IN ({", ".join(f"'{outcome}'" for outcome in TOLD)})
            AND taken.at > clock_timestamp() - interval '1 day'
        RETURNING true;
    END;

-- Whether a node that has said that it is unhealthy may go on saying so.
CREATE FUNCTION {SCHEMA}.may_stay_unhealthy() RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    me text := (SELECT self.id FROM {SCHEMA}.self AS self);
    said text := '{UNKNOWN_NODE}';
BEGIN
    IF me IS NOT NULL THEN
        said := public.control_heal_bar(me, NULL, '{NODE}');
        IF said = '{GRANTED}' THEN
            said := public.control_heal_peers(me, NULL, '{NODE}');
        END IF;
    END IF;
    RETURN said;
END $$;
REVOKE ALL ON FUNCTION {SCHEMA}.may_heal, {SCHEMA}.end_heal_step, {SCHEMA}.may_stay_unhealthy FROM PUBLIC;
"""  # noqa: S608  # constants

#: For whoever tells people what was done.
OPERATOR_VIEW = f"""
CREATE VIEW {OPERATOR_SCHEMA}.heal_step AS
    SELECT taken.id, taken.site_id AS uid, site.id AS site, taken.node, taken.step, taken.at, taken.outcome,
        taken.ended_at
    FROM control_heal_step AS taken LEFT JOIN control_site AS site ON site.uid = taken.site_id;
"""  # noqa: S608  # constants

CREATE = f"{LIMITS}{BUDGET}{RULES}{FUNCTIONS}{OPERATOR_VIEW}"
DROP = f"""
DROP VIEW {OPERATOR_SCHEMA}.heal_step;
DROP FUNCTION {SCHEMA}.may_stay_unhealthy, {SCHEMA}.end_heal_step, {SCHEMA}.may_heal;
DROP FUNCTION control_judge_step, control_heal_room, control_heal_peers, control_heal_bar, control_fails_widely,
    control_is_served_elsewhere, control_need_not_answer, control_is_being_healed;
DROP VIEW control_heal_limit;
"""
#: What nodes may call. What a version does not have yet is left out.
GRANT = f"""
        IF to_regprocedure('{SCHEMA}.may_heal(uuid, text)') IS NOT NULL THEN
            GRANT EXECUTE ON FUNCTION {SCHEMA}.may_heal, {SCHEMA}.end_heal_step, {SCHEMA}.may_stay_unhealthy TO {ROLE};
        END IF;"""
MAY_HEAL = f"SELECT answer, id FROM {SCHEMA}.may_heal(%s, %s)"  # noqa: S608  # constants
END_STEP = f"SELECT {SCHEMA}.end_heal_step(%s, %s)"
MAY_STAY_UNHEALTHY = f"SELECT {SCHEMA}.may_stay_unhealthy()"
