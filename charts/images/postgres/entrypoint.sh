#!/bin/sh
# Prepares the data folder when it is empty, makes roles and databases that are missing, sets the roles' passwords, and
# becomes PostgreSQL. MLflow's: POSTGRES_DATABASE, POSTGRES_ROLE, POSTGRES_PASSWORD. The prediction log's: database and
# role `heartops`, HEARTOPS_PASSWORD; that role makes the namespaces' own (CREATEROLE). PGDATA lies below a volume.
set -eu

: "${POSTGRES_DATABASE:?must name the database to create}"
: "${POSTGRES_ROLE:?must name its owner}"
: "${POSTGRES_PASSWORD:?must be the password of POSTGRES_ROLE}"
: "${HEARTOPS_PASSWORD:?must be the password of the role heartops}"

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
    mv "$fresh" "$PGDATA"
}

# missing CATALOGUE COLUMN NAME: whether there is no such role or database.
missing() {
    ! echo "SELECT 'found' FROM $1 WHERE $2 = '$3'" | postgres --single -D "$PGDATA" postgres | grep -q found
}

# own DATABASE ROLE: both, whatever of them an older volume has.
own() {
    if missing pg_roles rolname "$2"; then echo "CREATE ROLE \"$2\" LOGIN" | run_sql "$PGDATA" postgres; fi
    if missing pg_database datname "$1"; then
        echo "CREATE DATABASE \"$1\" OWNER \"$2\"" | run_sql "$PGDATA" postgres
    fi
}

[ -s "$PGDATA/PG_VERSION" ] || initialise
own "$POSTGRES_DATABASE" "$POSTGRES_ROLE"
own heartops heartops

# Each start: whoever mounts the Secret and the volume has a matching pair, whatever happened between.
run_sql "$PGDATA" postgres <<SQL
ALTER ROLE "$POSTGRES_ROLE" PASSWORD $(quote "$POSTGRES_PASSWORD")
ALTER ROLE heartops CREATEROLE PASSWORD $(quote "$HEARTOPS_PASSWORD")
REVOKE CONNECT ON DATABASE "$POSTGRES_DATABASE" FROM PUBLIC
REVOKE CONNECT ON DATABASE heartops FROM PUBLIC
REVOKE CONNECT ON DATABASE postgres FROM PUBLIC
SQL
unset POSTGRES_PASSWORD HEARTOPS_PASSWORD

# Every serving pod that logs keeps a connection.
exec postgres -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/run/postgresql -c max_connections=200
