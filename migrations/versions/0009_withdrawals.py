"""withdrawals, and whether bidders see how their offer was answered

Revision ID: 0009
Revises: 0008
Create Date: 2026-11-23 15:55:00

"""
from alembic import op
import sqlalchemy as sa


revision = '0009'
down_revision = '0008'
branch_labels = None
depends_on = None

SQLITE_TRIGGERS = [
    "CREATE TRIGGER tr_withdrawal_update BEFORE UPDATE ON withdrawal BEGIN SELECT RAISE(ABORT, 'this table does not change: withdrawal'); END",
    "CREATE TRIGGER tr_withdrawal_delete BEFORE DELETE ON withdrawal BEGIN SELECT RAISE(ABORT, 'this table does not change: withdrawal'); END",
    "CREATE TRIGGER tr_withdrawal_replace BEFORE INSERT ON withdrawal WHEN EXISTS (SELECT 1 FROM withdrawal WHERE (offer_id = NEW.offer_id)) BEGIN SELECT RAISE(ABORT, 'UNIQUE constraint failed: withdrawal'); END",
]
POSTGRESQL_TRIGGERS = [
    'CREATE TRIGGER tr_withdrawal_row BEFORE UPDATE OR DELETE ON withdrawal FOR EACH ROW EXECUTE FUNCTION bidflux_refuse()',
    'CREATE TRIGGER tr_withdrawal_truncate BEFORE TRUNCATE ON withdrawal FOR EACH STATEMENT EXECUTE FUNCTION bidflux_refuse()',
]


def upgrade():
    op.create_table('withdrawal',
    sa.Column('offer_id', sa.Uuid(), nullable=False),
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('message_ct', sa.LargeBinary(), nullable=True),
    sa.ForeignKeyConstraint(['agency_id', 'offer_id'], ['offer.agency_id', 'offer.id'], name=op.f('fk_withdrawal_agency_id_offer_id')),
    sa.PrimaryKeyConstraint('offer_id', name=op.f('pk_withdrawal'))
    )
    op.add_column('agency', sa.Column('bidders_see_status', sa.Boolean(), nullable=False, server_default=sa.false()))
    sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in SQLITE_TRIGGERS if sqlite else POSTGRESQL_TRIGGERS:
        op.execute(statement)


def downgrade():
    op.drop_column('agency', 'bidders_see_status')
    op.drop_table('withdrawal')
