"""targets, opening hours, alert rules, report schedules, retention, ends of tracks

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
    op.add_column('tracks', sa.Column('start_probabilities', sa.JSON(), nullable=True))
    op.add_column('tracks', sa.Column('end_probabilities', sa.JSON(), nullable=True))
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
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('prediction_days', sa.Integer(), nullable=True),
    sa.Column('track_days', sa.Integer(), nullable=True),
    sa.Column('footage_days', sa.Integer(), nullable=True),
    sa.CheckConstraint('id = 1', name=op.f('ck_retention_one_row')),
    sa.CheckConstraint('prediction_days > 0 AND track_days > 0 AND footage_days > 0', name=op.f('ck_retention_days')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_retention'))
    )


def downgrade() -> None:
    op.drop_table('retention')
    op.drop_table('report_schedules')
    op.drop_table('alert_rules')
    op.drop_column('tracks', 'end_probabilities')
    op.drop_column('tracks', 'start_probabilities')
    op.drop_column('sites', 'target')
    op.drop_column('sites', 'opening_hours')
