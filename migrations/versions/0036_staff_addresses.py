"""which mailboxes are, or once were, the agency's or its people's

Revision ID: 0036
Revises: 0035
Create Date: 2026-11-28 10:00:00

"""
from alembic import op
import sqlalchemy as sa


revision = '0036'
down_revision = '0035'
branch_labels = None
depends_on = None

TRIGGERS = {
    'sqlite': [
        "CREATE TRIGGER tr_staff_address_update BEFORE UPDATE ON staff_address BEGIN SELECT RAISE(ABORT, 'this table does not change: staff_address'); END",
        "CREATE TRIGGER tr_staff_address_delete BEFORE DELETE ON staff_address BEGIN SELECT RAISE(ABORT, 'this table does not change: staff_address'); END",
        "CREATE TRIGGER tr_staff_address_replace BEFORE INSERT ON staff_address WHEN EXISTS (SELECT 1 FROM staff_address WHERE (agency_id = NEW.agency_id AND email = NEW.email)) BEGIN SELECT RAISE(ABORT, 'UNIQUE constraint failed: staff_address'); END",
    ],
    'postgresql': [
        'CREATE TRIGGER tr_staff_address_row BEFORE UPDATE OR DELETE ON staff_address FOR EACH ROW EXECUTE FUNCTION bidflux_refuse()',
        'CREATE TRIGGER tr_staff_address_truncate BEFORE TRUNCATE ON staff_address FOR EACH STATEMENT EXECUTE FUNCTION bidflux_refuse()',
    ],
}


def upgrade():
    op.create_table('staff_address',
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('email', sa.String(length=254), nullable=False),
    sa.Column('since', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['agency_id'], ['agency.id'], name=op.f('fk_staff_address_agency_id')),
    sa.PrimaryKeyConstraint('agency_id', 'email', name=op.f('pk_staff_address'))
    )
    op.execute(
        'INSERT INTO staff_address (agency_id, email, since)'
        ' SELECT agency_id, email, min(created_at) FROM'
        ' (SELECT agency_id, email, created_at FROM "user"'
        ' UNION ALL SELECT id, lower(email), created_at FROM agency'
        ' UNION ALL SELECT id, lower(privacy_contact), created_at FROM agency WHERE privacy_contact IS NOT NULL)'
        ' AS held GROUP BY agency_id, email'
    )
    for statement in TRIGGERS[op.get_bind().dialect.name]:
        op.execute(statement)


def downgrade():
    op.drop_table('staff_address')
