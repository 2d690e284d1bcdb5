#!/bin/sh
# Create a site, give it an alias, and wait until it answers. Needs curl 7.76 alone.
#
#   CONTROL=https://control.example.org TOKEN_FILE=token sh create-site-by-api.sh dione dione.example.org www.dione.example.org
#
# SITE_URL is the address to wait for, if it is not that of the hostname; SECONDS_TO_WAIT, for how long.
set -eu
site=$1 hostname=$2 alias=$3
api=$CONTROL/api/control/v1
url=${SITE_URL:-https://$hostname/}

# The token comes by standard input: other users see the words of a command.
ask() {
    { printf 'Authorization: Bearer ' && cat "$TOKEN_FILE"; } |
        curl --silent --show-error --fail-with-body --header @- --header 'Content-Type: application/json' "$@"
    echo
}

ask --request PUT --header 'If-None-Match: *' --data "{\"record\": {\"hostnames\": [\"$hostname\"]}}" "$api/sites/$site"
ask --request PUT --data '{"role": "alias"}' "$api/sites/$site/hostnames/$alias"

left=${SECONDS_TO_WAIT:-60}
until curl --silent --fail --location --output /dev/null --max-time 5 "$url"; do
    left=$((left - 1))
    [ "$left" -gt 0 ] || { echo "$url does not answer." >&2; exit 1; }
    sleep 1
done
echo "$url answers."
