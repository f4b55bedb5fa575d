"""offer_state.signed: whether the signature counts, no longer whether one was given

Revision ID: 0018
Revises: 0017
Create Date: 2026-11-23 22:45:00

"""
from alembic import op


revision = '0018'
down_revision = '0017'
branch_labels = None
depends_on = None


def upgrade():
    op.execute(
        "UPDATE offer_state SET signed = FALSE WHERE signed AND erased_at IS NULL"
        " AND EXISTS (SELECT 1 FROM email_code WHERE email_code.offer_id = offer_state.offer_id)"
        " AND NOT EXISTS (SELECT 1 FROM confirmation WHERE confirmation.offer_id = offer_state.offer_id)"
    )
    op.execute(
        "UPDATE offer_state SET signed = TRUE WHERE NOT signed AND erased_at IS NULL AND EXISTS"
        " (SELECT 1 FROM confirmation_body WHERE confirmation_body.offer_id = offer_state.offer_id AND signature IS NOT NULL)"
    )


def downgrade():
    op.execute("UPDATE offer_state SET signed = (SELECT offer.signed FROM offer WHERE offer.id = offer_state.offer_id)")
