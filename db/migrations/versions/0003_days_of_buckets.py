"""days of buckets, packed to be read quickly

Revision ID: 0003
Revises: 0002
Create Date: 2026-11-23
"""

import struct
from datetime import UTC, datetime, time
from itertools import groupby

import sqlalchemy as sa
from alembic import op

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None

_NUMBERS = (
    'people', 'unknown', 'faces', 'faces_unknown',
    'n_angry', 'n_disgust', 'n_fear', 'n_happy', 'n_sad', 'n_surprise', 'n_neutral',
    'sum_angry', 'sum_disgust', 'sum_fear', 'sum_happy', 'sum_sad', 'sum_surprise', 'sum_neutral',
)


def upgrade() -> None:
    op.create_table('bucket_days',
    sa.Column('camera_id', sa.Integer(), nullable=False),
    sa.Column('day', sa.DateTime(timezone=True), nullable=False),
    sa.Column('hours', sa.LargeBinary(), nullable=False),
    sa.ForeignKeyConstraint(['camera_id'], ['cameras.id'], name=op.f('fk_bucket_days_camera_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('camera_id', 'day', name=op.f('pk_bucket_days'))
    )
    _pack()


def _pack() -> None:
    hour = sa.column('hour', sa.DateTime(timezone=True))
    numbers: list[sa.ColumnClause[float]] = [sa.column(name) for name in _NUMBERS]
    products = sa.column('products', sa.JSON())
    buckets = sa.table('buckets', sa.column('camera_id'), hour, *numbers, products)
    days = sa.table(
        'bucket_days',
        sa.column('camera_id', sa.Integer()),
        sa.column('day', sa.DateTime(timezone=True)),
        sa.column('hours', sa.LargeBinary()),
    )
    connection = op.get_bind()
    cameras = connection.execute(sa.select(buckets.c.camera_id).distinct()).scalars().all()
    for camera_id in cameras:
        query = sa.select(hour, *numbers, products).where(buckets.c.camera_id == camera_id)
        rows = [(_utc(row[0]), *row[1:]) for row in connection.execute(query.order_by(hour))]
        for day, hours in groupby(rows, key=lambda row: row[0].date()):
            packed = b''.join(
                struct.pack('<47d', at.timestamp(), *counted, *products)
                for at, *counted, products in hours
            )
            midnight = datetime.combine(day, time(), UTC)
            values = {'camera_id': camera_id, 'day': midnight, 'hours': packed}
            connection.execute(days.insert().values(values))


def _utc(instant: datetime) -> datetime:
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def downgrade() -> None:
    op.drop_table('bucket_days')
