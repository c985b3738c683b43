-- What PostgreSQL's superuser does in the prediction log's database at every start: it makes the role of a namespace,
-- and takes from everybody what a namespace has no use for. No role that can log in may make roles itself.
-- Statements are parted by a semicolon and an empty line (postgres --single -j).

REVOKE ALL ON SCHEMA public FROM PUBLIC;

-- Large objects lie outside every schema and count for no limit.
REVOKE EXECUTE ON FUNCTION pg_catalog.lo_creat(integer), pg_catalog.lo_create(oid),
    pg_catalog.lo_from_bytea(oid, bytea), pg_catalog.lo_put(oid, bigint, bytea),
    pg_catalog.lowrite(integer, bytea) FROM PUBLIC;

-- Advisory locks live in a table that all databases of the server share.
REVOKE EXECUTE ON FUNCTION
    pg_catalog.pg_advisory_lock(bigint), pg_catalog.pg_advisory_lock(integer, integer),
    pg_catalog.pg_advisory_lock_shared(bigint), pg_catalog.pg_advisory_lock_shared(integer, integer),
    pg_catalog.pg_advisory_xact_lock(bigint), pg_catalog.pg_advisory_xact_lock(integer, integer),
    pg_catalog.pg_advisory_xact_lock_shared(bigint), pg_catalog.pg_advisory_xact_lock_shared(integer, integer),
    pg_catalog.pg_try_advisory_lock(bigint), pg_catalog.pg_try_advisory_lock(integer, integer),
    pg_catalog.pg_try_advisory_lock_shared(bigint), pg_catalog.pg_try_advisory_lock_shared(integer, integer),
    pg_catalog.pg_try_advisory_xact_lock(bigint), pg_catalog.pg_try_advisory_xact_lock(integer, integer),
    pg_catalog.pg_try_advisory_xact_lock_shared(bigint), pg_catalog.pg_try_advisory_xact_lock_shared(integer, integer)
    FROM PUBLIC;

GRANT EXECUTE ON FUNCTION pg_catalog.pg_advisory_xact_lock(bigint) TO heartops_owner;

-- They write to the server's disk and count for no limit: a record of any size in the log that all databases share, and a
-- file for each call. By name, as PostgreSQL 17 has other parameters.
DO $$
DECLARE
    writer regprocedure;
BEGIN
    FOR writer IN SELECT oid FROM pg_catalog.pg_proc
        WHERE pronamespace = 'pg_catalog'::regnamespace AND proname IN ('pg_logical_emit_message', 'pg_export_snapshot')
    LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', writer);
    END LOOP;
END $$;

-- For a pg_dump with several jobs.
GRANT EXECUTE ON FUNCTION pg_catalog.pg_export_snapshot() TO heartops_owner;

REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC;

GRANT USAGE ON LANGUAGE plpgsql TO heartops_owner;

CREATE SCHEMA IF NOT EXISTS heartops_admin AUTHORIZATION CURRENT_USER;

REVOKE ALL ON SCHEMA heartops_admin FROM PUBLIC;

GRANT USAGE ON SCHEMA heartops_admin TO heartops_owner;

CREATE OR REPLACE FUNCTION heartops_admin.role_of(namespace text) RETURNS name
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF namespace IS NULL OR namespace !~ '^[a-z0-9]([-a-z0-9]{0,58}[a-z0-9])?$' THEN
        RAISE EXCEPTION '% is not the name of a namespace with at most 60 characters', quote_nullable(namespace);
    END IF;
    RETURN 'ns-' || namespace;
END $$;

-- Longest statement of each login, out of the logins' reach: every session may change its own statement_timeout.
CREATE TABLE IF NOT EXISTS heartops_admin.limits (login name PRIMARY KEY, statement_seconds integer NOT NULL);

-- Since when the login has its password: sessions that began earlier used another one. 'infinity': since the transaction
-- that changed it, whose end nobody knows until it is over.
ALTER TABLE heartops_admin.limits ADD COLUMN IF NOT EXISTS renewed timestamptz NOT NULL DEFAULT '-infinity';

-- Salt and number of rounds of the login's password, as `rounds:salt`; NULL without one. With them the same password has
-- the same hash, so that `admit` can tell whether it is another one. A client learns both when it logs in.
CREATE OR REPLACE FUNCTION heartops_admin.salt_of(namespace text) RETURNS text
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT split_part(rolpassword, '$', 2) FROM pg_authid
    WHERE rolname = heartops_admin.role_of(namespace) AND rolpassword LIKE 'SCRAM-SHA-256$%'
$$;

