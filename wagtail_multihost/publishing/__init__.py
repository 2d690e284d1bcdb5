"""Writing the files that sites are read from: snapshots, and the pins of a registry file."""
