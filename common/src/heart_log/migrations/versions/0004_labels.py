"""Labels of predictions, by which a drift check selects rows. They go with their prediction, as everything about it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

DOCUMENT = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    comment = "name → value of the labels that the model logs and the caller sent"
    op.add_column("predictions", sa.Column("labels", DOCUMENT, comment=comment))
