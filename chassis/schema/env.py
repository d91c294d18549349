"""Alembic's entry; everything is in `chassis.migrations`."""

from alembic import context

from chassis.migrations import run_environment

run_environment(context)
