"""
How much a request and an answer may have, said once: nginx, which visitors meet, refuses what is more, and whoever is
behind it takes at least as much. The body's size and the time are options.
"""

from __future__ import annotations

KILOBYTE = 1024
#: Longer addresses nginx refuses, though a line as long as a field reaches it.
URL_BYTES = 8 * KILOBYTE
#: The longest field, which is one with several cookies, and nginx's buffer for it. Three are enough for all fields
#: however they fall into them: one with the longest, and two that may each be left half empty before it.
FIELD_BYTES = 16 * KILOBYTE
FIELD_BUFFERS = 3
#: Of the request line and all fields. In uwsgi's protocol the address is there twice, and a field takes up to 6 bytes
#: more (core/protocol.c): this much still fits into its packet.
REQUEST_BYTES = 32 * KILOBYTE
#: What a front server adds to a request on its way to a node, and more.
FRONT_SERVERS_FIELDS = 2 * KILOBYTE
#: The largest packet of uwsgi's protocol (https://uwsgi-docs.readthedocs.io/en/latest/Protocol.html).
UWSGI_PACKET = 65535
#: So many variables of the shortest field fit into a packet, of which uWSGI has room for two in each
#: (core/protocol.c, uwsgi_parse_vars; core/uwsgi.c, vec_size).
UWSGI_VARIABLES = UWSGI_PACKET // 10 // 2 + 1
#: gunicorn counts fields, of four bytes at least.
GUNICORN_FIELDS = (REQUEST_BYTES + FRONT_SERVERS_FIELDS) // 4
GUNICORN_FIELD = REQUEST_BYTES + KILOBYTE
#: Of an answer; uWSGI takes twice as much, the room that it grows by included (``response-headers-limit``).
ANSWER_BYTES = 32 * KILOBYTE
#: How much nginx sets aside for them. The buffer of a page that is kept begins with its key, which has the address in
#: it (ngx_http_file_cache.c), and the nginx of a node adds fields of its own.
ANSWER_BUFFER = 48 * KILOBYTE
#: Small ones for the body: more in all than the large one, as nginx asks (ngx_http_upstream.c, busy_buffers_size).
BODY_BUFFERS, BODY_BUFFER = 16, 4 * KILOBYTE


def kilobytes(size: int) -> str:
    """Return a size as nginx has it."""
    return f"{size // KILOBYTE}k"


def more_than(size: int) -> str:
    """Return a pattern of the decimal numbers above ``size``."""
    digits = str(size)
    longer = f"[0-9]{{{len(digits) + 1},}}"
    same = [
        f"{digits[:place]}[{int(digit) + 1}-9]{'[0-9]' * (len(digits) - place - 1)}"
        for place, digit in enumerate(digits)
        if digit != "9"
    ]
    return f"~^(?:{longer}|{'|'.join(same)})$"
