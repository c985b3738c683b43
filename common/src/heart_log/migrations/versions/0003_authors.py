"""Who reported an outcome, and the earlier outcomes that a correction replaced.

A trigger keeps them with the rights of the tables' owner, so that a login that may correct an outcome cannot make the
earlier one disappear. They go with the outcome that they belong to.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")
KEY = ("model", "request_id", "row_index")
KEEP = """
    INSERT INTO feedback_corrections (model, request_id, row_index, correction, outcome, author, time)
    VALUES (OLD.model, OLD.request_id, OLD.row_index, OLD.corrections, OLD.outcome, OLD.author, OLD.time)
"""
POSTGRESQL = (
    f"""
    CREATE FUNCTION keep_correction() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$ BEGIN {KEEP}; RETURN NULL; END $$
    """,
    "REVOKE ALL ON FUNCTION keep_correction() FROM PUBLIC",
    """
    CREATE TRIGGER keep_correction AFTER UPDATE ON feedback FOR EACH ROW
    WHEN (OLD.outcome IS DISTINCT FROM NEW.outcome) EXECUTE FUNCTION keep_correction()
    """,
)
SQLITE = (
    f"""
    CREATE TRIGGER keep_correction AFTER UPDATE ON feedback WHEN OLD.outcome IS NOT NEW.outcome BEGIN {KEEP}; END
    """,
)


def upgrade() -> None:
    author = "name of the caller who reported it; null: a release that asked for no proof"
    op.add_column("feedback", sa.Column("author", sa.Text, comment=author))
    op.create_table(
        "feedback_corrections",
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("request_id", sa.Text, primary_key=True),
        sa.Column("row_index", sa.Integer, primary_key=True),
        sa.Column("correction", sa.Integer, primary_key=True, comment="0: the first outcome that was reported"),
        sa.Column("outcome", DOCUMENT, nullable=False),
        sa.Column("author", sa.Text),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False, comment="when it was reported"),
        sa.ForeignKeyConstraint(KEY, [f"feedback.{name}" for name in KEY], ondelete="CASCADE"),
    )
    for statement in POSTGRESQL if op.get_bind().dialect.name == "postgresql" else SQLITE:
        op.execute(statement)
