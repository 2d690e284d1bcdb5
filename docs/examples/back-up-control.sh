#!/bin/sh
# Copy the control database: back-up-control.sh DATABASE FOLDER. The login is that of PGHOST, PGUSER, PGPASSFILE and so
# on. A copy is complete or is not there; the last 14 are kept.
set -eu
umask 077
database=$1
folder=$2
mkdir -p "$folder"
copy="$folder/control-$(date -u +%Y-%m-%dT%H%M%SZ).dump"
trap 'rm -f "$copy.part"' EXIT
pg_dump --format custom --file "$copy.part" "$database"
pg_restore --list "$copy.part" > /dev/null
sync "$copy.part"
mv "$copy.part" "$copy"
ls -1t "$folder"/control-*.dump | tail -n +15 | while read -r old; do rm -f "$old"; done
