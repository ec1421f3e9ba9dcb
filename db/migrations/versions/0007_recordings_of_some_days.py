"""what became of the recordings of some days is told by an index alone

Revision ID: 0007
Revises: 0006
Create Date: 2026-11-30
"""

from alembic import op

revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None

_BEFORE = ['camera_id', 'captured_at']
_NOW = [*_BEFORE, 'state', 'model_version']


def upgrade() -> None:
    _replace(_BEFORE, _NOW)


def downgrade() -> None:
    _replace(_NOW, _BEFORE)


def _replace(before: list[str], now: list[str]) -> None:
    op.create_index('_'.join(['ix_recordings', *now]), 'recordings', now)
    op.drop_index('_'.join(['ix_recordings', *before]), 'recordings')
