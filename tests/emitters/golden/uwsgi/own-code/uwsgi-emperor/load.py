# Managed by wagtail-multihost; do not edit.
"""
Loads the site's application in the master, before its workers are forked.

What uWSGI leaves to applications is done for it: an error that it raises is a 500, and so are headers that nginx would
refuse (502); an answer to HEAD has no body.
"""

import gc
import importlib
import os
import traceback

import uwsgi

FREEZE = False
# What nginx takes of an answer.
ANSWER_BYTES = 32768


def option(name):
    value = uwsgi.opt[name]
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else value


def answering(application):
    """Return an application that answers in any case."""

    def answer(environ, start_response):
        started = []

        def start(status, headers, exc_info=None):
            size = sum(len(name) + len(value) + 4 for name, value in headers)
            if size > ANSWER_BYTES:
                raise ValueError(f"The headers of this answer have {size} bytes; at most {ANSWER_BYTES} are accepted.")
            started.append(status)
            return start_response(status, headers, *([exc_info] if exc_info else []))

        try:
            body = application(environ, start)
            if environ["REQUEST_METHOD"] == "HEAD":
                body = without_content(body, started)
        except Exception:
            traceback.print_exc()
            text = b"Internal Server Error"
            headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))]
            # Without exc_info: uWSGI would take it for an error of its own (python_plugin.c, py_uwsgi_spit).
            start_response("500 Internal Server Error", headers)
            return [] if environ["REQUEST_METHOD"] == "HEAD" else [text]
        return body

    return answer


def without_content(body, started):
    """Return no content; an application that is a generator states its headers with the first part alone."""
    try:
        if not started:
            next(iter(body), b"")
    finally:
        if hasattr(body, "close"):
            body.close()
    return []


# In the wheel the variables reach os.environ with the application only, and uwsgi.opt has the last of them alone.
with open(option("ini"), encoding="utf-8", errors="surrogateescape") as ini:
    for line in ini:
        key, _, variable = line.rstrip("\n").partition(" = ")
        if key == "env":
            name, _, value = variable.partition("=")
            os.environ.setdefault(name, value)

path, _, name = option("module").partition(":")
module = importlib.import_module(path)
setattr(module, name, answering(getattr(module, name)))
if FREEZE:
    # What is there by now is left out of garbage collection: collections in a worker write to no memory that it shares.
    gc.collect()
    gc.freeze()
