"""what CRMs read with their keys

Revision ID: 0022
Revises: 0021
Create Date: 2026-11-26 05:45:00

"""
from alembic import op
import sqlalchemy as sa


revision = '0022'
down_revision = '0021'
branch_labels = None
depends_on = None

SQLITE_TRIGGERS = [
    "CREATE TRIGGER tr_key_access_update BEFORE UPDATE ON key_access BEGIN SELECT RAISE(ABORT, 'this table does not change: key_access'); END",
    "CREATE TRIGGER tr_key_access_replace BEFORE INSERT ON key_access WHEN EXISTS (SELECT 1 FROM key_access WHERE (id = NEW.id)) BEGIN SELECT RAISE(ABORT, 'UNIQUE constraint failed: key_access'); END",
]
POSTGRESQL_TRIGGERS = [
    'CREATE TRIGGER tr_key_access_row BEFORE UPDATE ON key_access FOR EACH ROW EXECUTE FUNCTION bidflux_refuse()',
    'CREATE TRIGGER tr_key_access_truncate BEFORE TRUNCATE ON key_access FOR EACH STATEMENT EXECUTE FUNCTION bidflux_refuse()',
]


def upgrade():
    op.create_table('key_access',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('key_id', sa.Uuid(), nullable=False),
    sa.Column('kind', sa.String(length=12), nullable=False),
    sa.Column('offer_id', sa.Uuid(), nullable=True),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("kind IN ('read', 'searched', 'listed')", name=op.f('ck_key_access_kind')),
    sa.ForeignKeyConstraint(['agency_id', 'key_id'], ['api_key.agency_id', 'api_key.id'], name=op.f('fk_key_access_agency_id_key_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_key_access'))
    )
    op.create_index('ix_key_access_key', 'key_access', ['agency_id', 'key_id', 'at'], unique=False)
    sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in SQLITE_TRIGGERS if sqlite else POSTGRESQL_TRIGGERS:
        op.execute(statement)


def downgrade():
    op.drop_index('ix_key_access_key', table_name='key_access')
    op.drop_table('key_access')
