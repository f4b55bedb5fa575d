"""privacy notices that agencies write themselves

Revision ID: 0015
Revises: 0014
Create Date: 2026-11-23 16:50:00

"""
from alembic import op
import sqlalchemy as sa


revision = '0015'
down_revision = '0014'
branch_labels = None
depends_on = None

SQLITE_TRIGGERS = [
    "CREATE TRIGGER tr_agency_notice_update BEFORE UPDATE ON agency_notice BEGIN SELECT RAISE(ABORT, 'this table does not change: agency_notice'); END",
    "CREATE TRIGGER tr_agency_notice_delete BEFORE DELETE ON agency_notice BEGIN SELECT RAISE(ABORT, 'this table does not change: agency_notice'); END",
    "CREATE TRIGGER tr_agency_notice_replace BEFORE INSERT ON agency_notice WHEN EXISTS (SELECT 1 FROM agency_notice WHERE (agency_id = NEW.agency_id AND language = NEW.language AND n = NEW.n)) BEGIN SELECT RAISE(ABORT, 'UNIQUE constraint failed: agency_notice'); END",
]
POSTGRESQL_TRIGGERS = [
    'CREATE TRIGGER tr_agency_notice_row BEFORE UPDATE OR DELETE ON agency_notice FOR EACH ROW EXECUTE FUNCTION bidflux_refuse()',
    'CREATE TRIGGER tr_agency_notice_truncate BEFORE TRUNCATE ON agency_notice FOR EACH STATEMENT EXECUTE FUNCTION bidflux_refuse()',
]


def upgrade():
    op.create_table('agency_notice',
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('language', sa.String(length=2), nullable=False),
    sa.Column('n', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('sha256', sa.LargeBinary(length=32), nullable=True),
    sa.CheckConstraint("language IN ('ro', 'en')", name=op.f('ck_agency_notice_language')),
    sa.CheckConstraint('n > 0', name=op.f('ck_agency_notice_n')),
    sa.ForeignKeyConstraint(['agency_id'], ['agency.id'], name=op.f('fk_agency_notice_agency_id')),
    sa.ForeignKeyConstraint(['sha256'], ['text_version.sha256'], name=op.f('fk_agency_notice_sha256')),
    sa.PrimaryKeyConstraint('agency_id', 'language', 'n', name=op.f('pk_agency_notice'))
    )
    op.add_column('agency', sa.Column('notice_version', sa.Integer(), nullable=False, server_default='0'))
    sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in SQLITE_TRIGGERS if sqlite else POSTGRESQL_TRIGGERS:
        op.execute(statement)


def downgrade():
    op.drop_column('agency', 'notice_version')
    op.drop_table('agency_notice')
