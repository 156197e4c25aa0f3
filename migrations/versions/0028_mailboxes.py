"""Mailboxes of reports: tokens instead of passwords, and how often they could not be read."""

from pathlib import Path

from alembic import op

from tidings.core.migrations import run_script

revision = "0028"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the script beside this file."""
    run_script(op.get_bind(), Path(__file__).with_suffix(".sql"))


def downgrade() -> None:
    """There is no way back; restore a backup instead."""
    raise RuntimeError("there is no way back; restore a backup instead")
