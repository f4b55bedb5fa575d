"""the first agency is made by a link, and an agency has a currency of its own

Revision ID: 0040
Revises: 0039
Create Date: 2026-11-28 16:40:00

"""
from alembic import op
import sqlalchemy as sa


revision = '0040'
down_revision = '0039'
branch_labels = None
depends_on = None


def upgrade():
    op.add_column('agency', sa.Column('currency', sa.String(length=3), server_default='EUR', nullable=False))
    op.create_table('setup_link',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_setup_link'))
    )


def downgrade():
    op.drop_table('setup_link')
    op.drop_column('agency', 'currency')
