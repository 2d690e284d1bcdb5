"""Which nodes sites should be on, and how they get there."""
