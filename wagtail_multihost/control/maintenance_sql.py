"""
How maintenance is written in PostgreSQL. What is over cannot be changed: the web process plans, moves and ends
maintenance by functions, so that one that was taken over makes no outage unseen afterwards.

A trigger keeps when a site's own record said that it need not answer: in maintenance, suspended or disabled. Events and
former records say that too, but are not kept for as long as what monitors have concluded.
"""

from __future__ import annotations

from wagtail_multihost.spec.site import STATES

DISABLED = "disabled"
#: What a record says of a row of ``control_site``; blank while the site is to be served.
WORD = (
    f"(CASE WHEN NOT {{row}}.enabled THEN '{DISABLED}' "
    f"WHEN {{row}}.state <> '{STATES[0]}' THEN {{row}}.state ELSE '' END)"
)
SAVE = """
-- Plans maintenance, or changes what is planned; false where none can be changed. One that has begun keeps
-- when it began, and nothing begins or ends earlier than now.
CREATE FUNCTION control_save_maintenance(
    wanted uuid, owner uuid, begins timestamptz, ends timestamptz, why text, who text, by_operator boolean
) RETURNS boolean
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        INSERT INTO public.control_maintenance AS planned (id, site_id, since, till, reason, actor, of_record,
            is_of_operator)
        SELECT wanted, owner, greatest(begins, clock_timestamp()), greatest(begins, ends, clock_timestamp()), why, who,
            false, by_operator
        ON CONFLICT (id) DO UPDATE SET reason = excluded.reason,
            since = CASE WHEN planned.since > clock_timestamp() THEN excluded.since ELSE planned.since END,
            till = greatest(ends, clock_timestamp(),
                CASE WHEN planned.since > clock_timestamp() THEN excluded.since END)
        WHERE NOT planned.of_record AND planned.till > clock_timestamp()
            AND planned.site_id IS NOT DISTINCT FROM owner
        RETURNING true;
    END;

-- Ends maintenance now; what has not begun is gone.
CREATE FUNCTION control_end_maintenance(wanted uuid) RETURNS boolean
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        DELETE FROM public.control_maintenance AS planned
        WHERE planned.id = wanted AND NOT planned.of_record AND planned.since > clock_timestamp();
        UPDATE public.control_maintenance AS planned SET till = clock_timestamp()
        WHERE planned.id = wanted AND NOT planned.of_record AND planned.since <= clock_timestamp()
            AND planned.till > clock_timestamp();
        SELECT NOT EXISTS (
            SELECT FROM public.control_maintenance AS planned
            WHERE planned.id = wanted AND planned.till > clock_timestamp()
        );
    END;
REVOKE ALL ON FUNCTION control_save_maintenance, control_end_maintenance FROM PUBLIC;
"""
TRIGGER = f"""
CREATE FUNCTION control_note_maintenance() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    moment timestamptz := clock_timestamp();
    word text := {WORD.format(row="NEW")};
BEGIN
    IF TG_OP = 'UPDATE' AND word = {WORD.format(row="OLD")} AND NEW.retired_at IS NOT DISTINCT FROM OLD.retired_at THEN
        RETURN NULL;
    END IF;
    UPDATE public.control_maintenance AS lasting SET till = moment
    WHERE lasting.site_id = NEW.uid AND lasting.of_record AND lasting.till IS NULL;
    IF word <> '' AND NEW.retired_at IS NULL THEN
        INSERT INTO public.control_maintenance (id, site_id, since, reason, actor, of_record)
        VALUES (gen_random_uuid(), NEW.uid, moment, word, '', true);
    END IF;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION control_note_maintenance FROM PUBLIC;
CREATE TRIGGER control_site_notes_maintenance AFTER INSERT OR UPDATE OF state, enabled, retired_at ON control_site
    FOR EACH ROW EXECUTE FUNCTION control_note_maintenance();
INSERT INTO control_maintenance (id, site_id, since, reason, actor, of_record)
SELECT gen_random_uuid(), site.uid, clock_timestamp(), {WORD.format(row="site")}, '', true
FROM control_site AS site WHERE site.retired_at IS NULL AND {WORD.format(row="site")} <> '';
"""  # noqa: S608  # constants
CREATE = f"{SAVE}{TRIGGER}"
DROP = """
DROP TRIGGER control_site_notes_maintenance ON control_site;
DROP FUNCTION control_note_maintenance, control_save_maintenance, control_end_maintenance;
"""
#: ``web`` is filled in.
GRANT = """
        GRANT EXECUTE ON FUNCTION public.control_save_maintenance, public.control_end_maintenance TO {web};"""
SAVE_MAINTENANCE = "SELECT control_save_maintenance(%s, %s, %s, %s, %s, %s, %s)"
END_MAINTENANCE = "SELECT control_end_maintenance(%s)"
