"""links by which a property's owner watches its offers

Revision ID: 0012
Revises: 0011
Create Date: 2026-11-23 16:10:00

"""
from alembic import op
import sqlalchemy as sa


revision = '0012'
down_revision = '0011'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table('seller_link',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('property_id', sa.Uuid(), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('shows_names', sa.Boolean(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('revoked_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint('expires_at > created_at', name=op.f('ck_seller_link_expires')),
    sa.ForeignKeyConstraint(['agency_id'], ['agency.id'], name=op.f('fk_seller_link_agency_id')),
    sa.ForeignKeyConstraint(['agency_id', 'property_id'], ['property.agency_id', 'property.id'], name=op.f('fk_seller_link_agency_id_property_id')),
    sa.ForeignKeyConstraint(['agency_id', 'user_id'], ['user.agency_id', 'user.id'], name=op.f('fk_seller_link_agency_id_user_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_seller_link')),
    sa.UniqueConstraint('agency_id', 'id', name=op.f('uq_seller_link_agency_id_id'))
    )
    op.create_index('ix_seller_link_property', 'seller_link', ['agency_id', 'property_id', 'created_at'], unique=False)


def downgrade():
    op.drop_index('ix_seller_link_property', table_name='seller_link')
    op.drop_table('seller_link')
