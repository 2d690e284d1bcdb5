# Managed by wagtail-multihost; do not edit.
"""gunicorn's settings for every site. What a site has of its own is in its unit's GUNICORN_CMD_ARGS."""

import gc
import os

from gunicorn.glogging import Logger

SITE = os.environ["MULTIHOST_SITE"]

workers = 2
threads = 1
# nginx is the one to tell a visitor that a request takes too long; then the worker is replaced.
timeout = 61
graceful_timeout = 60
# With the jitter workers are not replaced at once.
max_requests = 5000
max_requests_jitter = 500

proc_name = f"multihost {SITE}"
preload_app = True
# Each site has a /dev/shm of its own (see its unit): a heartbeat that waits for a disk looks like a hung worker.
worker_tmp_dir = "/dev/shm"
# A socket beside the site's own, through which whoever has the site's account could steer its master.
control_socket_disable = True

# nginx logs requests.
accesslog = None
errorlog = "-"
capture_output = False

# Only the front server connects, which always sets these headers; no other header says anything about a visitor.
secure_scheme_headers = {"X-FORWARDED-PROTO": "https"}
forwarded_allow_ips = "127.0.0.1"
forwarder_headers = ""
header_map = "drop"
# nginx refuses what is too long, and this takes all that it lets through.
limit_request_line = 0
limit_request_fields = 8704
limit_request_field_size = 33792
# What nginx takes of an answer.
ANSWER_BYTES = 32768


class SiteLogger(Logger):
    error_fmt = f"{SITE} [%(process)d] [%(levelname)s] %(message)s"
    datefmt = ""


logger_class = SiteLogger


def when_ready(server):
    """Leave what was loaded before the workers to the memory that they share."""
    gc.collect()
    gc.freeze()


def post_worker_init(worker):
    """Tell the site the visitor's address, which a unix socket does not have, and end answers that nginx refuses."""
    application = worker.wsgi

    def bounded(environ, start_response):
        environ["REMOTE_ADDR"] = environ.pop("HTTP_X_REAL_IP", "")

        def start(status, headers, exc_info=None):
            size = sum(len(name) + len(value) + 4 for name, value in headers)
            if size > ANSWER_BYTES:
                raise ValueError(f"The headers of this answer have {size} bytes; at most {ANSWER_BYTES} are accepted.")
            return start_response(status, headers, exc_info)

        return application(environ, start)

    worker.wsgi = bounded


def post_request(worker, request, environ, response):
    """Read what the site has left of a body: nginx still sends it, and answers 502 when the socket is closed first."""
    while environ["wsgi.input"].read(1 << 16):
        pass
