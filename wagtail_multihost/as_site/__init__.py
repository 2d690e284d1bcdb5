"""A command of the project, run as a site: from its record to the account, a snapshot for this run, and the launch."""
