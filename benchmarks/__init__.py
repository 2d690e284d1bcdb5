"""What the package costs, measured: one command each, described in README.md."""
