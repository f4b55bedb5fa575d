"""photos that a CRM names, to be copied

Revision ID: 0020
Revises: 0019
Create Date: 2026-11-24 01:55:00

"""
from alembic import op
import sqlalchemy as sa


revision = '0020'
down_revision = '0019'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table('photo_copy',
    sa.Column('property_id', sa.Uuid(), nullable=False),
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('url_ct', sa.LargeBinary(), nullable=False),
    sa.Column('due_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('tries', sa.Integer(), nullable=False),
    sa.Column('fault', sa.String(length=20), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['agency_id', 'property_id'], ['property.agency_id', 'property.id'], name=op.f('fk_photo_copy_agency_id_property_id')),
    sa.PrimaryKeyConstraint('property_id', name=op.f('pk_photo_copy'))
    )
    op.create_index('ix_photo_copy_due', 'photo_copy', ['due_at'], unique=False)


def downgrade():
    op.drop_index('ix_photo_copy_due', table_name='photo_copy')
    op.drop_table('photo_copy')
