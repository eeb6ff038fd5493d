#!/bin/sh
# Runs what lies in /docker-entrypoint.d before nginx starts: *.envsh is sourced, *.sh is run.
set -eu
if [ "$1" = nginx ] || [ "$1" = nginx-debug ]; then
    for hook in /docker-entrypoint.d/*; do
        case "$hook" in
            *.envsh) [ -x "$hook" ] && . "$hook" ;;
            *.sh) [ -x "$hook" ] && "$hook" ;;
        esac
    done
fi
exec "$@"
