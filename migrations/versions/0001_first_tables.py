"""first tables

Revision ID: 0001
Revises: 
Create Date: 2026-11-23 09:20:56.642364

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0001'
down_revision = None
branch_labels = None
depends_on = None


SQLITE_TRIGGERS = [
    "CREATE TRIGGER tr_access_update BEFORE UPDATE ON access BEGIN SELECT RAISE(ABORT, 'this table does not change: access'); END",
    "CREATE TRIGGER tr_access_replace BEFORE INSERT ON access WHEN EXISTS (SELECT 1 FROM access WHERE (id = NEW.id)) BEGIN SELECT RAISE(ABORT, 'UNIQUE constraint failed: access'); END",
    "CREATE TRIGGER tr_agency_key_update BEFORE UPDATE OF agency_id, purpose ON agency_key BEGIN SELECT RAISE(ABORT, 'this table does not change: agency_key'); END",
    "CREATE TRIGGER tr_agency_key_replace BEFORE INSERT ON agency_key WHEN EXISTS (SELECT 1 FROM agency_key WHERE (agency_id = NEW.agency_id AND purpose = NEW.purpose)) BEGIN SELECT RAISE(ABORT, 'UNIQUE constraint failed: agency_key'); END",
    "CREATE TRIGGER tr_attempt_update BEFORE UPDATE ON attempt BEGIN SELECT RAISE(ABORT, 'this table does not change: attempt'); END",
    "CREATE TRIGGER tr_attempt_replace BEFORE INSERT ON attempt WHEN EXISTS (SELECT 1 FROM attempt WHERE (delivery_id = NEW.delivery_id AND n = NEW.n)) BEGIN SELECT RAISE(ABORT, 'UNIQUE constraint failed: attempt'); END",
    "CREATE TRIGGER tr_decision_update BEFORE UPDATE ON decision BEGIN SELECT RAISE(ABORT, 'this table does not change: decision'); END",
    "CREATE TRIGGER tr_decision_delete BEFORE DELETE ON decision BEGIN SELECT RAISE(ABORT, 'this table does not change: decision'); END",
    "CREATE TRIGGER tr_decision_replace BEFORE INSERT ON decision WHEN EXISTS (SELECT 1 FROM decision WHERE (id = NEW.id) OR (agency_id = NEW.agency_id AND undoes_id = NEW.undoes_id)) BEGIN SELECT RAISE(ABORT, 'UNIQUE constraint failed: decision'); END",
    "CREATE TRIGGER tr_event_update BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'this table does not change: event'); END",
    "CREATE TRIGGER tr_event_delete BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'this table does not change: event'); END",
    "CREATE TRIGGER tr_event_replace BEFORE INSERT ON event WHEN EXISTS (SELECT 1 FROM event WHERE (agency_id = NEW.agency_id AND seq = NEW.seq)) BEGIN SELECT RAISE(ABORT, 'UNIQUE constraint failed: event'); END",
    "CREATE TRIGGER tr_ledger_update BEFORE UPDATE ON ledger BEGIN SELECT RAISE(ABORT, 'this table does not change: ledger'); END",
    "CREATE TRIGGER tr_ledger_delete BEFORE DELETE ON ledger BEGIN SELECT RAISE(ABORT, 'this table does not change: ledger'); END",
    "CREATE TRIGGER tr_ledger_replace BEFORE INSERT ON ledger WHEN EXISTS (SELECT 1 FROM ledger WHERE (agency_id = NEW.agency_id AND seq = NEW.seq)) BEGIN SELECT RAISE(ABORT, 'UNIQUE constraint failed: ledger'); END",
    "CREATE TRIGGER tr_offer_update BEFORE UPDATE ON offer BEGIN SELECT RAISE(ABORT, 'this table does not change: offer'); END",
    "CREATE TRIGGER tr_offer_delete BEFORE DELETE ON offer BEGIN SELECT RAISE(ABORT, 'this table does not change: offer'); END",
    "CREATE TRIGGER tr_offer_replace BEFORE INSERT ON offer WHEN EXISTS (SELECT 1 FROM offer WHERE (id = NEW.id) OR (reference = NEW.reference) OR (agency_id = NEW.agency_id AND previous_id = NEW.previous_id)) BEGIN SELECT RAISE(ABORT, 'UNIQUE constraint failed: offer'); END",
    "CREATE TRIGGER tr_offer_body_update BEFORE UPDATE ON offer_body BEGIN SELECT RAISE(ABORT, 'this table does not change: offer_body'); END",
    "CREATE TRIGGER tr_offer_body_delete BEFORE DELETE ON offer_body BEGIN SELECT RAISE(ABORT, 'this table does not change: offer_body'); END",
    "CREATE TRIGGER tr_offer_body_replace BEFORE INSERT ON offer_body WHEN EXISTS (SELECT 1 FROM offer_body WHERE (offer_id = NEW.offer_id)) BEGIN SELECT RAISE(ABORT, 'UNIQUE constraint failed: offer_body'); END",
    "CREATE TRIGGER tr_offer_file_update BEFORE UPDATE ON offer_file BEGIN SELECT RAISE(ABORT, 'this table does not change: offer_file'); END",
    "CREATE TRIGGER tr_offer_file_replace BEFORE INSERT ON offer_file WHEN EXISTS (SELECT 1 FROM offer_file WHERE (offer_id = NEW.offer_id AND kind = NEW.kind)) BEGIN SELECT RAISE(ABORT, 'UNIQUE constraint failed: offer_file'); END",
    "CREATE TRIGGER tr_offer_key_update BEFORE UPDATE OF offer_id, agency_id, name_ct ON offer_key BEGIN SELECT RAISE(ABORT, 'this table does not change: offer_key'); END",
    "CREATE TRIGGER tr_offer_key_replace BEFORE INSERT ON offer_key WHEN EXISTS (SELECT 1 FROM offer_key WHERE (offer_id = NEW.offer_id)) BEGIN SELECT RAISE(ABORT, 'UNIQUE constraint failed: offer_key'); END",
    "CREATE TRIGGER tr_offer_origin_update BEFORE UPDATE ON offer_origin BEGIN SELECT RAISE(ABORT, 'this table does not change: offer_origin'); END",
    "CREATE TRIGGER tr_offer_origin_replace BEFORE INSERT ON offer_origin WHEN EXISTS (SELECT 1 FROM offer_origin WHERE (offer_id = NEW.offer_id)) BEGIN SELECT RAISE(ABORT, 'UNIQUE constraint failed: offer_origin'); END",
    "CREATE TRIGGER tr_offer_tag_update BEFORE UPDATE ON offer_tag BEGIN SELECT RAISE(ABORT, 'this table does not change: offer_tag'); END",
    "CREATE TRIGGER tr_offer_tag_replace BEFORE INSERT ON offer_tag WHEN EXISTS (SELECT 1 FROM offer_tag WHERE (agency_id = NEW.agency_id AND field = NEW.field AND tag = NEW.tag AND offer_id = NEW.offer_id)) BEGIN SELECT RAISE(ABORT, 'UNIQUE constraint failed: offer_tag'); END",
    "CREATE TRIGGER tr_submission_update BEFORE UPDATE ON submission BEGIN SELECT RAISE(ABORT, 'this table does not change: submission'); END",
    "CREATE TRIGGER tr_submission_replace BEFORE INSERT ON submission WHEN EXISTS (SELECT 1 FROM submission WHERE (property_id = NEW.property_id AND nonce = NEW.nonce AND content_mac = NEW.content_mac)) BEGIN SELECT RAISE(ABORT, 'UNIQUE constraint failed: submission'); END",
    "CREATE TRIGGER tr_text_version_update BEFORE UPDATE ON text_version BEGIN SELECT RAISE(ABORT, 'this table does not change: text_version'); END",
    "CREATE TRIGGER tr_text_version_delete BEFORE DELETE ON text_version BEGIN SELECT RAISE(ABORT, 'this table does not change: text_version'); END",
    "CREATE TRIGGER tr_text_version_replace BEFORE INSERT ON text_version WHEN EXISTS (SELECT 1 FROM text_version WHERE (sha256 = NEW.sha256)) BEGIN SELECT RAISE(ABORT, 'UNIQUE constraint failed: text_version'); END",
    "CREATE TRIGGER tr_upload_update BEFORE UPDATE ON upload BEGIN SELECT RAISE(ABORT, 'this table does not change: upload'); END",
    "CREATE TRIGGER tr_upload_replace BEFORE INSERT ON upload WHEN EXISTS (SELECT 1 FROM upload WHERE (id = NEW.id)) BEGIN SELECT RAISE(ABORT, 'UNIQUE constraint failed: upload'); END",
]
POSTGRESQL_TRIGGERS = [
    "CREATE FUNCTION bidflux_refuse() RETURNS trigger LANGUAGE plpgsql AS $$\nBEGIN RAISE EXCEPTION 'this table does not change: %', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation'; END $$",
    'CREATE TRIGGER tr_access_row BEFORE UPDATE ON access FOR EACH ROW EXECUTE FUNCTION bidflux_refuse()',
    'CREATE TRIGGER tr_access_truncate BEFORE TRUNCATE ON access FOR EACH STATEMENT EXECUTE FUNCTION bidflux_refuse()',
    'CREATE TRIGGER tr_agency_key_row BEFORE UPDATE OF agency_id, purpose ON agency_key FOR EACH ROW EXECUTE FUNCTION bidflux_refuse()',
    'CREATE TRIGGER tr_agency_key_truncate BEFORE TRUNCATE ON agency_key FOR EACH STATEMENT EXECUTE FUNCTION bidflux_refuse()',
    'CREATE TRIGGER tr_attempt_row BEFORE UPDATE ON attempt FOR EACH ROW EXECUTE FUNCTION bidflux_refuse()',
    'CREATE TRIGGER tr_attempt_truncate BEFORE TRUNCATE ON attempt FOR EACH STATEMENT EXECUTE FUNCTION bidflux_refuse()',
    'CREATE TRIGGER tr_decision_row BEFORE UPDATE OR DELETE ON decision FOR EACH ROW EXECUTE FUNCTION bidflux_refuse()',
    'CREATE TRIGGER tr_decision_truncate BEFORE TRUNCATE ON decision FOR EACH STATEMENT EXECUTE FUNCTION bidflux_refuse()',
    'CREATE TRIGGER tr_event_row BEFORE UPDATE OR DELETE ON event FOR EACH ROW EXECUTE FUNCTION bidflux_refuse()',
    'CREATE TRIGGER tr_event_truncate BEFORE TRUNCATE ON event FOR EACH STATEMENT EXECUTE FUNCTION bidflux_refuse()',
    'CREATE TRIGGER tr_ledger_row BEFORE UPDATE OR DELETE ON ledger FOR EACH ROW EXECUTE FUNCTION bidflux_refuse()',
    'CREATE TRIGGER tr_ledger_truncate BEFORE TRUNCATE ON ledger FOR EACH STATEMENT EXECUTE FUNCTION bidflux_refuse()',
    'CREATE TRIGGER tr_offer_row BEFORE UPDATE OR DELETE ON offer FOR EACH ROW EXECUTE FUNCTION bidflux_refuse()',
    'CREATE TRIGGER tr_offer_truncate BEFORE TRUNCATE ON offer FOR EACH STATEMENT EXECUTE FUNCTION bidflux_refuse()',
    'CREATE TRIGGER tr_offer_body_row BEFORE UPDATE OR DELETE ON offer_body FOR EACH ROW EXECUTE FUNCTION bidflux_refuse()',
    'CREATE TRIGGER tr_offer_body_truncate BEFORE TRUNCATE ON offer_body FOR EACH STATEMENT EXECUTE FUNCTION bidflux_refuse()',
    'CREATE TRIGGER tr_offer_file_row BEFORE UPDATE ON offer_file FOR EACH ROW EXECUTE FUNCTION bidflux_refuse()',
    'CREATE TRIGGER tr_offer_file_truncate BEFORE TRUNCATE ON offer_file FOR EACH STATEMENT EXECUTE FUNCTION bidflux_refuse()',
    'CREATE TRIGGER tr_offer_key_row BEFORE UPDATE OF offer_id, agency_id, name_ct ON offer_key FOR EACH ROW EXECUTE FUNCTION bidflux_refuse()',
    'CREATE TRIGGER tr_offer_key_truncate BEFORE TRUNCATE ON offer_key FOR EACH STATEMENT EXECUTE FUNCTION bidflux_refuse()',
    'CREATE TRIGGER tr_offer_origin_row BEFORE UPDATE ON offer_origin FOR EACH ROW EXECUTE FUNCTION bidflux_refuse()',
    'CREATE TRIGGER tr_offer_origin_truncate BEFORE TRUNCATE ON offer_origin FOR EACH STATEMENT EXECUTE FUNCTION bidflux_refuse()',
    'CREATE TRIGGER tr_offer_tag_row BEFORE UPDATE ON offer_tag FOR EACH ROW EXECUTE FUNCTION bidflux_refuse()',
    'CREATE TRIGGER tr_offer_tag_truncate BEFORE TRUNCATE ON offer_tag FOR EACH STATEMENT EXECUTE FUNCTION bidflux_refuse()',
    'CREATE TRIGGER tr_submission_row BEFORE UPDATE ON submission FOR EACH ROW EXECUTE FUNCTION bidflux_refuse()',
    'CREATE TRIGGER tr_submission_truncate BEFORE TRUNCATE ON submission FOR EACH STATEMENT EXECUTE FUNCTION bidflux_refuse()',
    'CREATE TRIGGER tr_text_version_row BEFORE UPDATE OR DELETE ON text_version FOR EACH ROW EXECUTE FUNCTION bidflux_refuse()',
    'CREATE TRIGGER tr_text_version_truncate BEFORE TRUNCATE ON text_version FOR EACH STATEMENT EXECUTE FUNCTION bidflux_refuse()',
    'CREATE TRIGGER tr_upload_row BEFORE UPDATE ON upload FOR EACH ROW EXECUTE FUNCTION bidflux_refuse()',
    'CREATE TRIGGER tr_upload_truncate BEFORE TRUNCATE ON upload FOR EACH STATEMENT EXECUTE FUNCTION bidflux_refuse()',
]


def upgrade():
    op.create_table('agency',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('email', sa.String(length=254), nullable=False),
    sa.Column('phone', sa.String(length=20), nullable=True),
    sa.Column('zone', sa.String(length=64), nullable=False),
    sa.Column('language', sa.String(length=2), nullable=False),
    sa.Column('colleagues_read', sa.Boolean(), nullable=False),
    sa.Column('head_seq', sa.Integer(), nullable=False),
    sa.Column('head_hash', sa.LargeBinary(length=32), nullable=False),
    sa.Column('event_seq', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_agency'))
    )
    op.create_table('text_version',
    sa.Column('sha256', sa.LargeBinary(length=32), nullable=False),
    sa.Column('kind', sa.String(length=20), nullable=False),
    sa.Column('language', sa.String(length=2), nullable=False),
    sa.Column('body', sa.Text(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('sha256', name=op.f('pk_text_version'))
    )
    op.create_table('agency_key',
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('purpose', sa.String(length=16), nullable=False),
    sa.Column('kek_id', sa.String(length=16), nullable=False),
    sa.Column('wrapped', sa.LargeBinary(), nullable=False),
    sa.CheckConstraint("purpose IN ('blind_email', 'blind_phone', 'content', 'secret')", name=op.f('ck_agency_key_purpose')),
    sa.ForeignKeyConstraint(['agency_id'], ['agency.id'], name=op.f('fk_agency_key_agency_id')),
    sa.PrimaryKeyConstraint('agency_id', 'purpose', name=op.f('pk_agency_key'))
    )
    op.create_index('ix_agency_key_kek', 'agency_key', ['kek_id'], unique=False)
    op.create_table('api_key',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.String(length=100), nullable=False),
    sa.Column('prefix', sa.String(length=16), nullable=False),
    sa.Column('key_hash', sa.LargeBinary(length=32), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('revoked_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['agency_id'], ['agency.id'], name=op.f('fk_api_key_agency_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_api_key')),
    sa.UniqueConstraint('agency_id', 'id', name=op.f('uq_api_key_agency_id_id')),
    sa.UniqueConstraint('key_hash', name=op.f('uq_api_key_key_hash'))
    )
    op.create_table('ledger',
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('seq', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('kind', sa.String(length=40), nullable=False),
    sa.Column('object_id', sa.Uuid(), nullable=True),
    sa.Column('actor_type', sa.String(length=10), nullable=False),
    sa.Column('actor_id', sa.Uuid(), nullable=True),
    sa.Column('body', sa.LargeBinary(), nullable=False),
    sa.Column('hash', sa.LargeBinary(length=32), nullable=False),
    sa.CheckConstraint("actor_type IN ('user', 'api_key', 'bidder', 'system')", name=op.f('ck_ledger_actor')),
    sa.CheckConstraint('seq > 0', name=op.f('ck_ledger_seq')),
    sa.ForeignKeyConstraint(['agency_id'], ['agency.id'], name=op.f('fk_ledger_agency_id')),
    sa.PrimaryKeyConstraint('agency_id', 'seq', name=op.f('pk_ledger'))
    )
    op.create_index('ix_ledger_object', 'ledger', ['agency_id', 'object_id', 'seq'], unique=False)
    op.create_table('user',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('email', sa.String(length=254), nullable=False),
    sa.Column('full_name', sa.String(length=200), nullable=False),
    sa.Column('phone', sa.String(length=20), nullable=True),
    sa.Column('role', sa.String(length=10), nullable=False),
    sa.Column('language', sa.String(length=2), nullable=False),
    sa.Column('password_hash', sa.String(length=200), nullable=False),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("role IN ('owner', 'agent')", name=op.f('ck_user_role')),
    sa.CheckConstraint('email = lower(email)', name=op.f('ck_user_email_lower')),
    sa.ForeignKeyConstraint(['agency_id'], ['agency.id'], name=op.f('fk_user_agency_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_user')),
    sa.UniqueConstraint('agency_id', 'id', name=op.f('uq_user_agency_id_id')),
    sa.UniqueConstraint('email', name=op.f('uq_user_email'))
    )
    op.create_table('access',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('kind', sa.String(length=12), nullable=False),
    sa.Column('offer_id', sa.Uuid(), nullable=True),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("kind IN ('viewed', 'searched', 'exported')", name=op.f('ck_access_kind')),
    sa.ForeignKeyConstraint(['agency_id', 'user_id'], ['user.agency_id', 'user.id'], name=op.f('fk_access_agency_id_user_id')),
    sa.ForeignKeyConstraint(['agency_id'], ['agency.id'], name=op.f('fk_access_agency_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_access'))
    )
    op.create_index('ix_access_at', 'access', ['agency_id', 'at'], unique=False)
    op.create_table('property',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('agent_id', sa.Uuid(), nullable=False),
    sa.Column('external_id', sa.String(length=100), nullable=True),
    sa.Column('title', sa.String(length=200), nullable=False),
    sa.Column('title_en', sa.String(length=200), nullable=True),
    sa.Column('description', sa.Text(), nullable=True),
    sa.Column('description_en', sa.Text(), nullable=True),
    sa.Column('property_type', sa.String(length=20), nullable=False),
    sa.Column('transaction_type', sa.String(length=10), nullable=False),
    sa.Column('availability', sa.String(length=20), nullable=False),
    sa.Column('address', sa.String(length=300), nullable=True),
    sa.Column('show_exact_address', sa.Boolean(), nullable=False),
    sa.Column('zone', sa.String(length=120), nullable=True),
    sa.Column('city', sa.String(length=120), nullable=True),
    sa.Column('county', sa.String(length=120), nullable=True),
    sa.Column('country', sa.String(length=2), nullable=False),
    sa.Column('usable_area_sqm', sa.Integer(), nullable=True),
    sa.Column('built_area_sqm', sa.Integer(), nullable=True),
    sa.Column('land_area_sqm', sa.Integer(), nullable=True),
    sa.Column('rooms', sa.Integer(), nullable=True),
    sa.Column('asking_minor', sa.BigInteger(), nullable=True),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('price_vat', sa.String(length=10), nullable=True),
    sa.Column('buyer_commission', sa.String(length=120), nullable=True),
    sa.Column('crm_url', sa.String(length=500), nullable=True),
    sa.Column('accepts_offers', sa.Boolean(), nullable=False),
    sa.Column('offers_open_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('offers_close_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('signature_required', sa.Boolean(), nullable=False),
    sa.Column('field_rules', sa.JSON(), nullable=False),
    sa.Column('link_version', sa.Integer(), nullable=False),
    sa.Column('photo_id', sa.Uuid(), nullable=True),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('archived_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("NOT (accepts_offers AND transaction_type <> 'sale')", name=op.f('ck_property_only_sale')),
    sa.CheckConstraint("currency IN ('EUR', 'RON')", name=op.f('ck_property_currency')),
    sa.CheckConstraint('NOT (accepts_offers AND archived_at IS NOT NULL)', name=op.f('ck_property_archived_is_off')),
    sa.CheckConstraint('asking_minor IS NULL OR asking_minor > 0', name=op.f('ck_property_asking_positive')),
    sa.CheckConstraint('link_version > 0', name=op.f('ck_property_link_version')),
    sa.CheckConstraint('offers_close_at IS NULL OR offers_open_at IS NULL OR offers_open_at < offers_close_at', name=op.f('ck_property_window')),
    sa.ForeignKeyConstraint(['agency_id', 'agent_id'], ['user.agency_id', 'user.id'], name=op.f('fk_property_agency_id_agent_id')),
    sa.ForeignKeyConstraint(['agency_id'], ['agency.id'], name=op.f('fk_property_agency_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_property')),
    sa.UniqueConstraint('agency_id', 'external_id', name=op.f('uq_property_agency_id_external_id')),
    sa.UniqueConstraint('agency_id', 'id', name=op.f('uq_property_agency_id_id'))
    )
    op.create_index('ix_property_agent', 'property', ['agency_id', 'agent_id'], unique=False)
    op.create_index('ix_property_updated', 'property', ['agency_id', 'updated_at', 'id'], unique=False)
    op.create_table('user_session',
    sa.Column('token_hash', sa.LargeBinary(length=32), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('browser', sa.String(length=60), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('seen_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['agency_id', 'user_id'], ['user.agency_id', 'user.id'], name=op.f('fk_user_session_agency_id_user_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('token_hash', name=op.f('pk_user_session')),
    sa.UniqueConstraint('id', name=op.f('uq_user_session_id'))
    )
    op.create_index('ix_user_session_user', 'user_session', ['agency_id', 'user_id'], unique=False)
    op.create_table('offer',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('property_id', sa.Uuid(), nullable=False),
    sa.Column('reference', sa.String(length=11), nullable=False),
    sa.Column('amount_minor', sa.BigInteger(), nullable=False),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('asking_minor', sa.BigInteger(), nullable=True),
    sa.Column('financing', sa.String(length=10), nullable=False),
    sa.Column('term_days', sa.Integer(), nullable=False),
    sa.Column('valid_until', sa.Date(), nullable=True),
    sa.Column('signed', sa.Boolean(), nullable=False),
    sa.Column('source', sa.String(length=10), nullable=False),
    sa.Column('language', sa.String(length=2), nullable=False),
    sa.Column('link_version', sa.Integer(), nullable=False),
    sa.Column('submitted_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('previous_id', sa.Uuid(), nullable=True),
    sa.Column('commitment', sa.LargeBinary(length=32), nullable=False),
    sa.Column('schema_no', sa.Integer(), nullable=False),
    sa.CheckConstraint("currency IN ('EUR', 'RON')", name=op.f('ck_offer_currency')),
    sa.CheckConstraint("financing IN ('cash', 'credit', 'mixed')", name=op.f('ck_offer_financing')),
    sa.CheckConstraint("source IN ('link', 'agent', 'api')", name=op.f('ck_offer_source')),
    sa.CheckConstraint('amount_minor > 0', name=op.f('ck_offer_amount_positive')),
    sa.CheckConstraint('previous_id <> id', name=op.f('ck_offer_not_itself')),
    sa.CheckConstraint('term_days BETWEEN 0 AND 3650', name=op.f('ck_offer_term')),
    sa.ForeignKeyConstraint(['agency_id', 'previous_id'], ['offer.agency_id', 'offer.id'], name=op.f('fk_offer_agency_id_previous_id')),
    sa.ForeignKeyConstraint(['agency_id', 'property_id'], ['property.agency_id', 'property.id'], name=op.f('fk_offer_agency_id_property_id')),
    sa.ForeignKeyConstraint(['agency_id'], ['agency.id'], name=op.f('fk_offer_agency_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_offer')),
    sa.UniqueConstraint('agency_id', 'id', name=op.f('uq_offer_agency_id_id')),
    sa.UniqueConstraint('agency_id', 'previous_id', name=op.f('uq_offer_agency_id_previous_id')),
    sa.UniqueConstraint('reference', name=op.f('uq_offer_reference'))
    )
    op.create_index('ix_offer_property', 'offer', ['agency_id', 'property_id', 'submitted_at'], unique=False)
    op.create_table('upload',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('property_id', sa.Uuid(), nullable=False),
    sa.Column('mime', sa.String(length=40), nullable=False),
    sa.Column('width', sa.Integer(), nullable=False),
    sa.Column('height', sa.Integer(), nullable=False),
    sa.Column('body', sa.LargeBinary(), nullable=False),
    sa.Column('sha256', sa.LargeBinary(length=32), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['agency_id', 'property_id'], ['property.agency_id', 'property.id'], name=op.f('fk_upload_agency_id_property_id')),
    sa.ForeignKeyConstraint(['agency_id'], ['agency.id'], name=op.f('fk_upload_agency_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_upload')),
    sa.UniqueConstraint('agency_id', 'id', name=op.f('uq_upload_agency_id_id'))
    )
    op.create_table('decision',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('offer_id', sa.Uuid(), nullable=False),
    sa.Column('from_status', sa.String(length=10), nullable=False),
    sa.Column('to_status', sa.String(length=10), nullable=False),
    sa.Column('actor_type', sa.String(length=10), nullable=False),
    sa.Column('actor_id', sa.Uuid(), nullable=True),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('reason_ct', sa.LargeBinary(), nullable=True),
    sa.Column('undoes_id', sa.Uuid(), nullable=True),
    sa.CheckConstraint("from_status IN ('new', 'viewed', 'accepted', 'rejected') AND to_status IN ('new', 'viewed', 'accepted', 'rejected')", name=op.f('ck_decision_statuses')),
    sa.ForeignKeyConstraint(['agency_id', 'offer_id'], ['offer.agency_id', 'offer.id'], name=op.f('fk_decision_agency_id_offer_id')),
    sa.ForeignKeyConstraint(['agency_id', 'undoes_id'], ['decision.agency_id', 'decision.id'], name=op.f('fk_decision_agency_id_undoes_id')),
    sa.ForeignKeyConstraint(['agency_id'], ['agency.id'], name=op.f('fk_decision_agency_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_decision')),
    sa.UniqueConstraint('agency_id', 'id', name=op.f('uq_decision_agency_id_id')),
    sa.UniqueConstraint('agency_id', 'undoes_id', name=op.f('uq_decision_agency_id_undoes_id'))
    )
    op.create_index('ix_decision_offer', 'decision', ['agency_id', 'offer_id', 'at'], unique=False)
    op.create_table('delivery',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('event_seq', sa.Integer(), nullable=False),
    sa.Column('kind', sa.String(length=10), nullable=False),
    sa.Column('template', sa.String(length=40), nullable=False),
    sa.Column('offer_id', sa.Uuid(), nullable=True),
    sa.Column('user_id', sa.Uuid(), nullable=True),
    sa.Column('state', sa.String(length=10), nullable=False),
    sa.Column('due_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('lease_token', sa.Uuid(), nullable=True),
    sa.Column('lease_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("(state = 'leased') = (lease_token IS NOT NULL)", name=op.f('ck_delivery_lease')),
    sa.CheckConstraint("(state IN ('delivered', 'dead', 'cancelled')) = (ended_at IS NOT NULL)", name=op.f('ck_delivery_ended')),
    sa.CheckConstraint("kind IN ('mail', 'webhook')", name=op.f('ck_delivery_kind')),
    sa.CheckConstraint("state IN ('pending', 'leased', 'delivered', 'dead', 'cancelled')", name=op.f('ck_delivery_state')),
    sa.CheckConstraint('(lease_token IS NULL) = (lease_until IS NULL)', name=op.f('ck_delivery_lease_until')),
    sa.ForeignKeyConstraint(['agency_id', 'offer_id'], ['offer.agency_id', 'offer.id'], name=op.f('fk_delivery_agency_id_offer_id')),
    sa.ForeignKeyConstraint(['agency_id', 'user_id'], ['user.agency_id', 'user.id'], name=op.f('fk_delivery_agency_id_user_id')),
    sa.ForeignKeyConstraint(['agency_id'], ['agency.id'], name=op.f('fk_delivery_agency_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_delivery')),
    sa.UniqueConstraint('agency_id', 'event_seq', 'template', 'user_id', name=op.f('uq_delivery_agency_id_event_seq_template_user_id')),
    sa.UniqueConstraint('agency_id', 'id', name=op.f('uq_delivery_agency_id_id'))
    )
    op.create_index('ix_delivery_due', 'delivery', ['state', 'due_at'], unique=False)
    op.create_index('ix_delivery_offer', 'delivery', ['agency_id', 'offer_id'], unique=False)
    op.create_table('event',
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('seq', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('type', sa.String(length=40), nullable=False),
    sa.Column('offer_id', sa.Uuid(), nullable=True),
    sa.Column('property_id', sa.Uuid(), nullable=True),
    sa.Column('body_ct', sa.LargeBinary(), nullable=False),
    sa.CheckConstraint('seq > 0', name=op.f('ck_event_seq')),
    sa.ForeignKeyConstraint(['agency_id', 'offer_id'], ['offer.agency_id', 'offer.id'], name=op.f('fk_event_agency_id_offer_id')),
    sa.ForeignKeyConstraint(['agency_id', 'property_id'], ['property.agency_id', 'property.id'], name=op.f('fk_event_agency_id_property_id')),
    sa.ForeignKeyConstraint(['agency_id'], ['agency.id'], name=op.f('fk_event_agency_id')),
    sa.PrimaryKeyConstraint('agency_id', 'seq', name=op.f('pk_event'))
    )
    op.create_index('ix_event_offer', 'event', ['agency_id', 'offer_id'], unique=False)
    op.create_table('offer_body',
    sa.Column('offer_id', sa.Uuid(), nullable=False),
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('body_ct', sa.LargeBinary(), nullable=False),
    sa.ForeignKeyConstraint(['agency_id', 'offer_id'], ['offer.agency_id', 'offer.id'], name=op.f('fk_offer_body_agency_id_offer_id')),
    sa.PrimaryKeyConstraint('offer_id', name=op.f('pk_offer_body'))
    )
    op.create_table('offer_file',
    sa.Column('offer_id', sa.Uuid(), nullable=False),
    sa.Column('kind', sa.String(length=12), nullable=False),
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('mime', sa.String(length=40), nullable=False),
    sa.Column('sha256', sa.LargeBinary(length=32), nullable=False),
    sa.Column('body_ct', sa.LargeBinary(), nullable=False),
    sa.CheckConstraint("kind IN ('signature', 'receipt')", name=op.f('ck_offer_file_kind')),
    sa.ForeignKeyConstraint(['agency_id', 'offer_id'], ['offer.agency_id', 'offer.id'], name=op.f('fk_offer_file_agency_id_offer_id')),
    sa.PrimaryKeyConstraint('offer_id', 'kind', name=op.f('pk_offer_file'))
    )
    op.create_table('offer_key',
    sa.Column('offer_id', sa.Uuid(), nullable=False),
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('kek_id', sa.String(length=16), nullable=False),
    sa.Column('wrapped', sa.LargeBinary(), nullable=False),
    sa.Column('name_ct', sa.LargeBinary(), nullable=False),
    sa.ForeignKeyConstraint(['agency_id', 'offer_id'], ['offer.agency_id', 'offer.id'], name=op.f('fk_offer_key_agency_id_offer_id')),
    sa.PrimaryKeyConstraint('offer_id', name=op.f('pk_offer_key'))
    )
    op.create_index('ix_offer_key_kek', 'offer_key', ['kek_id'], unique=False)
    op.create_table('offer_origin',
    sa.Column('offer_id', sa.Uuid(), nullable=False),
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('body_ct', sa.LargeBinary(), nullable=False),
    sa.ForeignKeyConstraint(['agency_id', 'offer_id'], ['offer.agency_id', 'offer.id'], name=op.f('fk_offer_origin_agency_id_offer_id')),
    sa.PrimaryKeyConstraint('offer_id', name=op.f('pk_offer_origin'))
    )
    op.create_table('offer_state',
    sa.Column('offer_id', sa.Uuid(), nullable=False),
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('property_id', sa.Uuid(), nullable=False),
    sa.Column('status', sa.String(length=10), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('amount_minor', sa.BigInteger(), nullable=False),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('financing', sa.String(length=10), nullable=False),
    sa.Column('term_days', sa.Integer(), nullable=False),
    sa.Column('source', sa.String(length=10), nullable=False),
    sa.Column('signed', sa.Boolean(), nullable=False),
    sa.Column('latest', sa.Boolean(), nullable=False),
    sa.Column('submitted_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('viewed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('decided_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('withdrawn_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('erased_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('updated_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("(status IN ('accepted', 'rejected')) = (decided_at IS NOT NULL)", name=op.f('ck_offer_state_decided')),
    sa.CheckConstraint("status = 'new' OR viewed_at IS NOT NULL OR decided_at IS NOT NULL", name=op.f('ck_offer_state_seen')),
    sa.CheckConstraint("status IN ('new', 'viewed', 'accepted', 'rejected')", name=op.f('ck_offer_state_status')),
    sa.ForeignKeyConstraint(['agency_id', 'offer_id'], ['offer.agency_id', 'offer.id'], name=op.f('fk_offer_state_agency_id_offer_id')),
    sa.ForeignKeyConstraint(['agency_id', 'property_id'], ['property.agency_id', 'property.id'], name=op.f('fk_offer_state_agency_id_property_id')),
    sa.PrimaryKeyConstraint('offer_id', name=op.f('pk_offer_state'))
    )
    op.create_index('ix_offer_state_amount', 'offer_state', ['agency_id', 'currency', 'amount_minor', 'offer_id'], unique=False)
    op.create_index('ix_offer_state_property', 'offer_state', ['agency_id', 'property_id', 'submitted_at', 'offer_id'], unique=False)
    op.create_index('ix_offer_state_status', 'offer_state', ['agency_id', 'status', 'submitted_at', 'offer_id'], unique=False)
    op.create_index('ix_offer_state_submitted', 'offer_state', ['agency_id', 'submitted_at', 'offer_id'], unique=False)
    op.create_index('ix_offer_state_updated', 'offer_state', ['agency_id', 'updated_at', 'offer_id'], unique=False)
    op.create_table('offer_tag',
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('field', sa.String(length=10), nullable=False),
    sa.Column('tag', sa.LargeBinary(length=16), nullable=False),
    sa.Column('offer_id', sa.Uuid(), nullable=False),
    sa.CheckConstraint("field IN ('email', 'phone')", name=op.f('ck_offer_tag_field')),
    sa.ForeignKeyConstraint(['agency_id', 'offer_id'], ['offer.agency_id', 'offer.id'], name=op.f('fk_offer_tag_agency_id_offer_id')),
    sa.PrimaryKeyConstraint('agency_id', 'field', 'tag', 'offer_id', name=op.f('pk_offer_tag'))
    )
    op.create_index('ix_offer_tag_offer', 'offer_tag', ['agency_id', 'offer_id'], unique=False)
    op.create_table('submission',
    sa.Column('property_id', sa.Uuid(), nullable=False),
    sa.Column('nonce', sa.LargeBinary(length=16), nullable=False),
    sa.Column('content_mac', sa.LargeBinary(length=32), nullable=False),
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('offer_id', sa.Uuid(), nullable=False),
    sa.ForeignKeyConstraint(['agency_id', 'offer_id'], ['offer.agency_id', 'offer.id'], name=op.f('fk_submission_agency_id_offer_id')),
    sa.ForeignKeyConstraint(['agency_id', 'property_id'], ['property.agency_id', 'property.id'], name=op.f('fk_submission_agency_id_property_id')),
    sa.PrimaryKeyConstraint('property_id', 'nonce', 'content_mac', name=op.f('pk_submission'))
    )
    op.create_index('ix_submission_offer', 'submission', ['agency_id', 'offer_id'], unique=False)
    op.create_table('attempt',
    sa.Column('delivery_id', sa.Uuid(), nullable=False),
    sa.Column('n', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('agency_id', sa.Uuid(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('code', sa.Integer(), nullable=False),
    sa.Column('answer_ct', sa.LargeBinary(), nullable=True),
    sa.ForeignKeyConstraint(['agency_id', 'delivery_id'], ['delivery.agency_id', 'delivery.id'], name=op.f('fk_attempt_agency_id_delivery_id')),
    sa.PrimaryKeyConstraint('delivery_id', 'n', name=op.f('pk_attempt'))
    )
    sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in SQLITE_TRIGGERS if sqlite else POSTGRESQL_TRIGGERS:
        op.execute(statement)


def downgrade():
    op.drop_table('attempt')
    op.drop_index('ix_submission_offer', table_name='submission')
    op.drop_table('submission')
    op.drop_index('ix_offer_tag_offer', table_name='offer_tag')
    op.drop_table('offer_tag')
    op.drop_index('ix_offer_state_updated', table_name='offer_state')
    op.drop_index('ix_offer_state_submitted', table_name='offer_state')
    op.drop_index('ix_offer_state_status', table_name='offer_state')
    op.drop_index('ix_offer_state_property', table_name='offer_state')
    op.drop_index('ix_offer_state_amount', table_name='offer_state')
    op.drop_table('offer_state')
    op.drop_table('offer_origin')
    op.drop_index('ix_offer_key_kek', table_name='offer_key')
    op.drop_table('offer_key')
    op.drop_table('offer_file')
    op.drop_table('offer_body')
    op.drop_index('ix_event_offer', table_name='event')
    op.drop_table('event')
    op.drop_index('ix_delivery_offer', table_name='delivery')
    op.drop_index('ix_delivery_due', table_name='delivery')
    op.drop_table('delivery')
    op.drop_index('ix_decision_offer', table_name='decision')
    op.drop_table('decision')
    op.drop_table('upload')
    op.drop_index('ix_offer_property', table_name='offer')
    op.drop_table('offer')
    op.drop_index('ix_user_session_user', table_name='user_session')
    op.drop_table('user_session')
    op.drop_index('ix_property_updated', table_name='property')
    op.drop_index('ix_property_agent', table_name='property')
    op.drop_table('property')
    op.drop_index('ix_access_at', table_name='access')
    op.drop_table('access')
    op.drop_table('user')
    op.drop_index('ix_ledger_object', table_name='ledger')
    op.drop_table('ledger')
    op.drop_table('api_key')
    op.drop_index('ix_agency_key_kek', table_name='agency_key')
    op.drop_table('agency_key')
    op.drop_table('text_version')
    op.drop_table('agency')
    if op.get_bind().dialect.name != "sqlite":
        op.execute("DROP FUNCTION bidflux_refuse")
