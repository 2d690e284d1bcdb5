"""
The isolation kit for adopters: two sites of a project, and canaries that show whether anything crosses between them.

Importing this package imports nothing else: pytest loads the plugin in every run, and Django's settings may not be
ready.
"""
