"""an agency can end: what it held is deleted, the addresses of its people too

Revision ID: 0046
Revises: 0045
Create Date: 2026-11-28 17:20:00

"""
from alembic import op
import sqlalchemy as sa


revision = '0046'
down_revision = '0045'
branch_labels = None
depends_on = None

ROW = 'CREATE TRIGGER tr_staff_address_row BEFORE {0} ON staff_address FOR EACH ROW EXECUTE FUNCTION bidflux_refuse()'
DELETE = (
    "CREATE TRIGGER tr_staff_address_delete BEFORE DELETE ON staff_address"
    " BEGIN SELECT RAISE(ABORT, 'this table does not change: staff_address'); END"
)


def upgrade():
    op.add_column('agency', sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True))
    if _sqlite():
        op.execute('DROP TRIGGER tr_staff_address_delete')
    else:
        op.execute('DROP TRIGGER tr_staff_address_row ON staff_address')
        op.execute(ROW.format('UPDATE'))


def downgrade():
    if _sqlite():
        op.execute(DELETE)
    else:
        op.execute('DROP TRIGGER tr_staff_address_row ON staff_address')
        op.execute(ROW.format('UPDATE OR DELETE'))
    op.drop_column('agency', 'ended_at')


def _sqlite():
    return op.get_bind().dialect.name == 'sqlite'
