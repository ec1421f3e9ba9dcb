"""the first tables

Revision ID: 0001
Revises: 
Create Date: 2026-11-22
"""

import sqlalchemy as sa
from alembic import op

revision = '0001'
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('score_definitions',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=100), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('is_active', sa.Boolean(), nullable=False),
    sa.Column('w_angry', sa.Double(), nullable=False),
    sa.Column('w_disgust', sa.Double(), nullable=False),
    sa.Column('w_fear', sa.Double(), nullable=False),
    sa.Column('w_happy', sa.Double(), nullable=False),
    sa.Column('w_sad', sa.Double(), nullable=False),
    sa.Column('w_surprise', sa.Double(), nullable=False),
    sa.Column('w_neutral', sa.Double(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('version > 0', name=op.f('ck_score_definitions_version')),
    sa.CheckConstraint('w_angry BETWEEN -1 AND 1 AND w_disgust BETWEEN -1 AND 1 AND w_fear BETWEEN -1 AND 1 AND w_happy BETWEEN -1 AND 1 AND w_sad BETWEEN -1 AND 1 AND w_surprise BETWEEN -1 AND 1 AND w_neutral BETWEEN -1 AND 1', name=op.f('ck_score_definitions_weights')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_score_definitions')),
    sa.UniqueConstraint('name', 'version', name=op.f('uq_score_definitions_name_version'))
    )
    with op.batch_alter_table('score_definitions', schema=None) as batch_op:
        batch_op.create_index('uq_score_definitions_active', ['is_active'], unique=True, sqlite_where=sa.text('is_active'), postgresql_where=sa.text('is_active'))

    op.create_table('sites',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=100), nullable=False),
    sa.Column('time_zone', sa.String(length=64), nullable=False),
    sa.Column('is_demonstration', sa.Boolean(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('length(name) BETWEEN 1 AND 100', name=op.f('ck_sites_name_length')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_sites')),
    sa.UniqueConstraint('name', name=op.f('uq_sites_name'))
    )
    op.create_table('cameras',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('site_id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=100), nullable=False),
    sa.Column('staff_zones', sa.JSON(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('length(name) BETWEEN 1 AND 100', name=op.f('ck_cameras_name_length')),
    sa.ForeignKeyConstraint(['site_id'], ['sites.id'], name=op.f('fk_cameras_site_id'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_cameras')),
    sa.UniqueConstraint('site_id', 'name', name=op.f('uq_cameras_site_id_name'))
    )
    op.create_table('buckets',
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
    sa.CheckConstraint('people - unknown = n_angry + n_disgust + n_fear + n_happy + n_sad + n_surprise + n_neutral', name=op.f('ck_buckets_people_add_up')),
    sa.CheckConstraint('people > 0 AND unknown BETWEEN 0 AND people AND faces >= people AND faces_unknown BETWEEN 0 AND faces', name=op.f('ck_buckets_counts')),
    sa.ForeignKeyConstraint(['camera_id'], ['cameras.id'], name=op.f('fk_buckets_camera_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('camera_id', 'hour', name=op.f('pk_buckets'))
    )
    with op.batch_alter_table('buckets', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_buckets_hour'), ['hour'], unique=False)

    op.create_table('recordings',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('camera_id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=255), nullable=False),
    sa.Column('kind', sa.String(length=16), nullable=False),
    sa.Column('sha256', sa.String(length=64), nullable=False),
    sa.Column('bytes', sa.BigInteger(), nullable=False),
    sa.Column('width', sa.Integer(), nullable=False),
    sa.Column('height', sa.Integer(), nullable=False),
    sa.Column('duration_ms', sa.BigInteger(), nullable=False),
    sa.Column('frame_rate', sa.Double(), nullable=True),
    sa.Column('codec', sa.String(length=64), nullable=False),
    sa.Column('captured_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('captured_from', sa.String(length=16), nullable=False),
    sa.Column('footage_key', sa.String(length=512), nullable=True),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('error', sa.String(length=1000), nullable=True),
    sa.Column('warnings', sa.JSON(), nullable=False),
    sa.Column('sample_rate', sa.Double(), nullable=False),
    sa.Column('model_version', sa.String(length=64), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("(state = 'failed') = (error IS NOT NULL)", name=op.f('ck_recordings_error_when_failed')),
    sa.CheckConstraint("kind IN ('picture', 'video')", name=op.f('ck_recordings_kind')),
    sa.CheckConstraint("state IN ('queued', 'reading', 'done', 'failed', 'cancelled')", name=op.f('ck_recordings_state')),
    sa.CheckConstraint('duration_ms >= 0 AND width > 0 AND height > 0 AND bytes > 0', name=op.f('ck_recordings_size')),
    sa.CheckConstraint('length(sha256) = 64', name=op.f('ck_recordings_sha256')),
    sa.ForeignKeyConstraint(['camera_id'], ['cameras.id'], name=op.f('fk_recordings_camera_id'), ondelete='RESTRICT'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_recordings')),
    sa.UniqueConstraint('camera_id', 'sha256', name=op.f('uq_recordings_camera_id_sha256'))
    )
    with op.batch_alter_table('recordings', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_recordings_camera_id_captured_at'), ['camera_id', 'captured_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_recordings_camera_id_duration_ms'), ['camera_id', 'duration_ms'], unique=False)
        batch_op.create_index(batch_op.f('ix_recordings_created_at'), ['created_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_recordings_sha256'), ['sha256'], unique=False)
        batch_op.create_index(batch_op.f('ix_recordings_state_created_at'), ['state', 'created_at'], unique=False)

    op.create_table('segments',
    sa.Column('recording_id', sa.Integer(), nullable=False),
    sa.Column('index', sa.Integer(), nullable=False),
    sa.Column('start_ms', sa.BigInteger(), nullable=False),
    sa.Column('end_ms', sa.BigInteger(), nullable=False),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('faults', sa.Integer(), nullable=False),
    sa.Column('lease_owner', sa.String(length=128), nullable=True),
    sa.Column('lease_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('progress_ms', sa.BigInteger(), nullable=False),
    sa.Column('frames', sa.Integer(), nullable=False),
    sa.Column('error', sa.String(length=1000), nullable=True),
    sa.Column('warnings', sa.JSON(), nullable=False),
    sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("(state = 'leased') = (lease_owner IS NOT NULL) AND (lease_owner IS NULL) = (lease_until IS NULL)", name=op.f('ck_segments_lease')),
    sa.CheckConstraint("state IN ('queued', 'leased', 'done', 'failed', 'cancelled')", name=op.f('ck_segments_state')),
    sa.CheckConstraint('faults BETWEEN 0 AND attempts AND progress_ms >= 0 AND frames >= 0', name=op.f('ck_segments_counts')),
    sa.CheckConstraint('start_ms >= 0 AND end_ms > start_ms', name=op.f('ck_segments_stretch')),
    sa.ForeignKeyConstraint(['recording_id'], ['recordings.id'], name=op.f('fk_segments_recording_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('recording_id', 'index', name=op.f('pk_segments'))
    )
    with op.batch_alter_table('segments', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_segments_state_lease_until'), ['state', 'lease_until'], unique=False)

    op.create_table('tracks',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('recording_id', sa.Integer(), nullable=False),
    sa.Column('segment_index', sa.Integer(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('root_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('lead_in_time_ms', sa.BigInteger(), nullable=True),
    sa.Column('lead_in_face', sa.Integer(), nullable=True),
    sa.Column('start_ms', sa.BigInteger(), nullable=False),
    sa.Column('end_ms', sa.BigInteger(), nullable=False),
    sa.Column('faces', sa.Integer(), nullable=False),
    sa.Column('faces_unknown', sa.Integer(), nullable=False),
    sa.Column('expression', sa.String(length=16), nullable=False),
    sa.Column('weight', sa.Double(), nullable=False),
    sa.Column('p_angry', sa.Double(), nullable=True),
    sa.Column('p_disgust', sa.Double(), nullable=True),
    sa.Column('p_fear', sa.Double(), nullable=True),
    sa.Column('p_happy', sa.Double(), nullable=True),
    sa.Column('p_sad', sa.Double(), nullable=True),
    sa.Column('p_surprise', sa.Double(), nullable=True),
    sa.Column('p_neutral', sa.Double(), nullable=True),
    sa.CheckConstraint("(expression = 'unknown') = (p_angry IS NULL)", name=op.f('ck_tracks_unknown_unread')),
    sa.CheckConstraint("expression IN ('angry', 'disgust', 'fear', 'happy', 'sad', 'surprise', 'neutral', 'unknown')", name=op.f('ck_tracks_expression')),
    sa.CheckConstraint('(lead_in_time_ms IS NULL) = (lead_in_face IS NULL) AND (root_id IS NULL OR lead_in_face IS NOT NULL)', name=op.f('ck_tracks_lead_in')),
    sa.CheckConstraint('(p_angry IS NULL AND p_disgust IS NULL AND p_fear IS NULL AND p_happy IS NULL AND p_sad IS NULL AND p_surprise IS NULL AND p_neutral IS NULL) OR (p_angry IS NOT NULL AND p_angry >= 0 AND p_angry <= 1.001 AND p_disgust IS NOT NULL AND p_disgust >= 0 AND p_disgust <= 1.001 AND p_fear IS NOT NULL AND p_fear >= 0 AND p_fear <= 1.001 AND p_happy IS NOT NULL AND p_happy >= 0 AND p_happy <= 1.001 AND p_sad IS NOT NULL AND p_sad >= 0 AND p_sad <= 1.001 AND p_surprise IS NOT NULL AND p_surprise >= 0 AND p_surprise <= 1.001 AND p_neutral IS NOT NULL AND p_neutral >= 0 AND p_neutral <= 1.001)', name=op.f('ck_tracks_probabilities')),
    sa.CheckConstraint('(weight > 0) = (p_angry IS NOT NULL)', name=op.f('ck_tracks_weight')),
    sa.CheckConstraint('faces > 0 AND faces_unknown BETWEEN 0 AND faces', name=op.f('ck_tracks_faces')),
    sa.CheckConstraint('start_ms >= 0 AND end_ms >= start_ms', name=op.f('ck_tracks_stretch')),
    sa.ForeignKeyConstraint(['recording_id', 'segment_index'], ['segments.recording_id', 'segments.index'], name=op.f('fk_tracks_recording_id_segment_index'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['root_id'], ['tracks.id'], name=op.f('fk_tracks_root_id'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_tracks')),
    sa.UniqueConstraint('recording_id', 'segment_index', 'number', name=op.f('uq_tracks_recording_id_segment_index_number'))
    )
    with op.batch_alter_table('tracks', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_tracks_recording_id_start_ms'), ['recording_id', 'start_ms'], unique=False)
        batch_op.create_index(batch_op.f('ix_tracks_root_id'), ['root_id'], unique=False)

    op.create_table('predictions',
    sa.Column('recording_id', sa.Integer(), nullable=False),
    sa.Column('time_ms', sa.BigInteger(), nullable=False),
    sa.Column('face', sa.Integer(), nullable=False),
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
    sa.ForeignKeyConstraint(['recording_id', 'segment_index'], ['segments.recording_id', 'segments.index'], name=op.f('fk_predictions_recording_id_segment_index'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['track_id'], ['tracks.id'], name=op.f('fk_predictions_track_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('recording_id', 'time_ms', 'face', name=op.f('pk_predictions'))
    )
    with op.batch_alter_table('predictions', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_predictions_recording_id_segment_index'), ['recording_id', 'segment_index'], unique=False)
        batch_op.create_index(batch_op.f('ix_predictions_track_id'), ['track_id'], unique=False)



def downgrade() -> None:
    with op.batch_alter_table('predictions', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_predictions_track_id'))
        batch_op.drop_index(batch_op.f('ix_predictions_recording_id_segment_index'))

    op.drop_table('predictions')
    with op.batch_alter_table('tracks', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_tracks_root_id'))
        batch_op.drop_index(batch_op.f('ix_tracks_recording_id_start_ms'))

    op.drop_table('tracks')
    with op.batch_alter_table('segments', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_segments_state_lease_until'))

    op.drop_table('segments')
    with op.batch_alter_table('recordings', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_recordings_state_created_at'))
        batch_op.drop_index(batch_op.f('ix_recordings_sha256'))
        batch_op.drop_index(batch_op.f('ix_recordings_created_at'))
        batch_op.drop_index(batch_op.f('ix_recordings_camera_id_duration_ms'))
        batch_op.drop_index(batch_op.f('ix_recordings_camera_id_captured_at'))

    op.drop_table('recordings')
    with op.batch_alter_table('buckets', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_buckets_hour'))

    op.drop_table('buckets')
    op.drop_table('cameras')
    op.drop_table('sites')
    with op.batch_alter_table('score_definitions', schema=None) as batch_op:
        batch_op.drop_index('uq_score_definitions_active', sqlite_where=sa.text('is_active'), postgresql_where=sa.text('is_active'))

    op.drop_table('score_definitions')
