"""checkpoints: signed heads of ledgers, and the tries to timestamp them

Revision ID: 0008
Revises: 0007
Create Date: 2026-11-23 15:45:00

"""
from alembic import op
import sqlalchemy as sa


revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None

SQLITE_TRIGGERS = [
    "CREATE TRIGGER tr_checkpoint_update BEFORE UPDATE ON checkpoint BEGIN SELECT RAISE(ABORT, 'this table does not change: checkpoint'); END",
    "CREATE TRIGGER tr_checkpoint_delete BEFORE DELETE ON checkpoint BEGIN SELECT RAISE(ABORT, 'this table does not change: checkpoint'); END",
    "CREATE TRIGGER tr_checkpoint_replace BEFORE INSERT ON checkpoint WHEN EXISTS (SELECT 1 FROM checkpoint WHERE (agency_id = NEW.agency_id AND seq = NEW.seq)) BEGIN SELECT RAISE(ABORT, 'UNIQUE constraint failed: checkpoint'); END",
    "CREATE TRIGGER tr_timestamping_update BEFORE UPDATE ON timestamping BEGIN SELECT RAISE(ABORT, 'this table does not change: timestamping'); END",
    "CREATE TRIGGER tr_timestamping_delete BEFORE DELETE ON timestamping BEGIN SELECT RAISE(ABORT, 'this table does not change: timestamping'); END",
    "CREATE TRIGGER tr_timestamping_replace BEFORE INSERT ON timestamping WHEN EXISTS (SELECT 1 FROM timestamping WHERE (agency_id = NEW.agency_id AND seq = NEW.seq AND n = NEW.n)) BEGIN SELECT RAISE(ABORT, 'UNIQUE constraint failed: timestamping'); END",
]
POSTGRESQL_TRIGGERS = [
    'CREATE TRIGGER tr_checkpoint_row BEFORE UPDATE OR DELETE ON checkpoint FOR EACH ROW EXECUTE FUNCTION bidflux_refuse()',
    'CREATE TRIGGER tr_checkpoint_truncate BEFORE TRUNCATE ON checkpoint FOR EACH STATEMENT EXECUTE FUNCTION bidflux_refuse()',
    'CREATE TRIGGER tr_timestamping_row BEFORE UPDATE OR DELETE ON timestamping FOR EACH ROW EXECUTE FUNCTION bidflux_refuse()',
    'CREATE TRIGGER tr_timestamping_truncate BEFORE TRUNCATE ON timestamping FOR EACH STATEMENT EXECUTE FUNCTION bidflux_refuse()',
]


def upgrade():
    op.create_table('checkpoint',
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('seq', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('body', sa.LargeBinary(), nullable=False),
    sa.Column('signature', sa.LargeBinary(length=64), nullable=False),
    sa.Column('certificate', sa.Text(), nullable=False),
    sa.CheckConstraint('seq > 0', name=op.f('ck_checkpoint_seq')),
    sa.ForeignKeyConstraint(['agency_id'], ['agency.id'], name=op.f('fk_checkpoint_agency_id')),
    sa.PrimaryKeyConstraint('agency_id', 'seq', name=op.f('pk_checkpoint'))
    )
    op.create_table('timestamping',
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('seq', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('n', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('token', sa.LargeBinary(), nullable=True),
    sa.Column('fault', sa.String(length=40), nullable=True),
    sa.CheckConstraint('(token IS NULL) <> (fault IS NULL)', name=op.f('ck_timestamping_outcome')),
    sa.ForeignKeyConstraint(['agency_id', 'seq'], ['checkpoint.agency_id', 'checkpoint.seq'], name=op.f('fk_timestamping_agency_id_seq')),
    sa.PrimaryKeyConstraint('agency_id', 'seq', 'n', name=op.f('pk_timestamping'))
    )
    sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in SQLITE_TRIGGERS if sqlite else POSTGRESQL_TRIGGERS:
        op.execute(statement)


def downgrade():
    op.drop_table('timestamping')
    op.drop_table('checkpoint')
