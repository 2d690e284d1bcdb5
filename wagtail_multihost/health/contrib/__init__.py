"""Probes and filters of which each needs an extra."""
