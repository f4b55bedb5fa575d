"""who forgot a password is looked up after the answer, so that its time tells nothing

Revision ID: 0030
Revises: 0029
Create Date: 2026-11-28 07:58:00

"""
from alembic import op
import sqlalchemy as sa


revision = '0030'
down_revision = '0029'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table('reset_request',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('mark', sa.LargeBinary(length=32), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_reset_request'))
    )
    op.create_index('ix_reset_request_created', 'reset_request', ['created_at'], unique=False)


def downgrade():
    op.drop_index('ix_reset_request_created', table_name='reset_request')
    op.drop_table('reset_request')
