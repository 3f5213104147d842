"""The application's table, and the outbox where outboxd has not made it."""

import sqlalchemy as sa
from alembic import op

from outbox_client.sqlalchemy import create_outbox, remove_unused_outbox

revision = "0001"
down_revision = None


def upgrade():
    create_outbox(op.get_bind())
    op.create_table(
        "person",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("email", sa.String, nullable=False, unique=True),
        sa.Column("password", sa.String, nullable=False),
        sa.Column("verified", sa.Boolean, nullable=False),
    )


def downgrade():
    op.drop_table("person")
    remove_unused_outbox(op.get_bind())
