# Managed by wagtail-multihost; do not edit.
"""
Loads the site's application in the master, before its workers are forked, and leaves what is there by then out of
garbage collection (gc.freeze): collections in a worker write to no memory that it shares with the others.
"""

import gc
import importlib
import os

import uwsgi


def option(name):
    value = uwsgi.opt[name]
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value


# In the wheel the variables reach os.environ with the application only, and uwsgi.opt has the last of them alone.
with open(option("ini"), encoding="utf-8", errors="surrogateescape") as ini:
    for line in ini:
        key, _, variable = line.rstrip("\n").partition(" = ")
        if key == "env":
            name, _, value = variable.partition("=")
            os.environ.setdefault(name, value)

importlib.import_module(option("module").partition(":")[0])
gc.collect()
gc.freeze()
