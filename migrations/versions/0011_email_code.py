"""codes by which bidders confirm their e-mail address

Revision ID: 0011
Revises: 0010
Create Date: 2026-11-23 16:10:00

"""
from alembic import op
import sqlalchemy as sa


revision = '0011'
down_revision = '0010'
branch_labels = None
depends_on = None


def upgrade():
    op.add_column('property', sa.Column('code_required', sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_table('email_code',
    sa.Column('offer_id', sa.Uuid(), nullable=False),
    sa.Column('n', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('code_ct', sa.LargeBinary(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('tries', sa.Integer(), nullable=False),
    sa.Column('used_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint('tries BETWEEN 0 AND 5', name=op.f('ck_email_code_tries')),
    sa.ForeignKeyConstraint(['agency_id', 'offer_id'], ['offer.agency_id', 'offer.id'], name=op.f('fk_email_code_agency_id_offer_id')),
    sa.PrimaryKeyConstraint('offer_id', 'n', name=op.f('pk_email_code'))
    )


def downgrade():
    op.drop_table('email_code')
    op.drop_column('property', 'code_required')
