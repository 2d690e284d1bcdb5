"""Settings of the health endpoint, for the project's settings module."""

from __future__ import annotations

MULTIHOST_HEALTH = {
    "NETWORKS": ["10.20.0.0/16"],
    "INTERVAL": 15,
    "PROBES": {
        "database": {
            "BACKEND": "wagtail_multihost.health.probes.database.DatabaseProbe",
            "OPTIONS": {"timeout": 0.5},
        },
        "migrations": {"BACKEND": "wagtail_multihost.health.probes.migrations.MigrationsProbe"},
        "cache": {
            "BACKEND": "wagtail_multihost.health.probes.cache.CacheProbe",
            "OPTIONS": {"criticality": "degraded"},
        },
    },
}
