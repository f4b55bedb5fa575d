"""what a privacy notice says of the controller, and since when

Revision ID: 0021
Revises: 0020
Create Date: 2026-11-26 05:10:00

"""
from alembic import op
import sqlalchemy as sa


revision = '0021'
down_revision = '0020'
branch_labels = None
depends_on = None


def upgrade():
    op.add_column('agency', sa.Column('company', sa.String(length=300), nullable=True))
    op.add_column('agency', sa.Column('privacy_contact', sa.String(length=254), nullable=True))
    op.add_column('agency', sa.Column('facts_at', sa.DateTime(timezone=True), nullable=True))


def downgrade():
    op.drop_column('agency', 'facts_at')
    op.drop_column('agency', 'privacy_contact')
    op.drop_column('agency', 'company')
