"""
Triggers that hold two rules in the database itself: who writes the registry has locked its head in the same
transaction, and there is an event for every revision.
"""

from __future__ import annotations

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
BEGIN
    IF NEW.revision < OLD.revision THEN
        RAISE EXCEPTION 'The revision % is lower than %.', NEW.revision, OLD.revision USING ERRCODE = 'check_violation';
    END IF;
    IF (SELECT count(*) FROM control_event WHERE revision BETWEEN first AND NEW.revision)
            <> greatest(NEW.revision - first + 1, 0) THEN
        RAISE EXCEPTION 'Revisions from % to % have no event.', first, NEW.revision USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER control_head_taken AFTER UPDATE ON control_head
    FOR EACH STATEMENT EXECUTE FUNCTION control_remember_head();
CREATE CONSTRAINT TRIGGER control_head_has_events AFTER UPDATE ON control_head
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION control_need_events();
"""
CREATE = FUNCTIONS + "".join(
    f"CREATE TRIGGER {table}_needs_head BEFORE INSERT OR UPDATE OR DELETE ON {table} "
    "FOR EACH STATEMENT EXECUTE FUNCTION control_need_head();\n"
    for table in GUARDED
)
DROP = (
    "".join(f"DROP TRIGGER {table}_needs_head ON {table};\n" for table in GUARDED)
    + "DROP TRIGGER control_head_taken ON control_head;\nDROP TRIGGER control_head_has_events ON control_head;\n"
    "DROP FUNCTION control_remember_head, control_need_head, control_need_events;\n"
)
FIRST_ROWS = """
INSERT INTO control_head (id, incarnation, revision, oldest) VALUES (1, gen_random_uuid(), 0, 1);
INSERT INTO control_platform (id, record, generation) VALUES (1, '{}', 0);
"""
