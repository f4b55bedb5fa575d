"""lists: indexes that hold what is filtered by, saved views, keys of the keyboard

Revision ID: 0003
Revises: 0002
Create Date: 2026-11-23 13:50:00

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None

FILTERED = ['currency', 'amount_minor', 'financing', 'term_days', 'source', 'signed', 'latest']
# Name: columns before, columns now.
INDEXES = {
    'ix_offer_state_submitted': (
        ['agency_id', 'submitted_at', 'offer_id'],
        ['agency_id', 'submitted_at', 'offer_id', 'status', 'property_id', *FILTERED],
    ),
    'ix_offer_state_status': (
        ['agency_id', 'status', 'submitted_at', 'offer_id'],
        ['agency_id', 'status', 'submitted_at', 'offer_id', 'property_id', *FILTERED],
    ),
    'ix_offer_state_property': (
        ['agency_id', 'property_id', 'submitted_at', 'offer_id'],
        ['agency_id', 'property_id', 'submitted_at', 'offer_id', 'status', *FILTERED],
    ),
}


def upgrade():
    for name, (_, columns) in INDEXES.items():
        op.drop_index(name, table_name='offer_state')
        op.create_index(name, 'offer_state', columns, unique=False)
    op.create_table('saved_view',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('body_ct', sa.LargeBinary(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['agency_id', 'user_id'], ['user.agency_id', 'user.id'], name=op.f('fk_saved_view_agency_id_user_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['agency_id'], ['agency.id'], name=op.f('fk_saved_view_agency_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_saved_view')),
    sa.UniqueConstraint('agency_id', 'id', name=op.f('uq_saved_view_agency_id_id'))
    )
    op.create_index('ix_saved_view_user', 'saved_view', ['agency_id', 'user_id'], unique=False)
    op.add_column('user', sa.Column('shortcuts', sa.Boolean(), nullable=False, server_default=sa.true()))


def downgrade():
    op.drop_column('user', 'shortcuts')
    op.drop_index('ix_saved_view_user', table_name='saved_view')
    op.drop_table('saved_view')
    for name, (columns, _) in INDEXES.items():
        op.drop_index(name, table_name='offer_state')
        op.create_index(name, 'offer_state', columns, unique=False)
