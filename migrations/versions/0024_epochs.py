"""which history the numbers of an agency belong to

Revision ID: 0024
Revises: 0023
Create Date: 2026-11-28 07:00:00

"""
from alembic import op
import sqlalchemy as sa


revision = '0024'
down_revision = '0023'
branch_labels = None
depends_on = None

SQLITE_TRIGGERS = [
    "CREATE TRIGGER tr_past_epoch_update BEFORE UPDATE ON past_epoch BEGIN SELECT RAISE(ABORT, 'this table does not change: past_epoch'); END",
    "CREATE TRIGGER tr_past_epoch_delete BEFORE DELETE ON past_epoch BEGIN SELECT RAISE(ABORT, 'this table does not change: past_epoch'); END",
    "CREATE TRIGGER tr_past_epoch_replace BEFORE INSERT ON past_epoch WHEN EXISTS (SELECT 1 FROM past_epoch WHERE (agency_id = NEW.agency_id AND name = NEW.name)) BEGIN SELECT RAISE(ABORT, 'UNIQUE constraint failed: past_epoch'); END",
]
POSTGRESQL_TRIGGERS = [
    'CREATE TRIGGER tr_past_epoch_row BEFORE UPDATE OR DELETE ON past_epoch FOR EACH ROW EXECUTE FUNCTION bidflux_refuse()',
    'CREATE TRIGGER tr_past_epoch_truncate BEFORE TRUNCATE ON past_epoch FOR EACH STATEMENT EXECUTE FUNCTION bidflux_refuse()',
]
NAMED = {
    "sqlite": "UPDATE agency SET epoch = lower(hex(randomblob(5)))",
    "postgresql": "UPDATE agency SET epoch = substr(replace(gen_random_uuid()::text, '-', ''), 1, 10)",
}


def upgrade():
    op.add_column('agency', sa.Column('epoch', sa.String(length=16), server_default='', nullable=False))
    op.add_column('agency', sa.Column('restores', sa.Integer(), server_default='0', nullable=False))
    op.create_table('past_epoch',
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.String(length=16), nullable=False),
    sa.Column('last_seq', sa.Integer(), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['agency_id'], ['agency.id'], name=op.f('fk_past_epoch_agency_id')),
    sa.PrimaryKeyConstraint('agency_id', 'name', name=op.f('pk_past_epoch'))
    )
    engine = op.get_bind().dialect.name
    op.execute(NAMED[engine])
    for statement in SQLITE_TRIGGERS if engine == "sqlite" else POSTGRESQL_TRIGGERS:
        op.execute(statement)


def downgrade():
    op.drop_table('past_epoch')
    op.drop_column('agency', 'restores')
    op.drop_column('agency', 'epoch')
