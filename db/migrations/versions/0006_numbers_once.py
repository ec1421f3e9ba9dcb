"""numbers that are known outside are given once, on SQLite too

Revision ID: 0006
Revises: 0005
Create Date: 2026-11-30
"""

from alembic import op

revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None

# Few rows each. What is large points at them and stays as it is.
_TABLES = ('sites', 'cameras', 'recordings', 'report_schedules')


def upgrade() -> None:
    _make_anew(autoincrement=True)


def downgrade() -> None:
    _make_anew(autoincrement=False)


def _make_anew(*, autoincrement: bool) -> None:
    """SQLite goes on from the highest number that it copies. Foreign keys are not enforced
    meanwhile (db.engine). PostgreSQL's sequences never go back."""
    if op.get_bind().dialect.name != 'sqlite':
        return
    for table in _TABLES:
        with op.batch_alter_table(
            table,
            recreate='always',
            table_kwargs={'sqlite_autoincrement': autoincrement},
            # An AUTOINCREMENT has no name to go by on the way back.
            naming_convention={'pk': f'pk_{table}'},
        ):
            pass
