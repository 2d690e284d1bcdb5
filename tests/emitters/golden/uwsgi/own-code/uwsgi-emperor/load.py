# Managed by wagtail-multihost; do not edit.
"""
Loads the site's application in the master, before its workers are forked.

What uWSGI leaves to applications is done for it: an error that it raises is a 500, and so are headers that nginx would
refuse (502); an answer to HEAD has no body; parts of files that uWSGI would send wrongly are sent from here.
"""

import gc
import importlib
import os
import re
import traceback
from email.utils import formatdate

import uwsgi

FREEZE = False
SENDS_FILES = False
# One part: the last bytes, or those from one on, up to another or to the end.
PART = re.compile(r"bytes=(?:-([0-9]{1,18})|([0-9]{1,18})-([0-9]{0,18}))")
BLOCK = 1 << 16
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


def sending_parts(application):
    """Return an application that sends the file which the routes in a vassal's ini name, and else asks the site's."""

    def answer(environ, start_response):
        path = environ.pop("MULTIHOST_FILE", "")
        return send(path, environ, start_response) if path else application(environ, start_response)

    return answer


def send(path, environ, start_response):
    """Answer with the part of a file that is asked for, as RFC 9110 (section 14) has it."""
    with open(path.encode("latin-1"), "rb") as file:
        size, moment = os.fstat(file.fileno()).st_size, formatdate(int(os.fstat(file.fileno()).st_mtime), usegmt=True)
        first, end = part(environ.get("HTTP_RANGE", ""), size)
        if environ.get("HTTP_IF_RANGE") not in (None, "", moment) or first is None:
            status, headers, first, end = "200 OK", [], 0, size
        elif first >= end:
            status, headers = "416 Range Not Satisfiable", [("Content-Range", f"bytes */{size}")]
        else:
            status, headers = "206 Partial Content", [("Content-Range", f"bytes {first}-{end - 1}/{size}")]
        headers += [("Content-Length", str(max(0, end - first))), ("Last-Modified", moment)]
        headers += [("Content-Type", environ.get("MULTIHOST_TYPE") or "application/octet-stream")]
        start_response(status, headers)
        file.seek(first)
        while first < end:
            block = file.read(min(BLOCK, end - first))
            if not block:
                return
            first += len(block)
            yield block


def part(asked, size):
    """Return the first byte that is asked for, and the one after the last; None and None for what is no such part."""
    found = PART.fullmatch(asked.replace(" ", ""))
    if not found:
        return None, None
    last_bytes, first, last = found.groups()
    if last_bytes:
        return max(0, size - int(last_bytes)), size
    if last and int(last) < int(first):
        return None, None
    return int(first), min(size, int(last) + 1 if last else size)


# In the wheel the variables reach os.environ with the application only, and uwsgi.opt has the last of them alone.
# A percent sign is doubled in the file.
with open(option("ini"), encoding="utf-8", errors="surrogateescape") as ini:
    for line in ini:
        key, _, variable = line.rstrip("\n").partition(" = ")
        if key == "env":
            name, _, value = variable.partition("=")
            os.environ.setdefault(name, value.replace("%%", "%"))

path, _, name = option("module").partition(":")
module = importlib.import_module(path)
application = getattr(module, name)
setattr(module, name, answering(sending_parts(application) if SENDS_FILES else application))
if FREEZE:
    # What is there by now is left out of garbage collection: collections in a worker write to no memory that it shares.
    gc.collect()
    gc.freeze()
