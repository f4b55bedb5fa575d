"""an Idempotency-Key is one in the whole agency, whichever of its API keys it came with

Revision ID: 0033
Revises: 0032
Create Date: 2026-11-28 08:45:00

"""
from alembic import op
import sqlalchemy as sa


revision = '0033'
down_revision = '0032'
branch_labels = None
depends_on = None

COLUMNS = "agency_id, name_hash, key_id, body_mac, status, answer_ct, offer_id, expires_at"


def triggers(sqlite, first):
    if not sqlite:
        return [
            'CREATE TRIGGER tr_idempotency_row BEFORE UPDATE ON idempotency FOR EACH ROW EXECUTE FUNCTION bidflux_refuse()',
            'CREATE TRIGGER tr_idempotency_truncate BEFORE TRUNCATE ON idempotency FOR EACH STATEMENT EXECUTE FUNCTION bidflux_refuse()',
        ]
    return [
        "CREATE TRIGGER tr_idempotency_update BEFORE UPDATE ON idempotency BEGIN SELECT RAISE(ABORT, 'this table does not change: idempotency'); END",
        f"CREATE TRIGGER tr_idempotency_replace BEFORE INSERT ON idempotency WHEN EXISTS (SELECT 1 FROM idempotency WHERE ({first} = NEW.{first} AND name_hash = NEW.name_hash)) BEGIN SELECT RAISE(ABORT, 'UNIQUE constraint failed: idempotency'); END",
    ]


def rebuild(first):
    """The table anew with another primary key; of what was kept twice under one name, the answer that was given first."""
    op.execute(f"CREATE TABLE idempotency_held AS SELECT {COLUMNS} FROM idempotency")
    op.drop_table('idempotency')
    op.create_table('idempotency',
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('name_hash', sa.LargeBinary(length=32), nullable=False),
    sa.Column('key_id', sa.Uuid(), nullable=False),
    sa.Column('body_mac', sa.LargeBinary(length=32), nullable=False),
    sa.Column('status', sa.Integer(), nullable=False),
    sa.Column('answer_ct', sa.LargeBinary(), nullable=False),
    sa.Column('offer_id', sa.Uuid(), nullable=True),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['agency_id', 'key_id'], ['api_key.agency_id', 'api_key.id'], name=op.f('fk_idempotency_agency_id_key_id')),
    sa.ForeignKeyConstraint(['agency_id', 'offer_id'], ['offer.agency_id', 'offer.id'], name=op.f('fk_idempotency_agency_id_offer_id')),
    sa.PrimaryKeyConstraint(first, 'name_hash', name=op.f('pk_idempotency'))
    )
    op.create_index('ix_idempotency_expires', 'idempotency', ['agency_id', 'expires_at'], unique=False)
    op.create_index('ix_idempotency_offer', 'idempotency', ['agency_id', 'offer_id'], unique=False)
    op.execute(
        f"INSERT INTO idempotency ({COLUMNS}) SELECT {COLUMNS} FROM idempotency_held AS held WHERE NOT EXISTS"
        f" (SELECT 1 FROM idempotency_held AS other WHERE other.{first} = held.{first} AND other.name_hash = held.name_hash"
        " AND (other.expires_at < held.expires_at"
        " OR (other.expires_at = held.expires_at AND other.key_id < held.key_id)))"
    )
    op.execute("DROP TABLE idempotency_held")
    for statement in triggers(op.get_bind().dialect.name == "sqlite", first):
        op.execute(statement)


def upgrade():
    rebuild('agency_id')


def downgrade():
    rebuild('key_id')
