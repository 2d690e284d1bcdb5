#!/bin/sh
# Reloads what runs in the agent's container. uWSGI's emperor looks at its files by itself.
set -eu
case " $MULTIHOST_TARGETS " in
    *" nginx "*) supervisorctl -c /etc/multihost/supervisord.conf signal HUP nginx ;;
esac
