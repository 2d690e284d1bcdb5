"""
The only way in which anything of ours runs as a site's account: :func:`~.execution.execute` starts a program, and
:func:`~.entering.enter` changes a child that was forked from a template which this room executed.

Assume that the site's code is hostile. Nothing here imports Django.
"""
