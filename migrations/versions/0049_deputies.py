"""somebody stands in for who is away

Revision ID: 0049
Revises: 0048
Create Date: 2026-11-28 17:40:00

"""
from alembic import op
import sqlalchemy as sa


revision = '0049'
down_revision = '0048'
branch_labels = None
depends_on = None


def upgrade():
    op.add_column('user', sa.Column('deputy_id', sa.Uuid(), nullable=True))
    op.add_column('user', sa.Column('deputy_from', sa.Date(), nullable=True))
    op.add_column('user', sa.Column('deputy_until', sa.Date(), nullable=True))


def downgrade():
    for name in ('deputy_until', 'deputy_from', 'deputy_id'):
        op.drop_column('user', name)
