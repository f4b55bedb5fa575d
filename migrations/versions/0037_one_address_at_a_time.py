"""an address signs in once among those who can, and whoever left an agency can join another

Revision ID: 0037
Revises: 0036
Create Date: 2026-11-28 10:00:00

"""
from alembic import op


revision = '0037'
down_revision = '0036'
branch_labels = None
depends_on = None

EVERYWHERE = "CONSTRAINT uq_user_email UNIQUE (email)"
PER_AGENCY = "CONSTRAINT uq_user_agency_id_email UNIQUE (agency_id, email)"
FOLLOW = ("user_session", "saved_view")  # whose rows go with their user's


def upgrade():
    _swap(EVERYWHERE, PER_AGENCY)
    op.execute('CREATE UNIQUE INDEX uq_user_email_active ON "user" (email) WHERE ' + ("active = 1" if _sqlite() else "active"))


def downgrade():
    op.execute("DROP INDEX uq_user_email_active")
    # The schema before has room for one: whoever can sign in keeps the address, else who came last.
    op.execute(
        """UPDATE "user" SET email = lower(CAST(id AS VARCHAR(36))) || '@left.invalid' WHERE NOT active AND EXISTS ("""
        """SELECT 1 FROM "user" AS other WHERE other.email = "user".email AND other.id <> "user".id AND (other.active OR other.id > "user".id))"""
    )
    _swap(PER_AGENCY, EVERYWHERE)


def _sqlite():
    return op.get_bind().dialect.name == "sqlite"


def _swap(old, new):
    if _sqlite():
        _rebuild(old, new)
    else:
        op.execute(f'ALTER TABLE "user" DROP CONSTRAINT {old.split()[1]}')
        op.execute(f'ALTER TABLE "user" ADD {new}')


def _rebuild(old, new):
    """SQLite drops no constraint. The table is made anew under its own name, and what points at it is asked for at the
    end of the transaction: rows that come back under the same keys settle what the drop left open. A renamed table
    would settle nothing."""
    bind = op.get_bind()
    made = bind.exec_driver_sql("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = 'user'").scalar_one()
    if old not in made:
        raise RuntimeError(f"the table user has no {old}")
    bind.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
    for name in ("user", *FOLLOW):
        bind.exec_driver_sql(f'CREATE TEMPORARY TABLE "kept_{name}" AS SELECT * FROM main."{name}"')
    bind.exec_driver_sql('DROP TABLE main."user"')
    bind.exec_driver_sql(made.replace(old, new))
    for name in ("user", *FOLLOW):
        bind.exec_driver_sql(f'INSERT INTO main."{name}" SELECT * FROM temp."kept_{name}"')
        bind.exec_driver_sql(f'DROP TABLE temp."kept_{name}"')
