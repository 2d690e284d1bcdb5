"""Probes that need an extra each, and what is for other packages."""
