"""mails are claimed by agency in turn

Revision ID: 0025
Revises: 0024
Create Date: 2026-11-28 07:20:00

"""
from alembic import op
import sqlalchemy as sa


revision = '0025'
down_revision = '0024'
branch_labels = None
depends_on = None

OPEN_MAIL = sa.text('endpoint_id IS NULL AND ended_at IS NULL')


def upgrade():
    columns = ['agency_id', 'state', 'due_at', 'template']
    op.create_index('ix_delivery_turn', 'delivery', columns, unique=False, sqlite_where=OPEN_MAIL, postgresql_where=OPEN_MAIL)


def downgrade():
    op.drop_index('ix_delivery_turn', table_name='delivery', sqlite_where=OPEN_MAIL, postgresql_where=OPEN_MAIL)
