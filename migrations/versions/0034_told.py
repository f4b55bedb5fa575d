"""a property that is gone keeps when it was settled what its bidders are told

Revision ID: 0034
Revises: 0033
Create Date: 2026-11-28 08:40:00

"""
from alembic import op
import sqlalchemy as sa


revision = '0034'
down_revision = '0033'
branch_labels = None
depends_on = None


def upgrade():
    op.add_column('property', sa.Column('told_at', sa.DateTime(timezone=True), nullable=True))


def downgrade():
    op.drop_column('property', 'told_at')
