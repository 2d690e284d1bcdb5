exec uwsgi --http-socket 0.0.0.0:8000 --pidfile /run/aurora.pid --module mysite.wsgi \
    --master --processes 2 --threads 4 --enable-threads --need-app --py-call-uwsgi-fork-hooks --worker-reload-mercy 30 \
    --hook-master-start "unix_signal:15 gracefully_kill_them_all"
