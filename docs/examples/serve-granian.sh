exec granian --interface wsgi --host 0.0.0.0 --port 8000 --pid-file /run/aurora.pid --workers 2 \
    --workers-kill-timeout 30s mysite.wsgi:application