-- The login of a namespace: no right but to connect, no membership, and limits that it cannot lift: connections and
-- temporary files by PostgreSQL, statements by end_long_statements. Its own settings are thrown away.
CREATE OR REPLACE FUNCTION heartops_admin.admit(
    namespace text, secret text, schema name, connections integer, statement_seconds integer, temp_megabytes integer
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    login name := heartops_admin.role_of(namespace);
    other name;
    since timestamptz;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = login) THEN
        EXECUTE format('CREATE ROLE %I', login);
    END IF;
    SELECT CASE WHEN rolpassword = secret THEN '-infinity' ELSE 'infinity' END INTO since
        FROM pg_authid WHERE rolname = login;
    EXECUTE format(
        'ALTER ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS NOINHERIT'
        ' CONNECTION LIMIT %s PASSWORD %L', login, connections, secret);
    FOR other IN SELECT roleid::regrole::text FROM pg_auth_members WHERE member = (quote_ident(login))::regrole LOOP
        EXECUTE format('REVOKE %s FROM %I', other, login);
    END LOOP;
    FOR other IN SELECT member::regrole::text FROM pg_auth_members WHERE roleid = (quote_ident(login))::regrole LOOP
        EXECUTE format('REVOKE %I FROM %s', login, other);
    END LOOP;
    -- Schemas that an earlier release gave to the namespace: kept, out of its reach.
    FOR other IN SELECT nspname FROM pg_namespace WHERE nspowner = (quote_ident(login))::regrole LOOP
        EXECUTE format('ALTER SCHEMA %I OWNER TO CURRENT_USER', other);
        EXECUTE format('REVOKE ALL ON SCHEMA %I FROM %I', other, login);
    END LOOP;
    EXECUTE format('ALTER ROLE %I RESET ALL', login);
    EXECUTE format('ALTER ROLE %I IN DATABASE %I RESET ALL', login, current_database());
    EXECUTE format('ALTER ROLE %I SET search_path = %I, pg_temp', login, schema);
    EXECUTE format('ALTER ROLE %I SET statement_timeout = %L', login, statement_seconds || 's');
    EXECUTE format('ALTER ROLE %I SET idle_in_transaction_session_timeout = %L', login, statement_seconds || 's');
    INSERT INTO heartops_admin.limits AS known VALUES (login, admit.statement_seconds, coalesce(since, 'infinity'))
        ON CONFLICT ON CONSTRAINT limits_pkey DO UPDATE
        SET statement_seconds = excluded.statement_seconds, renewed = greatest(known.renewed, excluded.renewed);
    EXECUTE format('ALTER ROLE %I SET temp_file_limit = %L', login, temp_megabytes || 'MB');
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), login);
END $$;

-- Ends the sessions of a namespace and drops its login, with what an earlier release let it own.
CREATE OR REPLACE FUNCTION heartops_admin.dismiss(namespace text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    login name := heartops_admin.role_of(namespace);
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = login) THEN
        EXECUTE format('ALTER ROLE %I NOLOGIN', login);
        PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = login;
        EXECUTE format('DROP OWNED BY %I', login);
        EXECUTE format('DROP ROLE %I', login);
    END IF;
    DELETE FROM heartops_admin.limits WHERE limits.login = heartops_admin.role_of(namespace);
END $$;

-- Ends the sessions of logins whose statement takes longer than the login's limit and a second of grace, whose
-- transaction takes ten times as long, or which began with a password that has been changed; how many. The image runs it
-- every five seconds.
CREATE OR REPLACE FUNCTION heartops_admin.end_long_statements() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE heartops_admin.limits SET renewed = clock_timestamp() WHERE renewed = 'infinity';
    RETURN (
        SELECT count(pg_terminate_backend(activity.pid))
        FROM pg_stat_activity AS activity JOIN heartops_admin.limits ON limits.login = activity.usename
        WHERE activity.backend_type = 'client backend' AND (
            (activity.state = 'active'
                AND clock_timestamp() - activity.query_start > make_interval(secs => limits.statement_seconds + 1))
            OR clock_timestamp() - activity.xact_start > make_interval(secs => 10 * limits.statement_seconds)
            OR activity.backend_start < limits.renewed
        )
    );
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA heartops_admin FROM PUBLIC;

GRANT EXECUTE ON FUNCTION heartops_admin.admit(text, text, name, integer, integer, integer) TO heartops_owner;

GRANT EXECUTE ON FUNCTION heartops_admin.salt_of(text) TO heartops_owner;

GRANT EXECUTE ON FUNCTION heartops_admin.dismiss(text) TO heartops_owner;

GRANT EXECUTE ON FUNCTION heartops_admin.end_long_statements() TO heartops_owner;

