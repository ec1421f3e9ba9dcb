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

_BEFORE = 'ix_recordings_camera_id_captured_at'
_NOW = 'ix_recordings_of_days'
_PLACE = ['camera_id', 'captured_at']


def upgrade() -> None:
    op.create_index(_NOW, 'recordings', [*_PLACE, 'state', 'model_version', 'duration_ms'])
    op.drop_index(_BEFORE, 'recordings')


def downgrade() -> None:
    op.create_index(_BEFORE, 'recordings', _PLACE)
    op.drop_index(_NOW, 'recordings')
