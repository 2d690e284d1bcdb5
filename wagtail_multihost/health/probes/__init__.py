"""Probes that need only the site's own dependencies; those that need an extra are in ``contrib``."""
