"""The contract between the control app and nodes: what nodes read in PostgreSQL, by version. Django is not needed."""
