"""offers that replace others: codes, what a confirmation settles, and who saw the link of a request

Revision ID: 0031
Revises: 0030
Create Date: 2026-11-28 08:00:00

"""
from alembic import op
import sqlalchemy as sa


revision = '0031'
down_revision = '0030'
branch_labels = None
depends_on = None

TRIGGERS = {
    'sqlite': [
        "CREATE TRIGGER tr_supersession_update BEFORE UPDATE ON supersession BEGIN SELECT RAISE(ABORT, 'this table does not change: supersession'); END",
        "CREATE TRIGGER tr_supersession_delete BEFORE DELETE ON supersession BEGIN SELECT RAISE(ABORT, 'this table does not change: supersession'); END",
        "CREATE TRIGGER tr_supersession_replace BEFORE INSERT ON supersession WHEN EXISTS (SELECT 1 FROM supersession WHERE (offer_id = NEW.offer_id) OR (agency_id = NEW.agency_id AND previous_id = NEW.previous_id)) BEGIN SELECT RAISE(ABORT, 'UNIQUE constraint failed: supersession'); END",
    ],
    'postgresql': [
        'CREATE TRIGGER tr_supersession_row BEFORE UPDATE OR DELETE ON supersession FOR EACH ROW EXECUTE FUNCTION bidflux_refuse()',
        'CREATE TRIGGER tr_supersession_truncate BEFORE TRUNCATE ON supersession FOR EACH STATEMENT EXECUTE FUNCTION bidflux_refuse()',
    ],
}


def upgrade():
    op.create_table('replace_code',
    sa.Column('nonce', sa.LargeBinary(length=16), nullable=False),
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('offer_id', sa.Uuid(), nullable=True),
    sa.Column('n', sa.Integer(), nullable=False),
    sa.Column('tries', sa.Integer(), nullable=False),
    sa.Column('sent_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('proved_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint('proved_at IS NULL OR offer_id IS NOT NULL', name=op.f('ck_replace_code_proved')),
    sa.CheckConstraint('tries BETWEEN 0 AND 3', name=op.f('ck_replace_code_tries')),
    sa.ForeignKeyConstraint(['agency_id'], ['agency.id'], name=op.f('fk_replace_code_agency_id')),
    sa.ForeignKeyConstraint(['agency_id', 'offer_id'], ['offer.agency_id', 'offer.id'], name=op.f('fk_replace_code_agency_id_offer_id')),
    sa.PrimaryKeyConstraint('nonce', 'agency_id', name=op.f('pk_replace_code'))
    )
    op.create_index('ix_replace_code_offer', 'replace_code', ['agency_id', 'offer_id'], unique=False)
    op.create_index('ix_replace_code_sent_at', 'replace_code', ['sent_at'], unique=False)
    op.create_table('supersession',
    sa.Column('offer_id', sa.Uuid(), nullable=False),
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('previous_id', sa.Uuid(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint('previous_id <> offer_id', name=op.f('ck_supersession_not_itself')),
    sa.ForeignKeyConstraint(['agency_id', 'offer_id'], ['offer.agency_id', 'offer.id'], name=op.f('fk_supersession_agency_id_offer_id')),
    sa.ForeignKeyConstraint(['agency_id', 'previous_id'], ['offer.agency_id', 'offer.id'], name=op.f('fk_supersession_agency_id_previous_id')),
    sa.PrimaryKeyConstraint('offer_id', name=op.f('pk_supersession')),
    sa.UniqueConstraint('agency_id', 'previous_id', name=op.f('uq_supersession_agency_id_previous_id'))
    )
    for statement in TRIGGERS[op.get_bind().dialect.name]:
        op.execute(statement)
    op.add_column('offer_request', sa.Column('shown_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('offer_request', sa.Column('shown_to', sa.Uuid(), nullable=True))
    # The page of an offer showed the link to whoever opened it, and nothing says who did.
    op.execute('UPDATE offer_request SET shown_at = created_at, shown_to = user_id')


def downgrade():
    op.drop_column('offer_request', 'shown_to')
    op.drop_column('offer_request', 'shown_at')
    op.drop_table('supersession')
    op.drop_index('ix_replace_code_sent_at', table_name='replace_code')
    op.drop_index('ix_replace_code_offer', table_name='replace_code')
    op.drop_table('replace_code')
