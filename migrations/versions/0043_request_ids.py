"""a delivery names the request that caused it, for the log

Revision ID: 0043
Revises: 0042
Create Date: 2026-11-28 17:00:00

"""
from alembic import op
import sqlalchemy as sa


revision = '0043'
down_revision = '0042'
branch_labels = None
depends_on = None


def upgrade():
    op.add_column('delivery', sa.Column('request_id', sa.String(length=64), nullable=True))


def downgrade():
    op.drop_column('delivery', 'request_id')
