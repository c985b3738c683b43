#!/bin/sh
# Prepares the data folder when it is empty, sets the role's password, and becomes PostgreSQL.
# Needs POSTGRES_DATABASE, POSTGRES_ROLE and POSTGRES_PASSWORD; PGDATA lies below a volume.
set -eu

: "${POSTGRES_DATABASE:?must name the database to create}"
: "${POSTGRES_ROLE:?must name its owner}"
: "${POSTGRES_PASSWORD:?must be the password of POSTGRES_ROLE}"

fresh="$PGDATA.partial"

# One statement per line; the server listens on nothing while it runs them.
run_sql() {
    postgres --single -D "$1" -c exit_on_error=on -c log_checkpoints=off -c log_min_error_statement=panic "$2" >/dev/null
}

quote() {
    printf "'%s'" "$(printf %s "$1" | sed "s/'/''/g")"
}

initialise() {
    echo "preparing a new database in $PGDATA" >&2
    # An earlier attempt that was interrupted leaves nothing that counts.
    rm -rf "$fresh"
    initdb --pgdata="$fresh" --username=postgres --encoding=UTF8 --locale=C.UTF-8 --data-checksums \
        --auth=reject >/dev/null
    # Passwords alone; the superuser has none, so that nobody logs in as it.
    printf '%s\n' "local all all scram-sha-256" "host all all all scram-sha-256" >"$fresh/pg_hba.conf"
    run_sql "$fresh" postgres <<SQL
CREATE ROLE "$POSTGRES_ROLE" LOGIN
CREATE DATABASE "$POSTGRES_DATABASE" OWNER "$POSTGRES_ROLE"
SQL
    mv "$fresh" "$PGDATA"
}

[ -s "$PGDATA/PG_VERSION" ] || initialise

# Each start: whoever mounts the Secret and the volume has a matching pair, whatever happened between.
run_sql "$PGDATA" postgres <<SQL
ALTER ROLE "$POSTGRES_ROLE" PASSWORD $(quote "$POSTGRES_PASSWORD")
SQL
unset POSTGRES_PASSWORD

exec postgres -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/run/postgresql
