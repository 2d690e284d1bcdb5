"""Running a command of the project as a site: its account, a snapshot for this run, and the launch."""
