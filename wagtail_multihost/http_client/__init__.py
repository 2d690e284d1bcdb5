"""A client for HTTP and the uwsgi protocol that is bounded in time and memory, and loads fast."""
