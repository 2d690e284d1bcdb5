"""One client of HTTP and of the uwsgi protocol: nobody keeps it waiting or fills its memory, and it loads fast."""
