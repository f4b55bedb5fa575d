"""how many mails one address gets

Revision ID: 0026
Revises: 0025
Create Date: 2026-11-28 07:25:00

"""
from alembic import op
import sqlalchemy as sa


revision = '0026'
down_revision = '0025'
branch_labels = None
depends_on = None

TO_SOMEBODY = sa.text('recipient IS NOT NULL')


def upgrade():
    op.add_column('delivery', sa.Column('recipient', sa.LargeBinary(length=16), nullable=True))
    op.add_column('delivery', sa.Column('reason', sa.String(length=20), nullable=True))
    op.create_index(
        'ix_delivery_recipient', 'delivery', ['agency_id', 'recipient', 'due_at'],
        unique=False, sqlite_where=TO_SOMEBODY, postgresql_where=TO_SOMEBODY,
    )


def downgrade():
    op.drop_index('ix_delivery_recipient', table_name='delivery', sqlite_where=TO_SOMEBODY, postgresql_where=TO_SOMEBODY)
    op.drop_column('delivery', 'reason')
    op.drop_column('delivery', 'recipient')
