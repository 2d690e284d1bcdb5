exec gunicorn --bind 0.0.0.0:8000 --pid /run/aurora.pid --workers 2 --threads 4 --graceful-timeout 30 mysite.wsgi
