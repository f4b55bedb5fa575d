"""keys of the API: scopes, expiry, test agencies; answers kept for repeated requests

Revision ID: 0005
Revises: 0004
Create Date: 2026-11-23 13:58:00

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None

SQLITE_TRIGGERS = [
    "CREATE TRIGGER tr_idempotency_update BEFORE UPDATE ON idempotency BEGIN SELECT RAISE(ABORT, 'this table does not change: idempotency'); END",
    "CREATE TRIGGER tr_idempotency_replace BEFORE INSERT ON idempotency WHEN EXISTS (SELECT 1 FROM idempotency WHERE (key_id = NEW.key_id AND name_hash = NEW.name_hash)) BEGIN SELECT RAISE(ABORT, 'UNIQUE constraint failed: idempotency'); END",
]
POSTGRESQL_TRIGGERS = [
    'CREATE TRIGGER tr_idempotency_row BEFORE UPDATE ON idempotency FOR EACH ROW EXECUTE FUNCTION bidflux_refuse()',
    'CREATE TRIGGER tr_idempotency_truncate BEFORE TRUNCATE ON idempotency FOR EACH STATEMENT EXECUTE FUNCTION bidflux_refuse()',
]


def upgrade():
    op.add_column('agency', sa.Column('test_of_id', sa.Uuid(), nullable=True))
    op.create_index('uq_agency_test_of_id', 'agency', ['test_of_id'], unique=True)
    op.add_column('api_key', sa.Column('scopes', sa.String(length=40), server_default='read write', nullable=False))
    op.add_column('api_key', sa.Column('expires_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('api_key', sa.Column('last_used_at', sa.DateTime(timezone=True), nullable=True))
    op.create_table('idempotency',
    sa.Column('key_id', sa.Uuid(), nullable=False),
    sa.Column('name_hash', sa.LargeBinary(length=32), nullable=False),
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('body_mac', sa.LargeBinary(length=32), nullable=False),
    sa.Column('status', sa.Integer(), nullable=False),
    sa.Column('answer_ct', sa.LargeBinary(), nullable=False),
    sa.Column('offer_id', sa.Uuid(), nullable=True),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['agency_id', 'key_id'], ['api_key.agency_id', 'api_key.id'], name=op.f('fk_idempotency_agency_id_key_id')),
    sa.ForeignKeyConstraint(['agency_id', 'offer_id'], ['offer.agency_id', 'offer.id'], name=op.f('fk_idempotency_agency_id_offer_id')),
    sa.PrimaryKeyConstraint('key_id', 'name_hash', name=op.f('pk_idempotency'))
    )
    op.create_index('ix_idempotency_expires', 'idempotency', ['agency_id', 'expires_at'], unique=False)
    op.create_index('ix_idempotency_offer', 'idempotency', ['agency_id', 'offer_id'], unique=False)
    sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in SQLITE_TRIGGERS if sqlite else POSTGRESQL_TRIGGERS:
        op.execute(statement)


def downgrade():
    op.drop_table('idempotency')
    op.drop_column('api_key', 'last_used_at')
    op.drop_column('api_key', 'expires_at')
    op.drop_column('api_key', 'scopes')
    op.drop_index('uq_agency_test_of_id', table_name='agency')
    op.drop_column('agency', 'test_of_id')
