"""Images are found by the paths that texts show."""

from pathlib import Path

from alembic import op

from tidings.core.migrations import run_script

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Run the script beside this file."""
    run_script(op.get_bind(), Path(__file__).with_suffix(".sql"))


def downgrade() -> None:
    """There is no way back; restore a backup instead."""
    raise RuntimeError("there is no way back; restore a backup instead")
