#!/bin/bash
# The documented contract of the official mysql image: first start initialises the data directory behind the
# socket of a temporary server, every later start only runs the server.
set -euo pipefail
shopt -s nullglob

say() { printf '%s [Note] [Entrypoint]: %s\n' "$(date --rfc-3339=seconds)" "$*"; }
die() { printf '%s [ERROR] [Entrypoint]: %s\n' "$(date --rfc-3339=seconds)" "$*" >&2; exit 1; }

# NAME, or the content of the file that NAME_FILE points at; both at once is a mistake.
load_env() {
    local name=$1 file_name="$1_FILE" value=${2:-}
    if [ -n "${!name:-}" ] && [ -n "${!file_name:-}" ]; then
        die "Both $name and $file_name are set (but are exclusive)"
    fi
    if [ -n "${!name:-}" ]; then
        value=${!name}
    elif [ -n "${!file_name:-}" ]; then
        value=$(< "${!file_name}")
    fi
    export "$name=$value"
    unset "$file_name"
}

# The value that the server itself would use, configuration files and command line considered.
server_option() {
    local key=$1
    shift
    # The name also occurs in the indented help texts; and a closed pipe would count as a failure.
    "$@" --verbose --help --log-bin-index="$(mktemp -u)" 2> /dev/null \
        | awk -v key="$key" 'index($0, key " ") == 1 && !found { found = 1; print $2 }'
}

load_settings() {
    DATADIR=$(server_option datadir "$@")
    SOCKET=$(server_option socket "$@")
    load_env MYSQL_ROOT_HOST %
    load_env MYSQL_DATABASE
    load_env MYSQL_USER
    load_env MYSQL_PASSWORD
    load_env MYSQL_ROOT_PASSWORD
    initialised=
    if [ -d "$DATADIR/mysql" ]; then
        initialised=yes
    fi
}

check_configuration() {
    local output
    if ! output=$("$@" --verbose --help --log-bin-index="$(mktemp -u)" 2>&1 > /dev/null); then
        die "mysqld failed while attempting to check config: $output"
    fi
}

check_passwords() {
    if [ -z "$MYSQL_ROOT_PASSWORD" ] && [ -z "${MYSQL_ALLOW_EMPTY_PASSWORD:-}" ] && [ -z "${MYSQL_RANDOM_ROOT_PASSWORD:-}" ]; then
        die "Database is uninitialized and password option is not specified:" \
            "one of MYSQL_ROOT_PASSWORD, MYSQL_ALLOW_EMPTY_PASSWORD, MYSQL_RANDOM_ROOT_PASSWORD"
    fi
    if [ "$MYSQL_USER" = root ]; then
        die "MYSQL_USER=\"root\": MYSQL_USER and MYSQL_PASSWORD are for a regular user"
    fi
    if [ -n "$MYSQL_PASSWORD" ] && [ -z "$MYSQL_USER" ]; then
        die "MYSQL_PASSWORD is set without MYSQL_USER"
    fi
}

run_client() {
    mysql --defaults-extra-file=<(printf '[client]\npassword="%s"\n' "${client_password:-}") \
        --protocol=socket -uroot -hlocalhost --socket="$SOCKET" --comments "$@"
}

start_temporary_server() {
    say "Starting temporary server"
    "$@" --daemonize --skip-networking --default-time-zone=SYSTEM --socket="$SOCKET" \
        || die "Unable to start server."
    say "Temporary server started."
}

stop_temporary_server() {
    say "Stopping temporary server"
    client_password=$MYSQL_ROOT_PASSWORD
    mysqladmin --defaults-extra-file=<(printf '[client]\npassword="%s"\n' "$client_password") \
        --protocol=socket -uroot --socket="$SOCKET" shutdown || die "Unable to shut down server."
    say "Temporary server stopped"
}

