#!/bin/sh
# Prepares the data folder when it is empty, makes roles and databases that are missing, sets the roles' passwords and
# rights, and becomes PostgreSQL. MLflow's: POSTGRES_DATABASE, POSTGRES_ROLE, POSTGRES_PASSWORD; empty: this server has the
# prediction log alone. The log's: database `heartops` and its owner `heartops_owner`, HEARTOPS_PASSWORD; empty: MLflow
# alone. PGDATA lies below a volume.
set -eu

: "${POSTGRES_DATABASE=}"
: "${HEARTOPS_PASSWORD=}"
if [ -n "$POSTGRES_DATABASE" ]; then
    : "${POSTGRES_ROLE:?must name the owner of POSTGRES_DATABASE}"
    : "${POSTGRES_PASSWORD:?must be the password of POSTGRES_ROLE}"
fi
: "${MAX_CONNECTIONS:=200}"
# The rest is MLflow's, whatever the models do.
: "${LOG_CONNECTIONS:=150}"
: "${LOGINS:=/usr/local/share/heartops/logins.sql}"

fresh="$PGDATA.partial"

# One statement per line, of DATABASE; with -j as the third word statements end with an empty line. The server listens on
# nothing while it runs them.
run_sql() {
    # shellcheck disable=SC2086
    postgres --single -D "$PGDATA" -c exit_on_error=on -c log_checkpoints=off -c log_min_error_statement=panic \
        ${2:-} "$1" >/dev/null
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

# own DATABASE ROLE: both, whatever of them an older volume has. Everybody else is shut out, and the owner has no right
# besides.
own() {
    if missing pg_roles rolname "$2"; then echo "CREATE ROLE \"$2\" LOGIN" | run_sql postgres; fi
    if missing pg_database datname "$1"; then
        echo "CREATE DATABASE \"$1\" OWNER \"$2\"" | run_sql postgres
    fi
    run_sql postgres <<SQL
ALTER DATABASE "$1" OWNER TO "$2"
ALTER ROLE "$2" LOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB NOREPLICATION NOBYPASSRLS PASSWORD $(quote "$3")
REVOKE ALL ON DATABASE "$1" FROM PUBLIC
SQL
}

# monitored: a role that reads statistics alone, for the exporter in the same pod. It has no password: the socket, which no
# other pod has, says which system user connects, and the map says that this one may be it.
monitored() {
    if missing pg_roles rolname heartops_monitor; then echo "CREATE ROLE heartops_monitor LOGIN" | run_sql postgres; fi
    run_sql postgres <<SQL
ALTER ROLE heartops_monitor LOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB NOREPLICATION NOBYPASSRLS CONNECTION LIMIT 3 PASSWORD NULL
GRANT pg_monitor TO heartops_monitor
GRANT CONNECT ON DATABASE postgres TO heartops_monitor
SQL
    peer="local postgres heartops_monitor peer map=exporter"
    grep -qxF "$peer" "$PGDATA/pg_hba.conf" || sed -i "1i $peer" "$PGDATA/pg_hba.conf"
    map="exporter $(id -un 2>/dev/null || id -u) heartops_monitor"
    grep -qxF "$map" "$PGDATA/pg_ident.conf" || echo "$map" >>"$PGDATA/pg_ident.conf"
}

# watch_statements PID: enforces the logins' statement limits while the server of this process id lives. One connection is
# kept, so that logins which use up all others cannot shut it out.
watch_statements() {
    while kill -0 "$1" 2>/dev/null; do
        printf 'SELECT heartops_admin.end_long_statements() \\watch 5\n' | PGPASSWORD="$HEARTOPS_PASSWORD" psql \
            --no-psqlrc --quiet --host=/run/postgresql --username=heartops_owner --dbname=heartops >/dev/null 2>&1 || true
        sleep 2
    done
}

[ -s "$PGDATA/PG_VERSION" ] || initialise

# Each start: whoever mounts the Secret and the volume has a matching pair, whatever happened between.
if [ -n "$POSTGRES_DATABASE" ]; then own "$POSTGRES_DATABASE" "$POSTGRES_ROLE" "$POSTGRES_PASSWORD"; fi
if [ -n "$HEARTOPS_PASSWORD" ]; then
    own heartops heartops_owner "$HEARTOPS_PASSWORD"
    echo "ALTER DATABASE heartops CONNECTION LIMIT $LOG_CONNECTIONS" | run_sql postgres
    # Owner and maker of roles in an earlier release.
    missing pg_roles rolname heartops || echo "ALTER ROLE heartops NOLOGIN NOCREATEROLE" | run_sql postgres
    run_sql heartops -j <"$LOGINS"
fi
run_sql postgres <<SQL
REVOKE ALL ON DATABASE postgres FROM PUBLIC
REVOKE ALL ON DATABASE template1 FROM PUBLIC
SQL
monitored
if [ -n "$HEARTOPS_PASSWORD" ]; then watch_statements $$ & fi
unset POSTGRES_PASSWORD HEARTOPS_PASSWORD

# Every login may LISTEN and NOTIFY, which nothing here uses; by default the queue between them takes 8 GB of the disk.
set --
if postgres --describe-config | grep -q '^max_notify_queue_pages'; then set -- -c max_notify_queue_pages=64; fi # from 17 on

# Every serving pod that logs keeps a connection.
exec postgres -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/run/postgresql \
    -c max_connections="$MAX_CONNECTIONS" "$@"
