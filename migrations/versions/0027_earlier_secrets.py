"""every replaced secret of a webhook, to the end of its own day

Revision ID: 0027
Revises: 0026
Create Date: 2026-11-28 07:15:00

"""
import uuid

from alembic import op
import sqlalchemy as sa


revision = '0027'
down_revision = '0026'
branch_labels = None
depends_on = None

SQLITE_TRIGGERS = [
    "CREATE TRIGGER tr_earlier_secret_update BEFORE UPDATE ON earlier_secret BEGIN SELECT RAISE(ABORT, 'this table does not change: earlier_secret'); END",
    "CREATE TRIGGER tr_earlier_secret_replace BEFORE INSERT ON earlier_secret WHEN EXISTS (SELECT 1 FROM earlier_secret WHERE (id = NEW.id)) BEGIN SELECT RAISE(ABORT, 'UNIQUE constraint failed: earlier_secret'); END",
]
POSTGRESQL_TRIGGERS = [
    'CREATE TRIGGER tr_earlier_secret_row BEFORE UPDATE ON earlier_secret FOR EACH ROW EXECUTE FUNCTION bidflux_refuse()',
    'CREATE TRIGGER tr_earlier_secret_truncate BEFORE TRUNCATE ON earlier_secret FOR EACH STATEMENT EXECUTE FUNCTION bidflux_refuse()',
]
ENDPOINT = sa.table(
    'webhook_endpoint',
    sa.column('id', sa.Uuid()), sa.column('agency_id', sa.Uuid()),
    sa.column('earlier_secret_ct', sa.LargeBinary()), sa.column('earlier_until', sa.DateTime(timezone=True)),
)
EARLIER = sa.table(
    'earlier_secret',
    sa.column('id', sa.Uuid()), sa.column('agency_id', sa.Uuid()), sa.column('endpoint_id', sa.Uuid()),
    sa.column('secret_ct', sa.LargeBinary()), sa.column('until', sa.DateTime(timezone=True)),
)


def upgrade():
    connection = op.get_bind()
    held = connection.execute(sa.select(ENDPOINT).where(ENDPOINT.c.earlier_until.is_not(None))).all()
    # First, while nothing points at the table: SQLite makes it anew, and what cascades from it would go.
    with op.batch_alter_table('webhook_endpoint') as batch:
        batch.drop_constraint(op.f('ck_webhook_endpoint_earlier'), type_='check')
        batch.drop_column('earlier_secret_ct')
        batch.drop_column('earlier_until')
    op.create_table('earlier_secret',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('endpoint_id', sa.Uuid(), nullable=False),
    sa.Column('secret_ct', sa.LargeBinary(), nullable=False),
    sa.Column('until', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['agency_id', 'endpoint_id'], ['webhook_endpoint.agency_id', 'webhook_endpoint.id'], name=op.f('fk_earlier_secret_agency_id_endpoint_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_earlier_secret'))
    )
    op.create_index('ix_earlier_secret_endpoint', 'earlier_secret', ['agency_id', 'endpoint_id', 'until'], unique=False)
    for row in held:
        connection.execute(EARLIER.insert().values(
            id=uuid.uuid4(), agency_id=row.agency_id, endpoint_id=row.id,
            secret_ct=row.earlier_secret_ct, until=row.earlier_until,
        ))
    sqlite = connection.dialect.name == "sqlite"
    for statement in SQLITE_TRIGGERS if sqlite else POSTGRESQL_TRIGGERS:
        op.execute(statement)


def downgrade():
    connection = op.get_bind()
    held = connection.execute(sa.select(EARLIER).order_by(EARLIER.c.until)).all()
    op.drop_table('earlier_secret')
    with op.batch_alter_table('webhook_endpoint') as batch:
        batch.add_column(sa.Column('earlier_secret_ct', sa.LargeBinary(), nullable=True))
        batch.add_column(sa.Column('earlier_until', sa.DateTime(timezone=True), nullable=True))
        batch.create_check_constraint(op.f('ck_webhook_endpoint_earlier'), '(earlier_secret_ct IS NULL) = (earlier_until IS NULL)')
    for row in held:  # the newest of each stays
        connection.execute(ENDPOINT.update().where(ENDPOINT.c.id == row.endpoint_id).values(
            earlier_secret_ct=row.secret_ct, earlier_until=row.until,
        ))
