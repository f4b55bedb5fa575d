"""webhooks: endpoints, and calls owed to them

Revision ID: 0007
Revises: 0006
Create Date: 2026-11-23 15:30:00

"""
from alembic import op
import sqlalchemy as sa


revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None


INDEXES = {
    'ix_delivery_endpoint': ['endpoint_id', 'state', 'due_at'],
    'ix_delivery_log': ['endpoint_id', 'created_at', 'id'],
}


def upgrade():
    op.create_table('webhook_endpoint',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('url_ct', sa.LargeBinary(), nullable=False),
    sa.Column('events', sa.String(length=500), nullable=False),
    sa.Column('secret_ct', sa.LargeBinary(), nullable=False),
    sa.Column('earlier_secret_ct', sa.LargeBinary(), nullable=True),
    sa.Column('earlier_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('off_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('off_reason', sa.String(length=10), nullable=True),
    sa.Column('failing_since', sa.DateTime(timezone=True), nullable=True),
    sa.Column('warned', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("off_reason IN ('owner', 'gone', 'failing')", name=op.f('ck_webhook_endpoint_off_reason')),
    sa.CheckConstraint('(off_at IS NULL) = (off_reason IS NULL)', name=op.f('ck_webhook_endpoint_off')),
    sa.CheckConstraint('(earlier_secret_ct IS NULL) = (earlier_until IS NULL)', name=op.f('ck_webhook_endpoint_earlier')),
    sa.ForeignKeyConstraint(['agency_id'], ['agency.id'], name=op.f('fk_webhook_endpoint_agency_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_webhook_endpoint')),
    sa.UniqueConstraint('agency_id', 'id', name=op.f('uq_webhook_endpoint_agency_id_id'))
    )
    op.create_index('ix_webhook_endpoint_agency', 'webhook_endpoint', ['agency_id', 'created_at'], unique=False)
    op.add_column('agency', sa.Column('has_webhooks', sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column('delivery', sa.Column('endpoint_id', sa.Uuid(), nullable=True))
    op.add_column('delivery', sa.Column('body_ct', sa.LargeBinary(), nullable=True))
    for name, columns in INDEXES.items():
        some = sa.text('endpoint_id IS NOT NULL')
        op.create_index(name, 'delivery', columns, unique=False, sqlite_where=some, postgresql_where=some)
    calls = sa.text('endpoint_id IS NOT NULL AND event_seq > 0')
    op.create_index(
        'uq_delivery_webhook',
        'delivery',
        ['agency_id', 'event_seq', 'endpoint_id'],
        unique=True,
        sqlite_where=calls,
        postgresql_where=calls,
    )


def downgrade():
    op.execute("DELETE FROM attempt WHERE delivery_id IN (SELECT id FROM delivery WHERE kind = 'webhook')")
    op.execute("DELETE FROM delivery WHERE kind = 'webhook'")
    op.drop_index('uq_delivery_webhook', table_name='delivery')
    for name in INDEXES:
        op.drop_index(name, table_name='delivery')
    op.drop_column('delivery', 'body_ct')
    op.drop_column('delivery', 'endpoint_id')
    op.drop_column('agency', 'has_webhooks')
    op.drop_index('ix_webhook_endpoint_agency', table_name='webhook_endpoint')
    op.drop_table('webhook_endpoint')
