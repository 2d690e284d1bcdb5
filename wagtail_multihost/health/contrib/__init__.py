"""Probes that need an extra, and integrations with other packages."""
