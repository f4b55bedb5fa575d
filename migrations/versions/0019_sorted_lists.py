"""sorted lists

Revision ID: 0019
Revises: 0018
Create Date: 2026-11-23 23:05:00

"""
from alembic import op


revision = '0019'
down_revision = '0018'
branch_labels = None
depends_on = None


def upgrade():
    op.create_index('ix_property_title', 'property', ['agency_id', 'title'], unique=False)
    op.create_index('ix_offer_valid_until', 'offer', ['agency_id', 'valid_until', 'id'], unique=False)
    op.create_index('ix_offer_state_term', 'offer_state', ['agency_id', 'term_days', 'offer_id'], unique=False)
    op.drop_index('ix_offer_state_amount', table_name='offer_state')
    op.create_index('ix_offer_state_amount', 'offer_state', ['agency_id', 'currency', 'amount_minor', 'offer_id', 'status'], unique=False)


def downgrade():
    op.drop_index('ix_offer_state_amount', table_name='offer_state')
    op.create_index('ix_offer_state_amount', 'offer_state', ['agency_id', 'currency', 'amount_minor', 'offer_id'], unique=False)
    op.drop_index('ix_offer_state_term', table_name='offer_state')
    op.drop_index('ix_offer_valid_until', table_name='offer')
    op.drop_index('ix_property_title', table_name='property')
