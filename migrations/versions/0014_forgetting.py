"""forgetting: tombstones, and how long what is kept

Revision ID: 0014
Revises: 0013
Create Date: 2026-11-23 16:01:25.792562

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0014'
down_revision = '0013'
branch_labels = None
depends_on = None

SQLITE_TRIGGERS = [
    "CREATE TRIGGER tr_tombstone_update BEFORE UPDATE ON tombstone BEGIN SELECT RAISE(ABORT, 'this table does not change: tombstone'); END",
    "CREATE TRIGGER tr_tombstone_delete BEFORE DELETE ON tombstone BEGIN SELECT RAISE(ABORT, 'this table does not change: tombstone'); END",
    "CREATE TRIGGER tr_tombstone_replace BEFORE INSERT ON tombstone WHEN EXISTS (SELECT 1 FROM tombstone WHERE (offer_id = NEW.offer_id)) BEGIN SELECT RAISE(ABORT, 'UNIQUE constraint failed: tombstone'); END",
]
POSTGRESQL_TRIGGERS = [
    'CREATE TRIGGER tr_tombstone_row BEFORE UPDATE OR DELETE ON tombstone FOR EACH ROW EXECUTE FUNCTION bidflux_refuse()',
    'CREATE TRIGGER tr_tombstone_truncate BEFORE TRUNCATE ON tombstone FOR EACH STATEMENT EXECUTE FUNCTION bidflux_refuse()',
]


def upgrade():
    op.create_table('retention',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('property_id', sa.Uuid(), nullable=True),
    sa.Column('origin_days', sa.Integer(), nullable=True),
    sa.Column('undecided_days', sa.Integer(), nullable=True),
    sa.Column('rejected_days', sa.Integer(), nullable=True),
    sa.Column('accepted_days', sa.Integer(), nullable=True),
    sa.Column('effective_from', sa.DateTime(timezone=True), nullable=False),
    sa.Column('warned_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('accepted_days BETWEEN 1 AND 3650', name=op.f('ck_retention_accepted')),
    sa.CheckConstraint('origin_days BETWEEN 1 AND 3650', name=op.f('ck_retention_origin')),
    sa.CheckConstraint('rejected_days BETWEEN 1 AND 3650', name=op.f('ck_retention_rejected')),
    sa.CheckConstraint('undecided_days BETWEEN 1 AND 3650', name=op.f('ck_retention_undecided')),
    sa.ForeignKeyConstraint(['agency_id', 'property_id'], ['property.agency_id', 'property.id'], name=op.f('fk_retention_agency_id_property_id')),
    sa.ForeignKeyConstraint(['agency_id'], ['agency.id'], name=op.f('fk_retention_agency_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_retention')),
    sa.UniqueConstraint('agency_id', 'id', name=op.f('uq_retention_agency_id_id')),
    sa.UniqueConstraint('agency_id', 'property_id', name=op.f('uq_retention_agency_id_property_id'))
    )
    op.create_index('uq_retention_of_agency', 'retention', ['agency_id'], unique=True, sqlite_where=sa.text('property_id IS NULL'), postgresql_where=sa.text('property_id IS NULL'))
    op.create_table('tombstone',
    sa.Column('offer_id', sa.Uuid(), nullable=False),
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('reason', sa.String(length=12), nullable=False),
    sa.CheckConstraint("reason IN ('retention', 'person', 'agency', 'replayed')", name=op.f('ck_tombstone_reason')),
    sa.ForeignKeyConstraint(['agency_id', 'offer_id'], ['offer.agency_id', 'offer.id'], name=op.f('fk_tombstone_agency_id_offer_id')),
    sa.PrimaryKeyConstraint('offer_id', name=op.f('pk_tombstone'))
    )
    sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in SQLITE_TRIGGERS if sqlite else POSTGRESQL_TRIGGERS:
        op.execute(statement)


def downgrade():
    op.drop_table('tombstone')
    op.drop_index('uq_retention_of_agency', table_name='retention', sqlite_where=sa.text('property_id IS NULL'), postgresql_where=sa.text('property_id IS NULL'))
    op.drop_table('retention')
