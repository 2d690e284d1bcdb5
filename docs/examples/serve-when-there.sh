#!/bin/sh
# Starts a server once the agent has written its file: serve-when-there.sh FILE PROGRAM [ARGUMENT...]
# A reload that comes before has nothing to do yet. nginx heeds the signal again when it has started.
trap "" HUP
file=$1
shift
until [ -e "$file" ]; do
    sleep 0.2
done
exec "$@"
