"""a property's link can be slowed down

Revision ID: 0041
Revises: 0040
Create Date: 2026-11-28 16:45:00

"""
from alembic import op
import sqlalchemy as sa


revision = '0041'
down_revision = '0040'
branch_labels = None
depends_on = None


def upgrade():
    op.add_column('property', sa.Column('slowed_at', sa.DateTime(timezone=True), nullable=True))


def downgrade():
    op.drop_column('property', 'slowed_at')
