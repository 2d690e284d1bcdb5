"""
Triggers that hold four rules in the database itself: who writes the registry has locked its head in the same
transaction, there is an event for every revision, one for every new form of a record, and none of anything else. So
the head is counted first, then records are written, then events.

What they ask is asked of the schema that their table is in: a session may have temporary tables of the same names.
"""

from __future__ import annotations

from wagtail_multihost.control.texts import MOST_BYTES

#: Tables of which nodes, or the rules of registration, depend on every row.
GUARDED = ("control_platform", "control_site", "control_hostname", "control_claim", "control_event", "control_record")
FUNCTIONS = """
CREATE FUNCTION control_remember_head() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('multihost.head', pg_current_xact_id()::text, true);
    RETURN NULL;
END $$;
CREATE FUNCTION control_need_head() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('multihost.head', true) IS DISTINCT FROM pg_current_xact_id()::text THEN
        RAISE EXCEPTION 'The table % is written by wagtail_multihost.control.registration alone.', TG_TABLE_NAME
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION control_need_events() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    first bigint := greatest(OLD.revision + 1, NEW.oldest);
    found bigint;
BEGIN
    IF NEW.revision < OLD.revision OR NEW.oldest < OLD.oldest THEN
        RAISE EXCEPTION 'The revision % with the oldest event % is lower than % with %.',
            NEW.revision, NEW.oldest, OLD.revision, OLD.oldest USING ERRCODE = 'check_violation';
    END IF;
    EXECUTE format('SELECT count(*) FROM %I.control_event WHERE revision BETWEEN $1 AND $2', TG_TABLE_SCHEMA)
        INTO found USING first, NEW.revision;
    IF found <> greatest(NEW.revision - first + 1, 0) THEN
        RAISE EXCEPTION 'Revisions from % to % have no event.', first, NEW.revision USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION control_need_event() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    said boolean;
    wanted uuid := CASE WHEN TG_TABLE_NAME = 'control_site' THEN (to_jsonb(NEW) ->> 'uid')::uuid END;
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.generation <= OLD.generation THEN
        RAISE EXCEPTION 'A row of % has changed without another generation.', TG_TABLE_NAME
            USING ERRCODE = 'check_violation';
    END IF;
    EXECUTE format(
        'SELECT EXISTS (SELECT FROM %I.control_event WHERE uid IS NOT DISTINCT FROM $1 AND generation = $2)',
        TG_TABLE_SCHEMA
    ) INTO said USING wanted, NEW.generation;
    IF NOT said THEN
        RAISE EXCEPTION 'A row of % has changed without an event.', TG_TABLE_NAME USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION control_be_of_head() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    is_counted boolean;
    generation bigint := NEW.generation;
BEGIN
    EXECUTE format('SELECT $1 BETWEEN oldest AND revision FROM %I.control_head', TG_TABLE_SCHEMA)
        INTO is_counted USING NEW.revision;
    IF NEW.uid IS NOT NULL THEN
        EXECUTE format('SELECT generation FROM %I.control_site WHERE uid = $1', TG_TABLE_SCHEMA)
            INTO generation USING NEW.uid;
    ELSIF NEW.generation IS NOT NULL THEN
        EXECUTE format('SELECT generation FROM %I.control_platform', TG_TABLE_SCHEMA) INTO generation;
    END IF;
    IF is_counted IS NOT TRUE OR NEW.generation > generation OR (generation IS NULL AND NEW.uid IS NOT NULL) THEN
        RAISE EXCEPTION 'The event % is of no revision, or of a record that there is not.', NEW.revision
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER control_head_taken AFTER UPDATE ON control_head
    FOR EACH STATEMENT EXECUTE FUNCTION control_remember_head();
CREATE CONSTRAINT TRIGGER control_head_has_events AFTER UPDATE ON control_head
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION control_need_events();
CREATE CONSTRAINT TRIGGER control_site_has_event AFTER INSERT OR UPDATE ON control_site
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION control_need_event();
CREATE CONSTRAINT TRIGGER control_platform_has_event AFTER UPDATE ON control_platform
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION control_need_event();
CREATE TRIGGER control_event_is_of_head AFTER INSERT ON control_event
    FOR EACH ROW EXECUTE FUNCTION control_be_of_head();
"""
#: What is found about a hostname is told by the courier, at any time: it is no part of the registry.
GUARDED_COLUMNS = {"control_hostname": "OF name, site_id, role "}
#: Each node reads all records at once. As PostgreSQL writes them they are a little longer than where they are checked.
SHORT = "".join(
    f"ALTER TABLE {table} ADD CONSTRAINT {table}_record_is_short "
    f"CHECK (octet_length(record::text) <= {2 * MOST_BYTES});\n"
    for table in ("control_site", "control_platform")
)
NEEDS_HEAD = "".join(
    f"CREATE TRIGGER {table}_needs_head BEFORE INSERT OR UPDATE {GUARDED_COLUMNS.get(table, '')}OR DELETE ON {table} "
    "FOR EACH STATEMENT EXECUTE FUNCTION control_need_head();\n"
    for table in GUARDED
)
CREATE = f"{FUNCTIONS}{SHORT}{NEEDS_HEAD}"
DROP = (
    "".join(f"DROP TRIGGER {table}_needs_head ON {table};\n" for table in GUARDED)
    + "DROP TRIGGER control_head_taken ON control_head;\nDROP TRIGGER control_head_has_events ON control_head;\n"
    "DROP TRIGGER control_site_has_event ON control_site;\n"
    "DROP TRIGGER control_platform_has_event ON control_platform;\n"
    "DROP TRIGGER control_event_is_of_head ON control_event;\n"
    "ALTER TABLE control_site DROP CONSTRAINT control_site_record_is_short;\n"
    "ALTER TABLE control_platform DROP CONSTRAINT control_platform_record_is_short;\n"
    "DROP FUNCTION control_remember_head, control_need_head, control_need_events, control_need_event, "
    "control_be_of_head;\n"
)
FIRST_ROWS = """
INSERT INTO control_head (id, incarnation, revision, oldest) VALUES (1, gen_random_uuid(), 0, 1);
INSERT INTO control_platform (id, record, generation) VALUES (1, '{}', 0);
"""
