"""feeds: where properties are read from, and what came of it

Revision ID: 0013
Revises: 0012
Create Date: 2026-11-23 16:40:00

"""
from alembic import op
import sqlalchemy as sa


revision = '0013'
down_revision = '0012'
branch_labels = None
depends_on = None

COUNTS = ('seen', 'created', 'updated', 'unchanged', 'skipped', 'refused', 'vanished')


def upgrade():
    op.create_table('property_feed',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.String(length=100), nullable=False),
    sa.Column('kind', sa.String(length=10), nullable=False),
    sa.Column('url_ct', sa.LargeBinary(), nullable=True),
    sa.Column('key_ct', sa.LargeBinary(), nullable=True),
    sa.Column('key_in', sa.String(length=10), nullable=False),
    sa.Column('file_ct', sa.LargeBinary(), nullable=True),
    sa.Column('mapping', sa.Text(), nullable=False),
    sa.Column('every_hours', sa.Integer(), nullable=False),
    sa.Column('due_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('lease_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("kind IN ('rebs', 'json', 'csv')", name=op.f('ck_property_feed_kind')),
    sa.CheckConstraint("key_in IN ('header', 'query')", name=op.f('ck_property_feed_key_in')),
    sa.CheckConstraint("(kind = 'csv') = (url_ct IS NULL)", name=op.f('ck_property_feed_source')),
    sa.CheckConstraint('every_hours >= 0', name=op.f('ck_property_feed_every_hours')),
    sa.ForeignKeyConstraint(['agency_id'], ['agency.id'], name=op.f('fk_property_feed_agency_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_property_feed')),
    sa.UniqueConstraint('agency_id', 'id', name=op.f('uq_property_feed_agency_id_id'))
    )
    op.create_index('ix_property_feed_due', 'property_feed', ['due_at'], unique=False)
    op.create_table('feed_run',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('feed_id', sa.Uuid(), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('state', sa.String(length=10), nullable=False),
    sa.Column('complete', sa.Boolean(), nullable=False),
    sa.Column('code', sa.String(length=20), nullable=False),
    *[sa.Column(name, sa.Integer(), nullable=False) for name in COUNTS],
    sa.Column('errors', sa.Text(), nullable=False),
    sa.CheckConstraint("state IN ('running', 'done', 'broken')", name=op.f('ck_feed_run_state')),
    sa.ForeignKeyConstraint(['agency_id', 'feed_id'], ['property_feed.agency_id', 'property_feed.id'], name=op.f('fk_feed_run_agency_id_feed_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_feed_run'))
    )
    op.create_index('ix_feed_run_feed', 'feed_run', ['feed_id', 'started_at'], unique=False)
    op.create_table('feed_item',
    sa.Column('feed_id', sa.Uuid(), nullable=False),
    sa.Column('external_id', sa.String(length=100), nullable=False),
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('seen_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('vanished_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['agency_id', 'feed_id'], ['property_feed.agency_id', 'property_feed.id'], name=op.f('fk_feed_item_agency_id_feed_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('feed_id', 'external_id', name=op.f('pk_feed_item'))
    )


def downgrade():
    op.drop_table('feed_item')
    op.drop_index('ix_feed_run_feed', table_name='feed_run')
    op.drop_table('feed_run')
    op.drop_index('ix_property_feed_due', table_name='property_feed')
    op.drop_table('property_feed')
