"""the month of every prediction, and on PostgreSQL a table for each

Revision ID: 0004
Revises: 0003
Create Date: 2026-11-25
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from alembic import op

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None

_COLUMNS = (
    'recording_id', 'time_ms', 'face', 'segment_index', 'track_id',
    'x', 'y', 'width', 'height', 'detector_score', 'quality',
    'expression', 'confidence', 'unknown_reason',
    'p_angry', 'p_disgust', 'p_fear', 'p_happy', 'p_sad', 'p_surprise', 'p_neutral',
)
_MILLISECOND = timedelta(milliseconds=1)
_AT_ONCE = 5_000


def upgrade() -> None:
    _set_aside()
    months = _make_stretches()
    _create(with_month=True)
    if _on_postgresql():
        for month in months:
            name = f'predictions_{month}'
            op.execute(f'CREATE TABLE {name} (LIKE predictions INCLUDING ALL)')
            op.execute(
                f'ALTER TABLE predictions ATTACH PARTITION {name}'
                f' FOR VALUES FROM ({month}) TO ({_next_month(month)})'
            )
    columns = ', '.join(_COLUMNS)
    moved = op.get_bind().execute(sa.text(
        f'INSERT INTO predictions ({columns}, month)'
        f' SELECT {", ".join(f"old.{name}" for name in _COLUMNS)}, stretches.month'
        ' FROM predictions_before AS old JOIN stretches'
        ' ON stretches.recording_id = old.recording_id'
        ' AND old.time_ms >= stretches.first_ms AND old.time_ms < stretches.behind_ms'
    ))
    _all_there(moved.rowcount)
    op.execute('DROP TABLE stretches')
    op.drop_table('predictions_before')
    _finish()


def downgrade() -> None:
    _set_aside()
    _create(with_month=False)
    columns = ', '.join(_COLUMNS)
    moved = op.get_bind().execute(sa.text(
        f'INSERT INTO predictions ({columns}) SELECT {columns} FROM predictions_before'
    ))
    _all_there(moved.rowcount)
    op.drop_table('predictions_before')
    _finish()


def _on_postgresql() -> bool:
    return op.get_bind().dialect.name == 'postgresql'


def _set_aside() -> None:
    """The table as it is, under another name, and the names of its indices free."""
    op.drop_index('ix_predictions_recording_id_segment_index', 'predictions')
    op.drop_index('ix_predictions_track_id', 'predictions')
    op.rename_table('predictions', 'predictions_before')
    if _on_postgresql():
        op.execute('ALTER INDEX pk_predictions RENAME TO pk_predictions_before')


def _make_stretches() -> list[int]:
    """A temporary table that tells for every recording which of its milliseconds lie in which
    month. Returns the months, in order."""
    op.execute(
        'CREATE TEMPORARY TABLE stretches'
        ' (recording_id INTEGER, month INTEGER, first_ms BIGINT, behind_ms BIGINT)'
    )
    connection = op.get_bind()
    recordings = sa.table(
        'recordings',
        sa.column('id', sa.Integer()),
        sa.column('captured_at', sa.DateTime(timezone=True)),
        sa.column('duration_ms', sa.BigInteger()),
    )
    old = sa.table('predictions_before', sa.column('recording_id'), sa.column('time_ms'))
    latest = (
        sa.select(sa.func.max(old.c.time_ms))
        .where(old.c.recording_id == recordings.c.id)
        .scalar_subquery()
    )
    query = sa.select(recordings.c.id, recordings.c.captured_at, recordings.c.duration_ms, latest)
    insert = sa.text('INSERT INTO stretches VALUES (:recording_id, :month, :first_ms, :behind_ms)')
    waiting: list[dict[str, int]] = []
    months: set[int] = set()
    # Whole: SQLite is not to write while rows are still to come.
    for recording_id, captured_at, duration_ms, last_ms in connection.execute(query).all():
        if last_ms is None:
            continue
        for month, first_ms, behind_ms in _stretches(_utc(captured_at), max(duration_ms, last_ms)):
            if first_ms <= last_ms:
                months.add(month)
                waiting.append({
                    'recording_id': recording_id, 'month': month,
                    'first_ms': first_ms, 'behind_ms': behind_ms,
                })
        if len(waiting) >= _AT_ONCE:
            connection.execute(insert, waiting)
            waiting = []
    if waiting:
        connection.execute(insert, waiting)
    if _on_postgresql():
        op.execute('ANALYZE stretches')
    return sorted(months)


def _stretches(captured_at: datetime, last_ms: int) -> Iterator[tuple[int, int, int]]:
    """(month, first millisecond, the one behind its last)."""
    first = 0
    while first <= last_ms:
        at = captured_at + timedelta(milliseconds=first)
        month = at.year * 100 + at.month
        end = _next_month(month)
        behind = -((captured_at - datetime(end // 100, end % 100, 1, tzinfo=UTC)) // _MILLISECOND)
        yield month, first, behind
        first = behind


def _next_month(month: int) -> int:
    return month + 1 if month % 100 < 12 else month + 89


def _utc(instant: datetime) -> datetime:
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def _all_there(moved: int) -> None:
    there = op.get_bind().execute(sa.text('SELECT count(*) FROM predictions_before')).scalar_one()
    if moved != there:
        raise RuntimeError(f'of {there} predictions {moved} were moved')


def _create(*, with_month: bool) -> None:
    month = [sa.Column('month', sa.Integer(), nullable=False)] if with_month else []
    key = ['recording_id', 'time_ms', 'face', *(column.name for column in month)]
    # PostgreSQL checks a million keys faster at once than one by one.
    keys = [] if _on_postgresql() else [
        sa.ForeignKeyConstraint(columns, targets, name=op.f(name), ondelete='CASCADE')
        for name, columns, _, targets in _FOREIGN_KEYS
    ]
    op.create_table('predictions',
    sa.Column('recording_id', sa.Integer(), nullable=False),
    sa.Column('time_ms', sa.BigInteger(), nullable=False),
    sa.Column('face', sa.Integer(), nullable=False),
    *month,
    sa.Column('segment_index', sa.Integer(), nullable=False),
    sa.Column('track_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('x', sa.Double(), nullable=False),
    sa.Column('y', sa.Double(), nullable=False),
    sa.Column('width', sa.Double(), nullable=False),
    sa.Column('height', sa.Double(), nullable=False),
    sa.Column('detector_score', sa.Double(), nullable=False),
    sa.Column('quality', sa.Double(), nullable=False),
    sa.Column('expression', sa.String(length=16), nullable=False),
    sa.Column('confidence', sa.Double(), nullable=False),
    sa.Column('unknown_reason', sa.String(length=16), nullable=True),
    sa.Column('p_angry', sa.Double(), nullable=True),
    sa.Column('p_disgust', sa.Double(), nullable=True),
    sa.Column('p_fear', sa.Double(), nullable=True),
    sa.Column('p_happy', sa.Double(), nullable=True),
    sa.Column('p_sad', sa.Double(), nullable=True),
    sa.Column('p_surprise', sa.Double(), nullable=True),
    sa.Column('p_neutral', sa.Double(), nullable=True),
    sa.CheckConstraint("(expression = 'unknown') = (unknown_reason IS NOT NULL)", name=op.f('ck_predictions_unknown_has_reason')),
    sa.CheckConstraint("expression IN ('angry', 'disgust', 'fear', 'happy', 'sad', 'surprise', 'neutral', 'unknown')", name=op.f('ck_predictions_expression')),
    sa.CheckConstraint("unknown_reason IS NULL OR unknown_reason IN ('small', 'blurred', 'turned', 'dark', 'cut off', 'unsure')", name=op.f('ck_predictions_unknown_reason')),
    sa.CheckConstraint('(p_angry IS NULL AND p_disgust IS NULL AND p_fear IS NULL AND p_happy IS NULL AND p_sad IS NULL AND p_surprise IS NULL AND p_neutral IS NULL) OR (p_angry IS NOT NULL AND p_angry >= 0 AND p_angry <= 1.001 AND p_disgust IS NOT NULL AND p_disgust >= 0 AND p_disgust <= 1.001 AND p_fear IS NOT NULL AND p_fear >= 0 AND p_fear <= 1.001 AND p_happy IS NOT NULL AND p_happy >= 0 AND p_happy <= 1.001 AND p_sad IS NOT NULL AND p_sad >= 0 AND p_sad <= 1.001 AND p_surprise IS NOT NULL AND p_surprise >= 0 AND p_surprise <= 1.001 AND p_neutral IS NOT NULL AND p_neutral >= 0 AND p_neutral <= 1.001)', name=op.f('ck_predictions_probabilities')),
    sa.CheckConstraint('detector_score BETWEEN 0 AND 1 AND quality BETWEEN 0 AND 1 AND confidence BETWEEN 0 AND 1.001', name=op.f('ck_predictions_ranges')),
    sa.CheckConstraint('width > 0 AND height > 0', name=op.f('ck_predictions_box')),
    *keys,
    sa.PrimaryKeyConstraint(*key, name=op.f('pk_predictions')),
    postgresql_partition_by='RANGE (month)' if with_month else None,
    )


_FOREIGN_KEYS = (
    ('fk_predictions_recording_id_segment_index', ['recording_id', 'segment_index'], 'segments', ['segments.recording_id', 'segments.index']),
    ('fk_predictions_track_id', ['track_id'], 'tracks', ['tracks.id']),
)


def _finish() -> None:
    """What is made at less cost once the rows are there."""
    op.create_index(op.f('ix_predictions_recording_id_segment_index'), 'predictions', ['recording_id', 'segment_index'])
    op.create_index(op.f('ix_predictions_track_id'), 'predictions', ['track_id'])
    if _on_postgresql():
        for name, columns, table, targets in _FOREIGN_KEYS:
            remote = [target.split('.')[1] for target in targets]
            op.create_foreign_key(op.f(name), 'predictions', table, columns, remote, ondelete='CASCADE')
