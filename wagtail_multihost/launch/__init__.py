"""
The only way in which this package runs anything as a site's account: :func:`~.execution.execute` starts a program,
and :func:`~.entering.enter` changes a child that was forked from a template which this room executed.

Assume that the site's code is hostile. Nothing here imports Django.
"""
