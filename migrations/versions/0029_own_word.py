"""confirmations say what shows that it was the bidder: a mailed code, or a link that the agency held too

Revision ID: 0029
Revises: 0028
Create Date: 2026-11-28 07:20:00

"""
from alembic import op


revision = '0029'
down_revision = '0028'
branch_labels = None
depends_on = None

SQLITE_TRIGGER = "CREATE TRIGGER tr_confirmation_update BEFORE UPDATE ON confirmation BEGIN SELECT RAISE(ABORT, 'this table does not change: confirmation'); END"
POSTGRESQL_TRIGGER = 'CREATE TRIGGER tr_confirmation_row BEFORE UPDATE OR DELETE ON confirmation FOR EACH ROW EXECUTE FUNCTION bidflux_refuse()'


def upgrade():
    sqlite = op.get_bind().dialect.name == "sqlite"
    op.execute(
        "ALTER TABLE confirmation ADD COLUMN proof VARCHAR(10) DEFAULT 'held_link' NOT NULL"
        " CONSTRAINT ck_confirmation_proof CHECK (proof IN ('code', 'held_link'))"
    )
    # Until now only an offer that its bidder sent was confirmed by a code; for the others a press of the link's button
    # was enough, and the agency had that link too.
    op.execute("DROP TRIGGER tr_confirmation_update" if sqlite else "DROP TRIGGER tr_confirmation_row ON confirmation")
    op.execute(
        "UPDATE confirmation SET proof = 'code' WHERE EXISTS"
        " (SELECT 1 FROM email_code WHERE email_code.offer_id = confirmation.offer_id AND used_at IS NOT NULL)"
    )
    op.execute(SQLITE_TRIGGER if sqlite else POSTGRESQL_TRIGGER)
    op.execute(
        "UPDATE offer_state SET signed = FALSE WHERE signed AND erased_at IS NULL AND EXISTS"
        " (SELECT 1 FROM confirmation WHERE confirmation.offer_id = offer_state.offer_id AND proof = 'held_link')"
    )


def downgrade():
    op.execute(
        "UPDATE offer_state SET signed = TRUE WHERE NOT signed AND erased_at IS NULL AND EXISTS"
        " (SELECT 1 FROM confirmation_body WHERE confirmation_body.offer_id = offer_state.offer_id AND signature IS NOT NULL)"
    )
    op.execute("ALTER TABLE confirmation DROP COLUMN proof")
