"""privacy requests

Revision ID: 0017
Revises: 0016
Create Date: 2026-11-23 20:06:38.244452

"""
from alembic import op
import sqlalchemy as sa


revision = '0017'
down_revision = '0016'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table('privacy_request',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('kind', sa.String(length=10), nullable=False),
    sa.Column('language', sa.String(length=2), nullable=False),
    sa.Column('tag', sa.LargeBinary(length=32), nullable=True),
    sa.Column('email_ct', sa.LargeBinary(), nullable=True),
    sa.Column('reason_ct', sa.LargeBinary(), nullable=True),
    sa.Column('offers', sa.Integer(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('proved_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('due_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('reminded_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('outcome', sa.String(length=10), nullable=True),
    sa.CheckConstraint("kind IN ('access', 'erasure')", name=op.f('ck_privacy_request_kind')),
    sa.CheckConstraint("outcome IN ('done', 'refused')", name=op.f('ck_privacy_request_outcome')),
    sa.CheckConstraint('(outcome IS NULL) = (ended_at IS NULL)', name=op.f('ck_privacy_request_ended')),
    sa.CheckConstraint('ended_at IS NULL OR proved_at IS NOT NULL', name=op.f('ck_privacy_request_proved')),
    sa.ForeignKeyConstraint(['agency_id'], ['agency.id'], name=op.f('fk_privacy_request_agency_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_privacy_request')),
    sa.UniqueConstraint('agency_id', 'id', name=op.f('uq_privacy_request_agency_id_id'))
    )
    op.create_index('ix_privacy_request_open', 'privacy_request', ['agency_id', 'ended_at', 'created_at'], unique=False)


def downgrade():
    op.drop_index('ix_privacy_request_open', table_name='privacy_request')
    op.drop_table('privacy_request')
