"""an assistant reads and records, and decides nothing

Revision ID: 0044
Revises: 0043
Create Date: 2026-11-28 17:00:00

"""
from alembic import op


revision = '0044'
down_revision = '0043'
branch_labels = None
depends_on = None

TWO, THREE = "role IN ('owner', 'agent')", "role IN ('owner', 'agent', 'assistant')"


def upgrade():
    _roles(TWO, THREE)


def downgrade():
    for table in ('"user"', 'invitation'):
        op.execute(f"UPDATE {table} SET role = 'agent' WHERE role = 'assistant'")
    _roles(THREE, TWO)


def _roles(before, after):
    bind = op.get_bind()
    if bind.dialect.name != 'sqlite':
        for table in ('user', 'invitation'):
            op.drop_constraint(op.f(f'ck_{table}_role'), table, type_='check')
            op.create_check_constraint(op.f(f'ck_{table}_role'), table, after)
        return
    # As SQLite documents for what does not change a table's content (lang_altertable.html, "Making Other Kinds Of Table
    # Schema Changes"): dropping the table would take along all that follows a user.
    version = bind.exec_driver_sql('PRAGMA schema_version').scalar()
    bind.exec_driver_sql('PRAGMA writable_schema = ON')
    changed = bind.exec_driver_sql(
        "UPDATE sqlite_master SET sql = replace(sql, ?, ?) WHERE type = 'table' AND name IN ('user', 'invitation')"
        " AND instr(sql, ?)", (before, after, before)
    ).rowcount
    assert changed == 2, changed
    bind.exec_driver_sql(f'PRAGMA schema_version = {version + 1}')
    bind.exec_driver_sql('PRAGMA writable_schema = OFF')
