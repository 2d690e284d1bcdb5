"""The identity fuse: whose database this is, kept in the database."""
