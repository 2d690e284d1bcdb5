"""
Triggers on the column of sites' public probe keys: the operator process states them by a function that has the rights
of the tables' owner, and nobody else does. They are no part of the registry: no node reads them, so a change takes no
revision and has no event.
"""

from __future__ import annotations

from wagtail_multihost.spec.proofs import KEY_BYTES

#: The columns that registration writes.
COLUMNS = (
    *("uid", "id", "enabled", "state", "generation", "revision", "record", "labels", "is_imported", "created"),
    *("retired_at", "removed_revision"),
)
NEEDS_HEAD = """
CREATE TRIGGER control_site_needs_head BEFORE INSERT OR UPDATE {of} OR DELETE ON control_site
    FOR EACH STATEMENT EXECUTE FUNCTION control_need_head();
CREATE CONSTRAINT TRIGGER control_site_has_event AFTER INSERT OR UPDATE {of} ON control_site
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION control_need_event();
"""
DROP_FORMER = """
DROP TRIGGER control_site_needs_head ON control_site;
DROP TRIGGER control_site_has_event ON control_site;
"""
IS_KEY = f"""
ALTER TABLE control_site ADD CONSTRAINT control_site_probe_key_is_one
    CHECK (octet_length(probe_key) = {KEY_BYTES});
"""
#: A right to write a table is one to write all of its columns, unless each of the others is granted alone.
KEEP = """
CREATE FUNCTION control_keep_probe_key() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    former bytea := CASE WHEN TG_OP = 'UPDATE' THEN OLD.probe_key END;
BEGIN
    IF NEW.probe_key IS DISTINCT FROM former AND NOT pg_has_role(
        current_user, (SELECT known.relowner FROM pg_catalog.pg_class AS known WHERE known.oid = TG_RELID), 'MEMBER'
    ) THEN
        RAISE EXCEPTION 'The probe key of a site is told by the operator process alone.'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER control_site_keeps_probe_key BEFORE INSERT OR UPDATE ON control_site
    FOR EACH ROW EXECUTE FUNCTION control_keep_probe_key();
"""
DROP_KEEP = """
DROP TRIGGER control_site_keeps_probe_key ON control_site;
DROP FUNCTION control_keep_probe_key;
ALTER TABLE control_site DROP CONSTRAINT control_site_probe_key_is_one;
"""
CREATE = DROP_FORMER + NEEDS_HEAD.format(of=f"OF {', '.join(COLUMNS)}") + IS_KEY + KEEP
DROP = DROP_KEEP + DROP_FORMER + NEEDS_HEAD.format(of="")
