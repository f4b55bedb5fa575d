"""what an agency has written, to hold against its quotas

Revision ID: 0028
Revises: 0027
Create Date: 2026-11-28 07:35:00

"""
from alembic import op
import sqlalchemy as sa


revision = '0028'
down_revision = '0027'
branch_labels = None
depends_on = None

COUNTS = {'day_bytes': sa.BigInteger(), 'day_offers': sa.Integer(), 'all_bytes': sa.BigInteger(), 'recorded_offers': sa.Integer()}


def upgrade():
    op.add_column('agency', sa.Column('used_on', sa.Date(), nullable=True))
    for name, kind in COUNTS.items():
        op.add_column('agency', sa.Column(name, kind, server_default='0', nullable=False))
    op.execute(
        "UPDATE agency SET recorded_offers = (SELECT count(*) FROM offer"
        " WHERE offer.agency_id = agency.id AND offer.source <> 'link')"
    )


def downgrade():
    for name in [*reversed(COUNTS), 'used_on']:
        op.drop_column('agency', name)
