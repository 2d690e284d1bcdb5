"""
The isolation kit for adopters: two sites of a project, and canaries that tell when anything crosses.

Importing this imports nothing else: pytest loads the plugin in every run, and Django's settings may not be ready.
"""
