# Managed by wagtail-multihost; do not edit.
"""gunicorn's settings for every site. What a site has of its own is in its unit's GUNICORN_CMD_ARGS."""

import gc
import os

from gunicorn.glogging import Logger

SITE = os.environ["MULTIHOST_SITE"]

workers = 2
threads = 1
timeout = 60
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
limit_request_line = 8190
limit_request_fields = 100
limit_request_field_size = 8190


class SiteLogger(Logger):
    error_fmt = f"{SITE} [%(process)d] [%(levelname)s] %(message)s"
    datefmt = ""


logger_class = SiteLogger


def when_ready(server):
    """Leave what was loaded before the workers to the memory that they share."""
    gc.collect()
    gc.freeze()


def post_worker_init(worker):
    """Tell the site the visitor's address, which a unix socket does not have."""
    application = worker.wsgi

    def with_address(environ, start_response):
        environ["REMOTE_ADDR"] = environ.pop("HTTP_X_REAL_IP", "")
        return application(environ, start_response)

    worker.wsgi = with_address
