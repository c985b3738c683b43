"""Daily write quota of a namespace: a trigger counts the rows of every statement and rejects those above the quota.

A transaction that is rolled back takes its count back, and leaves its rows on the disk until they are vacuumed. So a
second trigger counts attempts before they are written, in a sequence, which no rollback takes back.

Counts and limits are in schema `heartops_log`, which no login can reach. A rejected statement fails with SQLSTATE 53400
(configuration_limit_exceeded).
"""

from sqlalchemy import Connection, text

TABLES = (
    "CREATE SCHEMA IF NOT EXISTS heartops_log AUTHORIZATION CURRENT_USER",
    "REVOKE ALL ON SCHEMA heartops_log FROM PUBLIC",
    """CREATE TABLE IF NOT EXISTS heartops_log.quota (
        schema name PRIMARY KEY, rows_per_day bigint NOT NULL, bytes_per_day bigint NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS heartops_log.usage (
        schema name, day date, rows bigint NOT NULL, bytes bigint NOT NULL, PRIMARY KEY (schema, day))""",
    "DELETE FROM heartops_log.usage WHERE day < CURRENT_DATE - 7",
    """CREATE OR REPLACE FUNCTION heartops_log.count_rows() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DECLARE
        new_rows bigint;
        new_bytes bigint;
        used record;
        allowed record;
    BEGIN
        SELECT count(*), coalesce(sum(pg_column_size(written.*)), 0) INTO new_rows, new_bytes FROM written;
        SELECT * INTO allowed FROM heartops_log.quota WHERE schema = TG_TABLE_SCHEMA;
        INSERT INTO heartops_log.usage AS known VALUES (TG_TABLE_SCHEMA, CURRENT_DATE, new_rows, new_bytes)
            ON CONFLICT (schema, day) DO UPDATE SET rows = known.rows + new_rows, bytes = known.bytes + new_bytes
            RETURNING * INTO used;
        IF used.rows > allowed.rows_per_day OR used.bytes > allowed.bytes_per_day THEN
            RAISE EXCEPTION 'the daily limit of % is reached (% rows, % bytes)',
                TG_TABLE_SCHEMA, allowed.rows_per_day, allowed.bytes_per_day USING ERRCODE = '53400';
        END IF;
        RETURN NULL;
    END $$""",
    "REVOKE ALL ON FUNCTION heartops_log.count_rows() FROM PUBLIC",
    """CREATE OR REPLACE FUNCTION heartops_log.count_attempt() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DECLARE
        counter regclass := TG_ARGV[0];
        today bigint := (CURRENT_DATE - DATE '2020-01-01') * 1000000000000;
        used bigint := nextval(counter);
    BEGIN
        IF used < today THEN
            used := setval(counter, today);
        END IF;
        FOR kilobyte IN 1 .. pg_column_size(NEW) / 1024 LOOP
            used := nextval(counter);
        END LOOP;
        IF used - today > TG_ARGV[1]::bigint THEN
            RAISE EXCEPTION 'the daily limit of % is reached (% rows or kilobytes, with those rolled back)',
                TG_TABLE_SCHEMA, TG_ARGV[1] USING ERRCODE = '53400';
        END IF;
        RETURN NEW;
    END $$""",
    "REVOKE ALL ON FUNCTION heartops_log.count_attempt() FROM PUBLIC",
)
COUNTER = "heartops_log.%1$I"
"""Sequence of a schema (`format` of PostgreSQL): rows and begun kilobytes of today above the day's number."""
ATTEMPTS = 2
"""How often a day's rows and bytes may be tried: a batch that is sent again counts again."""
TRIGGER = """CREATE OR REPLACE TRIGGER heartops_{event} AFTER {event} ON {table}
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION heartops_log.count_rows()"""
ATTEMPT = """CREATE OR REPLACE TRIGGER heartops_attempt BEFORE INSERT OR UPDATE ON {table}
    FOR EACH ROW EXECUTE FUNCTION heartops_log.count_attempt('{counter}', {most})"""


def limit_rows(connection: Connection, schema: str, rows: int, size: int) -> None:
    """Rows and bytes that may be inserted into, or changed in, the schema's tables per day (UTC of the server).

    The search path names the schema.
    """
    for statement in TABLES:
        connection.exec_driver_sql(statement.replace("%", "%%"))
    values = {"schema": schema, "rows": rows, "size": size}
    connection.execute(
        text(
            "INSERT INTO heartops_log.quota VALUES (:schema, :rows, :size) ON CONFLICT (schema)"
            " DO UPDATE SET rows_per_day = excluded.rows_per_day, bytes_per_day = excluded.bytes_per_day"
        ),
        values,
    )
    for table, event in (("predictions", "INSERT"), ("feedback", "INSERT"), ("feedback", "UPDATE")):
        connection.exec_driver_sql(TRIGGER.format(table=table, event=event))
    counter = connection.scalar(text("SELECT format(:counter, CAST(:schema AS text))"), {"counter": COUNTER, **values})
    connection.exec_driver_sql(f"CREATE SEQUENCE IF NOT EXISTS {counter}")
    most = ATTEMPTS * (rows + size // 1024)
    for table in ("predictions", "feedback"):
        connection.exec_driver_sql(ATTEMPT.format(table=table, counter=counter, most=most))
