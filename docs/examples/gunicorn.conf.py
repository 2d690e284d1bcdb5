"""gunicorn's logs, without the lines of probes that passed."""

from __future__ import annotations

logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "root": {"handlers": ["error"], "level": "INFO"},
    "filters": {"probes": {"()": "wagtail_multihost.health.access_log.ProbeFilter"}},
    "formatters": {"plain": {"format": "%(message)s"}},
    "handlers": {
        "access": {"class": "logging.StreamHandler", "filters": ["probes"], "formatter": "plain"},
        "error": {"class": "logging.StreamHandler"},
    },
    "loggers": {"gunicorn.access": {"handlers": ["access"], "level": "INFO", "propagate": False}},
}
