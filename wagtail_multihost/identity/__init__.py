"""The identity fuse: each database holds the identity of its site."""
