"""Erasure by subject, and rows that a login without the right to DELETE can have removed.

On PostgreSQL a login of a namespace may INSERT and SELECT; `forget_…` (retention) and `erase` run with the owner's
rights on the tables of their own schema alone.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

FORGET = """
CREATE FUNCTION forget_{table}(of_model text, earlier_than timestamptz, at_most integer) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    WITH gone AS (
        DELETE FROM {table} WHERE ctid IN (
            SELECT ctid FROM {table} WHERE model = of_model AND time < earlier_than ORDER BY time LIMIT at_most
        ) RETURNING 1
    )
    SELECT count(*) FROM gone
$$
"""
ERASE = """
CREATE FUNCTION erase(of_model text, of_subject text, requests text[], at timestamptz)
RETURNS TABLE (predictions bigint, outcomes bigint)
LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    WITH ids AS (
        SELECT unnest(requests) AS id UNION
        SELECT request_id FROM predictions WHERE model = of_model AND subject = of_subject
    ), gone AS (
        DELETE FROM predictions WHERE model = of_model AND request_id IN (SELECT id FROM ids) RETURNING 1
    ), outcomes AS (
        DELETE FROM feedback WHERE model = of_model AND request_id IN (SELECT id FROM ids) RETURNING 1
    )
    INSERT INTO erasures (model, time, predictions, outcomes)
    VALUES (of_model, at, (SELECT count(*) FROM gone), (SELECT count(*) FROM outcomes))
    RETURNING predictions, outcomes
$$
"""
FUNCTIONS = (FORGET.format(table="predictions"), FORGET.format(table="feedback"), ERASE)
SIGNATURES = (
    "forget_predictions(text, timestamptz, integer)",
    "forget_feedback(text, timestamptz, integer)",
    "erase(text, text, text[], timestamptz)",
)


def upgrade() -> None:
    op.add_column(
        "predictions", sa.Column("subject", sa.Text, comment="whom the request was about, if the caller says so")
    )
    op.create_index("predictions_model_subject", "predictions", ["model", "subject"])
    op.create_table(
        "erasures",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("predictions", sa.Integer, nullable=False, comment="rows that were erased"),
        sa.Column("outcomes", sa.Integer, nullable=False, comment="rows that were erased"),
    )
    if op.get_bind().dialect.name == "postgresql":
        for statement in FUNCTIONS:
            op.execute(statement)
        for signature in SIGNATURES:
            op.execute(f"REVOKE ALL ON FUNCTION {signature} FROM PUBLIC")
