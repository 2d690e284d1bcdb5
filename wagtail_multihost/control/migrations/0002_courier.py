from django.db import migrations, models

from wagtail_multihost.nodeapi import courier_v1


class Migration(migrations.Migration):
    dependencies = [("multihost_control", "0001_initial")]

    operations = [
        migrations.AddField("verification", "lease", models.UUIDField(editable=False, null=True)),
        migrations.AddField("verification", "lease_until", models.DateTimeField(editable=False, null=True)),
        migrations.AddField(
            "verification",
            "lease_holder",
            models.CharField(blank=True, default="", editable=False, max_length=60),
        ),
        migrations.AddField("verification", "lease_wish", models.DateTimeField(editable=False, null=True)),
        migrations.RunSQL(courier_v1.CREATE, courier_v1.DROP),
    ]
