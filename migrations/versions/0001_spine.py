"""The spine: accounts, audience, content, delivery, campaigns, events."""

from pathlib import Path

from alembic import op

from tidings.core.migrations import run_script

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create every table of the spine."""
    run_script(op.get_bind(), Path(__file__).with_suffix(".sql"))


def downgrade() -> None:
    """There is nothing before the first migration; restore a backup instead."""
    raise RuntimeError("the first migration has nothing to go back to; restore a backup instead")
