#!/bin/sh
# Options or a configuration file alone mean redis-server; root gives /data to redis and steps down.
set -eu
case "${1:-}" in
    -*) set -- redis-server --protected-mode no "$@" ;;
    *.conf) set -- redis-server "$@" ;;
esac
# The official binary is built with protected mode off; Debian's is not.
if [ "$1" = redis-server ] && [ $# -eq 1 ]; then
    set -- redis-server --protected-mode no
fi
if [ "$1" = redis-server ] && [ "$(id -u)" = 0 ]; then
    if [ -z "${SKIP_FIX_PERMS:-}" ]; then
        find . ! -user redis -exec chown redis:redis {} +
    fi
    exec setpriv --reuid=redis --regid=redis --init-groups -- "$0" "$@"
fi
# New files hold data: not for others.
if [ "$(umask)" = 0022 ]; then
    umask 0077
fi
exec "$@"
