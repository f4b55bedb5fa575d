"""a second factor, and sessions that know their place and when they were last proven

Revision ID: 0047
Revises: 0046
Create Date: 2026-11-28 17:10:00

"""
from alembic import op
import sqlalchemy as sa


revision = '0047'
down_revision = '0046'
branch_labels = None
depends_on = None


def upgrade():
    op.add_column('account', sa.Column('has_factor', sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column('agency', sa.Column('needs_factor', sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column('user_session', sa.Column('place', sa.String(length=45), nullable=False, server_default=''))
    op.add_column('user_session', sa.Column('proven_at', sa.DateTime(timezone=True), nullable=True))
    op.create_table('totp',
    sa.Column('account_id', sa.Uuid(), nullable=False),
    sa.Column('kek_id', sa.String(length=16), nullable=False),
    sa.Column('wrapped', sa.LargeBinary(), nullable=False),
    sa.Column('last_step', sa.BigInteger(), nullable=False),
    sa.Column('confirmed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_totp_account_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('account_id', name=op.f('pk_totp'))
    )
    op.create_index('ix_totp_kek', 'totp', ['kek_id'])
    op.create_table('recovery_code',
    sa.Column('account_id', sa.Uuid(), nullable=False),
    sa.Column('code_hash', sa.LargeBinary(length=32), nullable=False),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_recovery_code_account_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('account_id', 'code_hash', name=op.f('pk_recovery_code'))
    )


def downgrade():
    op.drop_table('recovery_code')
    op.drop_table('totp')
    op.drop_column('user_session', 'proven_at')
    op.drop_column('user_session', 'place')
    op.drop_column('agency', 'needs_factor')
    op.drop_column('account', 'has_factor')
