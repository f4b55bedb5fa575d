"""what a person signs in with is one in the installation, and what they are in an agency one for each

Revision ID: 0042
Revises: 0041
Create Date: 2026-11-28 16:30:00

"""
from alembic import op
import sqlalchemy as sa


revision = '0042'
down_revision = '0041'
branch_labels = None
depends_on = None

FOLLOW = ("user_session", "saved_view")  # whose rows go with their user's
SHARED = "id, agency_id, email, full_name, phone, role, active, created_at"


def upgrade():
    op.create_table('account',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('email', sa.String(length=254), nullable=False),
    sa.Column('password_hash', sa.String(length=200), nullable=False),
    sa.Column('language', sa.String(length=2), nullable=False),
    sa.Column('shortcuts', sa.Boolean(), nullable=False, server_default=sa.true()),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('email = lower(email)', name=op.f('ck_account_email_lower')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_account')),
    sa.UniqueConstraint('email', name=op.f('uq_account_email')),
    sa.UniqueConstraint('id', 'email', name=op.f('uq_account_id_email'))
    )
    # Whoever can sign in has an account; its id may be the user's, as nothing else was called so.
    op.execute('INSERT INTO account (id, email, password_hash, language, shortcuts, created_at)'
               ' SELECT id, email, password_hash, language, shortcuts, created_at FROM "user" WHERE active')
    if _sqlite():
        _rebuild(_members, f"{SHARED}, account_id, read_in", f"{SHARED}, CASE WHEN active THEN id END, CASE WHEN NOT active THEN language END")
    else:
        op.add_column('user', sa.Column('account_id', sa.Uuid(), nullable=True))
        op.add_column('user', sa.Column('read_in', sa.String(length=2), nullable=True))
        op.add_column('user', sa.Column('chosen_at', sa.DateTime(timezone=True), nullable=True))
        op.execute('UPDATE "user" SET account_id = CASE WHEN active THEN id END, read_in = CASE WHEN NOT active THEN language END')
        op.create_foreign_key(op.f('fk_user_account_id_email'), 'user', 'account', ['account_id', 'email'], ['id', 'email'], onupdate='CASCADE')
        op.create_check_constraint(op.f('ck_user_account'), 'user', 'active = (account_id IS NOT NULL)')
        op.drop_index('uq_user_email_active', 'user')
        for name in ('password_hash', 'language', 'shortcuts'):
            op.drop_column('user', name)
    op.create_index('ix_user_account', 'user', ['account_id', 'email'])


def downgrade():
    # The schema before has room for one agency of a person: the one they have been in longest.
    op.execute(
        'UPDATE "user" SET active = false, account_id = NULL, read_in = (SELECT language FROM account WHERE account.id = account_id) WHERE active AND EXISTS (SELECT 1 FROM "user" AS other'
        ' WHERE other.account_id = "user".account_id AND (other.created_at < "user".created_at'
        ' OR (other.created_at = "user".created_at AND other.id < "user".id)))')
    wanted = "(SELECT {0} FROM account WHERE account.id = account_id)"
    filled = ", ".join((
        f"coalesce({wanted.format('password_hash')}, '')",
        f"coalesce({wanted.format('language')}, read_in, 'ro')",
        f"coalesce({wanted.format('shortcuts')}, true)",
    ))
    op.drop_index('ix_user_account', 'user')
    if _sqlite():
        _rebuild(_people, f"{SHARED}, password_hash, language, shortcuts", f"{SHARED}, {filled}")
    else:
        op.add_column('user', sa.Column('password_hash', sa.String(length=200), nullable=True))
        op.add_column('user', sa.Column('language', sa.String(length=2), nullable=True))
        op.add_column('user', sa.Column('shortcuts', sa.Boolean(), nullable=False, server_default=sa.true()))
        op.execute(f'UPDATE "user" SET (password_hash, language, shortcuts) = ({filled})')
        op.alter_column('user', 'password_hash', nullable=False)
        op.alter_column('user', 'language', nullable=False)
        op.drop_constraint(op.f('fk_user_account_id_email'), 'user', type_='foreignkey')
        op.drop_constraint(op.f('ck_user_account'), 'user', type_='check')
        op.drop_column('user', 'account_id')
        op.drop_column('user', 'read_in')
        op.drop_column('user', 'chosen_at')
    op.execute('CREATE UNIQUE INDEX uq_user_email_active ON "user" (email) WHERE ' + ("active = 1" if _sqlite() else "active"))
    op.drop_table('account')


def _sqlite():
    return op.get_bind().dialect.name == "sqlite"


def _members():
    _table(
        sa.Column('active', sa.Boolean(), nullable=False),
        sa.Column('read_in', sa.String(length=2), nullable=True),
        sa.Column('chosen_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('account_id', sa.Uuid(), nullable=True),
        sa.CheckConstraint('active = (account_id IS NOT NULL)', name=op.f('ck_user_account')),
        sa.ForeignKeyConstraint(['account_id', 'email'], ['account.id', 'account.email'], name=op.f('fk_user_account_id_email'), onupdate='CASCADE'),
    )


def _people():
    _table(
        sa.Column('language', sa.String(length=2), nullable=False),
        sa.Column('password_hash', sa.String(length=200), nullable=False),
        sa.Column('active', sa.Boolean(), nullable=False),
        sa.Column('shortcuts', sa.Boolean(), nullable=False, server_default=sa.true()),
    )


def _table(*more):
    op.create_table('user',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('email', sa.String(length=254), nullable=False),
    sa.Column('full_name', sa.String(length=200), nullable=False),
    sa.Column('phone', sa.String(length=20), nullable=True),
    sa.Column('role', sa.String(length=10), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    *more,
    sa.CheckConstraint("role IN ('owner', 'agent')", name=op.f('ck_user_role')),
    sa.CheckConstraint('email = lower(email)', name=op.f('ck_user_email_lower')),
    sa.ForeignKeyConstraint(['agency_id'], ['agency.id'], name=op.f('fk_user_agency_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_user')),
    sa.UniqueConstraint('agency_id', 'id', name=op.f('uq_user_agency_id_id')),
    sa.UniqueConstraint('agency_id', 'email', name=op.f('uq_user_agency_id_email'))
    )


def _rebuild(make, columns, values):
    """SQLite neither drops nor adds a constraint. As in 0037: under its own name, so that rows which come back under the
    same keys settle what the drop left open at the end of the transaction."""
    bind = op.get_bind()
    bind.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
    for name in ("user", *FOLLOW):
        bind.exec_driver_sql(f'CREATE TEMPORARY TABLE "kept_{name}" AS SELECT * FROM main."{name}"')
    bind.exec_driver_sql('DROP TABLE main."user"')
    make()
    bind.exec_driver_sql(f'INSERT INTO main."user" ({columns}) SELECT {values} FROM temp."kept_user"')
    for name in FOLLOW:
        bind.exec_driver_sql(f'INSERT INTO main."{name}" SELECT * FROM temp."kept_{name}"')
    for name in ("user", *FOLLOW):
        bind.exec_driver_sql(f'DROP TABLE temp."kept_{name}"')
