"""reserve: which properties have an accepted offer

Revision ID: 0006
Revises: 0005
Create Date: 2026-11-23 14:55:00

"""
from alembic import op
import sqlalchemy as sa


revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade():
    accepted = sa.text("status = 'accepted'")
    op.create_index(
        'ix_offer_state_accepted',
        'offer_state',
        ['agency_id', 'property_id'],
        unique=False,
        sqlite_where=accepted,
        postgresql_where=accepted,
    )


def downgrade():
    op.drop_index('ix_offer_state_accepted', table_name='offer_state')
