"""Rebuilds the table: Alembic's batch copies, drops and renames it."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade():
    with op.batch_alter_table("person", recreate="always") as batch:
        batch.add_column(sa.Column("name", sa.String, nullable=False, server_default=""))


def downgrade():
    with op.batch_alter_table("person", recreate="always") as batch:
        batch.drop_column("name")
