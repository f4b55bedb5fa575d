"""mails that were given up are found by what they were, not among all that was ever sent

Revision ID: 0039
Revises: 0038
Create Date: 2026-11-28 13:40:00

"""
from alembic import op


revision = '0039'
down_revision = '0038'
branch_labels = None
depends_on = None


def upgrade():
    op.execute("CREATE INDEX ix_delivery_dead_mail ON delivery (agency_id, template, offer_id) WHERE kind = 'mail' AND state = 'dead'")


def downgrade():
    op.execute("DROP INDEX ix_delivery_dead_mail")
