"""The agent: makes a node what the registry in PostgreSQL says, and reports. Django is not needed."""
