"""
Triggers on the tables of nodes: these are part of the registry, which is written with its head locked alone. And what
front servers are told of a node is an address, whoever writes it.
"""

from __future__ import annotations

from wagtail_multihost.nodeapi.join_v1 import ADDRESS

GUARDED = ("control_node_group", "control_node", "control_placement", "control_wave", "control_wave_item")
IS_ADDRESS = f"ALTER TABLE control_node ADD CONSTRAINT control_node_address_is_one CHECK (address ~ '{ADDRESS}');\n"
CREATE = IS_ADDRESS + "".join(
    f"CREATE TRIGGER {table}_needs_head BEFORE INSERT OR UPDATE OR DELETE ON {table} "
    "FOR EACH STATEMENT EXECUTE FUNCTION control_need_head();\n"
    for table in GUARDED
)
DROP = "ALTER TABLE control_node DROP CONSTRAINT control_node_address_is_one;\n" + "".join(
    f"DROP TRIGGER {table}_needs_head ON {table};\n" for table in GUARDED
)
#: What was written before there were revisions of rows. Sites that there were have keys on their nodes.
FILL_REVISIONS = """
ALTER TABLE control_site DISABLE TRIGGER USER;
UPDATE control_site SET is_imported = true, revision = coalesce(
    (SELECT max(record.revision) FROM control_record AS record WHERE record.site_id = control_site.uid), 0
);
ALTER TABLE control_site ENABLE TRIGGER USER;
ALTER TABLE control_platform DISABLE TRIGGER USER;
UPDATE control_platform SET revision = coalesce(
    (SELECT max(record.revision) FROM control_record AS record WHERE record.site_id IS NULL), 0
);
ALTER TABLE control_platform ENABLE TRIGGER USER;
"""
