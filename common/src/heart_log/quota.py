"""Daily write quota of a namespace: a trigger counts the rows of every statement and rejects those above the quota.

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
)
TRIGGER = """CREATE OR REPLACE TRIGGER heartops_{event} AFTER {event} ON {table}
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION heartops_log.count_rows()"""


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
