"""order of offers

Revision ID: 0004
Revises: 0003
Create Date: 2026-11-23 13:51:34.600420

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SQLITE_TRIGGERS = [
    "CREATE TRIGGER tr_offer_move_update BEFORE UPDATE ON offer_move BEGIN SELECT RAISE(ABORT, 'this table does not change: offer_move'); END",
    "CREATE TRIGGER tr_offer_move_replace BEFORE INSERT ON offer_move WHEN EXISTS (SELECT 1 FROM offer_move WHERE (offer_id = NEW.offer_id)) BEGIN SELECT RAISE(ABORT, 'UNIQUE constraint failed: offer_move'); END",
]
POSTGRESQL_TRIGGERS = [
    'CREATE TRIGGER tr_offer_move_row BEFORE UPDATE ON offer_move FOR EACH ROW EXECUTE FUNCTION bidflux_refuse()',
    'CREATE TRIGGER tr_offer_move_truncate BEFORE TRUNCATE ON offer_move FOR EACH STATEMENT EXECUTE FUNCTION bidflux_refuse()',
]


def upgrade():
    op.create_table('offer_move',
    sa.Column('offer_id', sa.Uuid(), nullable=False),
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('property_id', sa.Uuid(), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('place', sa.Integer(), nullable=False),
    sa.Column('reason_ct', sa.LargeBinary(), nullable=True),
    sa.CheckConstraint('place > 0', name=op.f('ck_offer_move_place')),
    sa.ForeignKeyConstraint(['agency_id', 'offer_id'], ['offer.agency_id', 'offer.id'], name=op.f('fk_offer_move_agency_id_offer_id')),
    sa.ForeignKeyConstraint(['agency_id', 'property_id'], ['property.agency_id', 'property.id'], name=op.f('fk_offer_move_agency_id_property_id')),
    sa.ForeignKeyConstraint(['agency_id', 'user_id'], ['user.agency_id', 'user.id'], name=op.f('fk_offer_move_agency_id_user_id')),
    sa.PrimaryKeyConstraint('offer_id', name=op.f('pk_offer_move'))
    )
    op.create_index('ix_offer_move_property', 'offer_move', ['agency_id', 'property_id', 'at'], unique=False)
    sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in SQLITE_TRIGGERS if sqlite else POSTGRESQL_TRIGGERS:
        op.execute(statement)


def downgrade():
    op.drop_index('ix_offer_move_property', table_name='offer_move')
    op.drop_table('offer_move')
