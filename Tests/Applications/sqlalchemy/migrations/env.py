"""Alembic's environment. What docs/applications.md shows is the block with the engine."""

import os
import pathlib
import sys

sys.path.insert(0, os.environ.get("APPS_FOLDER", str(pathlib.Path(__file__).parents[1])))

from accounts import Base, make_engine

from alembic import context

from outbox_client.sqlalchemy import include_name

if os.environ.get("APPS_MODE") == "without-include-name":
    include_name = None

url = f"sqlite:///{os.environ['APPS_DATABASE']}"
target_metadata = Base.metadata

with make_engine(url).connect() as connection:
    context.configure(connection, target_metadata=target_metadata, include_name=include_name, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
