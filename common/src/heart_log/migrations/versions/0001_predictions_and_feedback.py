"""Predictions and feedback.

Migrations only add, so that pods of an older version can continue to write; there are no downgrades.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "predictions",
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("request_id", sa.Text, primary_key=True),
        sa.Column("row_index", sa.Integer, primary_key=True, comment="position in the request, from 0"),
        sa.Column("version", sa.Text, primary_key=True, comment="a request that is tried again may reach two versions"),
        sa.Column("digest", sa.Text, nullable=False, comment="sha256:… of the model file"),
        sa.Column("time", TIME, nullable=False, comment="when it was answered"),
        sa.Column(
            "features", DOCUMENT, nullable=False, comment="name → value as it was sent, without redacted features"
        ),
        sa.Column("redacted", DOCUMENT, nullable=False, comment="names of the features that were left out on purpose"),
        sa.Column("outputs", DOCUMENT, nullable=False, comment="probability of each class, or [value] (regression)"),
        sa.Column("label", sa.Text, comment="name of the predicted class; null for regression"),
        sa.Column("shadow", sa.Boolean, nullable=False, comment="a mirrored request, whose response is discarded"),
    )
    op.create_index("predictions_model_time", "predictions", ["model", "time"])
    op.create_table(
        "feedback",
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("request_id", sa.Text, primary_key=True),
        sa.Column("row_index", sa.Integer, primary_key=True),
        sa.Column(
            "outcome", DOCUMENT, nullable=False, comment="name of the true class, or the true value (regression)"
        ),
        sa.Column("time", TIME, nullable=False, comment="when this outcome was reported first"),
        sa.Column(
            "corrections", sa.Integer, nullable=False, comment="how often another outcome replaced an earlier one"
        ),
    )
    op.create_index("feedback_model_time", "feedback", ["model", "time"])
