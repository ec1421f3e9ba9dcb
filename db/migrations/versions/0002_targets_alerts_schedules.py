"""targets, opening hours, alert rules, report schedules, retention, ends of tracks, sealed buckets

Revision ID: 0002
Revises: 0001
Create Date: 2026-11-23
"""

import sqlalchemy as sa
from alembic import op

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('sites', sa.Column('opening_hours', sa.JSON(), nullable=False, server_default='[]'))
    op.add_column('sites', sa.Column('target', sa.Double(), nullable=True))
    op.add_column('recordings', sa.Column('niceness', sa.Integer(), nullable=False, server_default='0'))
    op.create_index(op.f('ix_recordings_state_niceness_created_at'), 'recordings', ['state', 'niceness', 'created_at'])
    op.add_column('tracks', sa.Column('start_probabilities', sa.JSON(), nullable=True))
    op.add_column('tracks', sa.Column('end_probabilities', sa.JSON(), nullable=True))
    op.add_column('recordings', sa.Column('faces_deleted_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('recordings', sa.Column('people_deleted_at', sa.DateTime(timezone=True), nullable=True))
    op.create_table('sealed_buckets',
    sa.Column('camera_id', sa.Integer(), nullable=False),
    sa.Column('hour', sa.DateTime(timezone=True), nullable=False),
    sa.Column('people', sa.Integer(), nullable=False),
    sa.Column('unknown', sa.Integer(), nullable=False),
    sa.Column('faces', sa.Integer(), nullable=False),
    sa.Column('faces_unknown', sa.Integer(), nullable=False),
    sa.Column('n_angry', sa.Integer(), nullable=False),
    sa.Column('n_disgust', sa.Integer(), nullable=False),
    sa.Column('n_fear', sa.Integer(), nullable=False),
    sa.Column('n_happy', sa.Integer(), nullable=False),
    sa.Column('n_sad', sa.Integer(), nullable=False),
    sa.Column('n_surprise', sa.Integer(), nullable=False),
    sa.Column('n_neutral', sa.Integer(), nullable=False),
    sa.Column('sum_angry', sa.Double(), nullable=False),
    sa.Column('sum_disgust', sa.Double(), nullable=False),
    sa.Column('sum_fear', sa.Double(), nullable=False),
    sa.Column('sum_happy', sa.Double(), nullable=False),
    sa.Column('sum_sad', sa.Double(), nullable=False),
    sa.Column('sum_surprise', sa.Double(), nullable=False),
    sa.Column('sum_neutral', sa.Double(), nullable=False),
    sa.Column('products', sa.JSON(), nullable=False),
    sa.CheckConstraint('people - unknown = n_angry + n_disgust + n_fear + n_happy + n_sad + n_surprise + n_neutral', name=op.f('ck_sealed_buckets_people_add_up')),
    sa.CheckConstraint('people > 0 AND unknown BETWEEN 0 AND people AND faces >= people AND faces_unknown BETWEEN 0 AND faces', name=op.f('ck_sealed_buckets_counts')),
    sa.ForeignKeyConstraint(['camera_id'], ['cameras.id'], name=op.f('fk_sealed_buckets_camera_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('camera_id', 'hour', name=op.f('pk_sealed_buckets'))
    )
    op.create_table('alert_rules',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.String(length=16), nullable=False),
    sa.Column('site_id', sa.Integer(), nullable=True),
    sa.Column('threshold', sa.Double(), nullable=True),
    sa.Column('is_enabled', sa.Boolean(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("kind IN ('below_target', 'sudden_drop', 'silent', 'unknown_share')", name=op.f('ck_alert_rules_kind')),
    sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('fk_alert_rules_site_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_alert_rules')),
    sa.UniqueConstraint('kind', 'site_id', name=op.f('uq_alert_rules_kind_site_id'))
    )
    op.create_table('report_schedules',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=100), nullable=False),
    sa.Column('every', sa.String(length=8), nullable=False),
    sa.Column('hour', sa.Integer(), nullable=False),
    sa.Column('time_zone', sa.String(length=64), nullable=False),
    sa.Column('site_ids', sa.JSON(), nullable=False),
    sa.Column('sections', sa.JSON(), nullable=False),
    sa.Column('formats', sa.JSON(), nullable=False),
    sa.Column('folder', sa.String(length=1000), nullable=False),
    sa.Column('recipients', sa.JSON(), nullable=False),
    sa.Column('is_enabled', sa.Boolean(), nullable=False),
    sa.Column('due_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('lease_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('made_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('error', sa.String(length=1000), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("every IN ('day', 'week', 'month')", name=op.f('ck_report_schedules_every')),
    sa.CheckConstraint('hour BETWEEN 0 AND 23', name=op.f('ck_report_schedules_hour')),
    sa.CheckConstraint('length(name) BETWEEN 1 AND 100', name=op.f('ck_report_schedules_name_length')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_report_schedules')),
    sa.UniqueConstraint('name', name=op.f('uq_report_schedules_name'))
    )
    op.create_index(op.f('ix_report_schedules_due_at'), 'report_schedules', ['due_at'])
    op.create_table('retention',
    sa.Column('id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('prediction_days', sa.Integer(), nullable=True),
    sa.Column('track_days', sa.Integer(), nullable=True),
    sa.Column('footage_days', sa.Integer(), nullable=True),
    sa.CheckConstraint('id = 1', name=op.f('ck_retention_one_row')),
    sa.CheckConstraint('prediction_days > 0 AND track_days > 0 AND footage_days > 0', name=op.f('ck_retention_days')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_retention'))
    )


def downgrade() -> None:
    op.drop_table('sealed_buckets')
    op.drop_column('recordings', 'people_deleted_at')
    op.drop_column('recordings', 'faces_deleted_at')
    op.drop_table('retention')
    op.drop_table('report_schedules')
    op.drop_table('alert_rules')
    op.drop_column('tracks', 'end_probabilities')
    op.drop_column('tracks', 'start_probabilities')
    op.drop_index(op.f('ix_recordings_state_niceness_created_at'), 'recordings')
    op.drop_column('recordings', 'niceness')
    op.drop_column('sites', 'target')
    op.drop_column('sites', 'opening_hours')
