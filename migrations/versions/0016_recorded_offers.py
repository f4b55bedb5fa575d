"""recorded offers: what their bidders said when they confirmed

Revision ID: 0016
Revises: 0015
Create Date: 2026-11-23 15:50:00

"""
from alembic import op
import sqlalchemy as sa


revision = '0016'
down_revision = '0015'
branch_labels = None
depends_on = None

SQLITE_TRIGGERS = [
    "CREATE TRIGGER tr_confirmation_body_update BEFORE UPDATE ON confirmation_body BEGIN SELECT RAISE(ABORT, 'this table does not change: confirmation_body'); END",
    "CREATE TRIGGER tr_confirmation_body_delete BEFORE DELETE ON confirmation_body BEGIN SELECT RAISE(ABORT, 'this table does not change: confirmation_body'); END",
    "CREATE TRIGGER tr_confirmation_body_replace BEFORE INSERT ON confirmation_body WHEN EXISTS (SELECT 1 FROM confirmation_body WHERE (offer_id = NEW.offer_id)) BEGIN SELECT RAISE(ABORT, 'UNIQUE constraint failed: confirmation_body'); END",
]
POSTGRESQL_TRIGGERS = [
    'CREATE TRIGGER tr_confirmation_body_row BEFORE UPDATE OR DELETE ON confirmation_body FOR EACH ROW EXECUTE FUNCTION bidflux_refuse()',
    'CREATE TRIGGER tr_confirmation_body_truncate BEFORE TRUNCATE ON confirmation_body FOR EACH STATEMENT EXECUTE FUNCTION bidflux_refuse()',
]


def upgrade():
    op.create_table('confirmation_body',
    sa.Column('offer_id', sa.Uuid(), nullable=False),
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('signature', sa.String(length=10), nullable=True),
    sa.Column('commitment', sa.LargeBinary(length=32), nullable=False),
    sa.Column('body_ct', sa.LargeBinary(), nullable=False),
    sa.CheckConstraint("signature IN ('drawn', 'typed')", name=op.f('ck_confirmation_body_signature')),
    sa.ForeignKeyConstraint(['agency_id', 'offer_id'], ['offer.agency_id', 'offer.id'], name=op.f('fk_confirmation_body_agency_id_offer_id')),
    sa.PrimaryKeyConstraint('offer_id', name=op.f('pk_confirmation_body'))
    )
    sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in SQLITE_TRIGGERS if sqlite else POSTGRESQL_TRIGGERS:
        op.execute(statement)


def downgrade():
    op.drop_table('confirmation_body')
