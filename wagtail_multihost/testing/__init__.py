"""The isolation kit for adopters: two sites of a project, and canaries that tell when anything crosses."""
