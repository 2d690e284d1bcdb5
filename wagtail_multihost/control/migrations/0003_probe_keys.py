from django.db import migrations, models

from wagtail_multihost.control import probe_key_triggers
from wagtail_multihost.nodeapi import probe_keys_v1


class Migration(migrations.Migration):
    dependencies = [("multihost_control", "0002_nodes")]

    operations = [
        migrations.AddField("managedsite", "probe_key", models.BinaryField(editable=False, max_length=32, null=True)),
        migrations.RunSQL(probe_key_triggers.CREATE, probe_key_triggers.DROP),
        migrations.RunSQL(probe_keys_v1.CREATE, probe_keys_v1.DROP),
    ]
