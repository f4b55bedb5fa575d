"""answers to offers

Revision ID: 0002
Revises: 0001
Create Date: 2026-11-23 13:10:10.566412

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None

SQLITE_TRIGGERS = [
    "CREATE TRIGGER tr_confirmation_update BEFORE UPDATE ON confirmation BEGIN SELECT RAISE(ABORT, 'this table does not change: confirmation'); END",
    "CREATE TRIGGER tr_confirmation_delete BEFORE DELETE ON confirmation BEGIN SELECT RAISE(ABORT, 'this table does not change: confirmation'); END",
    "CREATE TRIGGER tr_confirmation_replace BEFORE INSERT ON confirmation WHEN EXISTS (SELECT 1 FROM confirmation WHERE (offer_id = NEW.offer_id)) BEGIN SELECT RAISE(ABORT, 'UNIQUE constraint failed: confirmation'); END",
    "CREATE TRIGGER tr_note_update BEFORE UPDATE ON note BEGIN SELECT RAISE(ABORT, 'this table does not change: note'); END",
    "CREATE TRIGGER tr_note_replace BEFORE INSERT ON note WHEN EXISTS (SELECT 1 FROM note WHERE (id = NEW.id)) BEGIN SELECT RAISE(ABORT, 'UNIQUE constraint failed: note'); END",
]
POSTGRESQL_TRIGGERS = [
    'CREATE TRIGGER tr_confirmation_row BEFORE UPDATE OR DELETE ON confirmation FOR EACH ROW EXECUTE FUNCTION bidflux_refuse()',
    'CREATE TRIGGER tr_confirmation_truncate BEFORE TRUNCATE ON confirmation FOR EACH STATEMENT EXECUTE FUNCTION bidflux_refuse()',
    'CREATE TRIGGER tr_note_row BEFORE UPDATE ON note FOR EACH ROW EXECUTE FUNCTION bidflux_refuse()',
    'CREATE TRIGGER tr_note_truncate BEFORE TRUNCATE ON note FOR EACH STATEMENT EXECUTE FUNCTION bidflux_refuse()',
]


def upgrade():
    op.create_table('link_activity',
    sa.Column('property_id', sa.Uuid(), nullable=False),
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('opened', sa.Integer(), nullable=False),
    sa.Column('begun', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['agency_id', 'property_id'], ['property.agency_id', 'property.id'], name=op.f('fk_link_activity_agency_id_property_id')),
    sa.PrimaryKeyConstraint('property_id', 'day', name=op.f('pk_link_activity'))
    )
    op.create_table('confirmation',
    sa.Column('offer_id', sa.Uuid(), nullable=False),
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['agency_id', 'offer_id'], ['offer.agency_id', 'offer.id'], name=op.f('fk_confirmation_agency_id_offer_id')),
    sa.PrimaryKeyConstraint('offer_id', name=op.f('pk_confirmation'))
    )
    op.create_table('note',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('offer_id', sa.Uuid(), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('body_ct', sa.LargeBinary(), nullable=False),
    sa.ForeignKeyConstraint(['agency_id', 'offer_id'], ['offer.agency_id', 'offer.id'], name=op.f('fk_note_agency_id_offer_id')),
    sa.ForeignKeyConstraint(['agency_id', 'user_id'], ['user.agency_id', 'user.id'], name=op.f('fk_note_agency_id_user_id')),
    sa.ForeignKeyConstraint(['agency_id'], ['agency.id'], name=op.f('fk_note_agency_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_note')),
    sa.UniqueConstraint('agency_id', 'id', name=op.f('uq_note_agency_id_id'))
    )
    op.create_index('ix_note_offer', 'note', ['agency_id', 'offer_id', 'at'], unique=False)
    op.create_table('offer_request',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('property_id', sa.Uuid(), nullable=False),
    sa.Column('offer_id', sa.Uuid(), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('deadline', sa.DateTime(timezone=True), nullable=False),
    sa.Column('message_ct', sa.LargeBinary(), nullable=True),
    sa.Column('answer_id', sa.Uuid(), nullable=True),
    sa.Column('cancelled_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint('answer_id <> offer_id', name=op.f('ck_offer_request_another')),
    sa.CheckConstraint('answer_id IS NULL OR cancelled_at IS NULL', name=op.f('ck_offer_request_ended_once')),
    sa.CheckConstraint('deadline > created_at', name=op.f('ck_offer_request_deadline')),
    sa.ForeignKeyConstraint(['agency_id', 'answer_id'], ['offer.agency_id', 'offer.id'], name=op.f('fk_offer_request_agency_id_answer_id')),
    sa.ForeignKeyConstraint(['agency_id', 'offer_id'], ['offer.agency_id', 'offer.id'], name=op.f('fk_offer_request_agency_id_offer_id')),
    sa.ForeignKeyConstraint(['agency_id', 'property_id'], ['property.agency_id', 'property.id'], name=op.f('fk_offer_request_agency_id_property_id')),
    sa.ForeignKeyConstraint(['agency_id', 'user_id'], ['user.agency_id', 'user.id'], name=op.f('fk_offer_request_agency_id_user_id')),
    sa.ForeignKeyConstraint(['agency_id'], ['agency.id'], name=op.f('fk_offer_request_agency_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_offer_request')),
    sa.UniqueConstraint('agency_id', 'answer_id', name=op.f('uq_offer_request_agency_id_answer_id')),
    sa.UniqueConstraint('agency_id', 'id', name=op.f('uq_offer_request_agency_id_id'))
    )
    op.create_index('ix_offer_request_offer', 'offer_request', ['agency_id', 'offer_id'], unique=False)
    op.add_column('decision', sa.Column('message_ct', sa.LargeBinary(), nullable=True))
    op.create_index('ix_decision_at', 'decision', ['agency_id', 'at'], unique=False)
    sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in SQLITE_TRIGGERS if sqlite else POSTGRESQL_TRIGGERS:
        op.execute(statement)


def downgrade():
    op.drop_index('ix_decision_at', table_name='decision')
    op.drop_column('decision', 'message_ct')
    op.drop_index('ix_offer_request_offer', table_name='offer_request')
    op.drop_table('offer_request')
    op.drop_index('ix_note_offer', table_name='note')
    op.drop_table('note')
    op.drop_table('confirmation')
    op.drop_table('link_activity')
