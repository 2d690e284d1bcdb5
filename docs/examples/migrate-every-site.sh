sites=$(python manage.py multihost_sites --json) || exit 2
sites=$(echo "$sites" | python -c 'import json, sys; print(*[s["id"] for s in json.load(sys.stdin) if s["enabled"]])') || exit 2
failed=
for site in $sites; do
    timeout --kill-after=10 "${SECONDS_EACH:-600}" python manage.py multihost_as "$site" migrate --noinput < /dev/null ||
        failed="$failed $site"
done
[ -z "$failed" ] || { echo "These sites failed:$failed" >&2; exit 1; }
