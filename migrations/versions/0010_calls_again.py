"""webhooks sent again begin their schedule anew; what is due is found by kind

Revision ID: 0010
Revises: 0009
Create Date: 2026-11-23 16:05:00

"""
from alembic import op
import sqlalchemy as sa


revision = '0010'
down_revision = '0009'
branch_labels = None
depends_on = None


def upgrade():
    op.add_column('delivery', sa.Column('tried_before', sa.Integer(), server_default='0', nullable=False))
    op.drop_index('ix_delivery_due', table_name='delivery')
    op.create_index('ix_delivery_due', 'delivery', ['kind', 'state', 'due_at'], unique=False)


def downgrade():
    op.drop_index('ix_delivery_due', table_name='delivery')
    op.create_index('ix_delivery_due', 'delivery', ['state', 'due_at'], unique=False)
    op.drop_column('delivery', 'tried_before')
