"""The probes that need nothing but the site's own dependencies; ``contrib`` has those that need an extra."""