create_accounts() {
    if [ -z "${MYSQL_INITDB_SKIP_TZINFO:-}" ]; then
        mysql_tzinfo_to_sql /usr/share/zoneinfo 2> /dev/null \
            | sed 's/Local time zone must be set--see zic manual page/FCTY/' | run_client --database=mysql
    fi
    if [ -n "${MYSQL_RANDOM_ROOT_PASSWORD:-}" ]; then
        MYSQL_ROOT_PASSWORD=$(openssl rand -base64 24)
        say "GENERATED ROOT PASSWORD: $MYSQL_ROOT_PASSWORD"
    fi
    # Passwords go into the SQL as they are, exactly as the official entrypoint does it.
    local root=
    if [ -n "$MYSQL_ROOT_HOST" ] && [ "$MYSQL_ROOT_HOST" != localhost ]; then
        root="CREATE USER 'root'@'$MYSQL_ROOT_HOST' IDENTIFIED BY '$MYSQL_ROOT_PASSWORD';
              GRANT ALL ON *.* TO 'root'@'$MYSQL_ROOT_HOST' WITH GRANT OPTION;"
    fi
    run_client --database=mysql <<-SQL
		SET @@SESSION.SQL_LOG_BIN=0;
		ALTER USER 'root'@'localhost' IDENTIFIED BY '$MYSQL_ROOT_PASSWORD';
		GRANT ALL ON *.* TO 'root'@'localhost' WITH GRANT OPTION;
		FLUSH PRIVILEGES;
		$root
		DROP DATABASE IF EXISTS test;
	SQL
    client_password=$MYSQL_ROOT_PASSWORD
    if [ -n "$MYSQL_DATABASE" ]; then
        say "Creating database $MYSQL_DATABASE"
        run_client <<< "CREATE DATABASE IF NOT EXISTS \`$MYSQL_DATABASE\`;"
    fi
    if [ -n "$MYSQL_USER" ] && [ -n "$MYSQL_PASSWORD" ]; then
        say "Creating user $MYSQL_USER"
        run_client <<< "CREATE USER '$MYSQL_USER'@'%' IDENTIFIED BY '$MYSQL_PASSWORD';"
        if [ -n "$MYSQL_DATABASE" ]; then
            say "Giving user $MYSQL_USER access to schema $MYSQL_DATABASE"
            run_client <<< "GRANT ALL ON \`${MYSQL_DATABASE//_/\\_}\`.* TO '$MYSQL_USER'@'%';"
        fi
    fi
}

init_sql() { run_client ${MYSQL_DATABASE:+--database="$MYSQL_DATABASE"}; }

run_init_files() {
    local file
    for file in /docker-entrypoint-initdb.d/*; do
        say "running $file"
        case "$file" in
            *.sh) if [ -x "$file" ]; then "$file"; else . "$file"; fi ;;
            *.sql) init_sql < "$file" ;;
            *.sql.bz2) bunzip2 -c "$file" | init_sql ;;
            *.sql.gz) gunzip -c "$file" | init_sql ;;
            *.sql.xz) xzcat "$file" | init_sql ;;
            *.sql.zst) zstd -dc "$file" | init_sql ;;
            *) say "ignoring $file" ;;
        esac
    done
}

initialise() {
    check_passwords
    say "Initializing database files"
    "$@" --initialize-insecure --default-time-zone=SYSTEM
    start_temporary_server "$@"
    create_accounts
    run_init_files
    if [ -n "${MYSQL_ONETIME_PASSWORD:-}" ]; then
        run_client <<< "ALTER USER 'root'@'%' PASSWORD EXPIRE;"
    fi
    stop_temporary_server
    say "MySQL init process done. Ready for start up."
}

wants_help() {
    local argument
    for argument; do
        case "$argument" in
            -'?' | --help | --print-defaults | -V | --version | --validate-config) return 0 ;;
        esac
    done
    return 1
}

if [ "${1:-}" = "" ] || [ "${1:0:1}" = - ]; then
    set -- mysqld "$@"
fi
if [ "$1" = mysqld ] && ! wants_help "$@"; then
    say "Entrypoint script for MySQL Server started."
    check_configuration "$@"
    load_settings "$@"
    if [ "$(id -u)" = 0 ]; then
        mkdir -p "$DATADIR" "$(dirname "$SOCKET")"
        find "$DATADIR" ! -user mysql -exec chown mysql:mysql {} +
        find "$(dirname "$SOCKET")" ! -user mysql -exec chown mysql:mysql {} +
        say "Switching to dedicated user 'mysql'"
        exec setpriv --reuid=mysql --regid=mysql --init-groups -- "$BASH_SOURCE" "$@"
    fi
    if [ -z "$initialised" ]; then
        initialise "$@"
    fi
fi
exec "$@"
