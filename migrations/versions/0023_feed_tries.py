"""feeds are tried out by a job

Revision ID: 0023
Revises: 0022
Create Date: 2026-11-28 07:10:00

"""
from alembic import op
import sqlalchemy as sa


revision = '0023'
down_revision = '0022'
branch_labels = None
depends_on = None

COLUMNS = {
    'try_due_at': sa.DateTime(timezone=True),
    'try_until': sa.DateTime(timezone=True),
    'tried_at': sa.DateTime(timezone=True),
    'tried_ct': sa.LargeBinary(),
}


def upgrade():
    for name, kind in COLUMNS.items():
        op.add_column('property_feed', sa.Column(name, kind, nullable=True))
    op.create_index('ix_property_feed_try', 'property_feed', ['try_due_at'], unique=False)


def downgrade():
    op.drop_index('ix_property_feed_try', table_name='property_feed')
    for name in reversed(COLUMNS):
        op.drop_column('property_feed', name)
