"""a delivery says what it is about; receipts are a kind of their own

Revision ID: 0038
Revises: 0037
Create Date: 2026-11-28 10:40:00

"""
from alembic import op
import sqlalchemy as sa


revision = '0038'
down_revision = '0037'
branch_labels = None
depends_on = None

OPEN_MAIL = sa.text('endpoint_id IS NULL AND ended_at IS NULL')
TO_SOMEBODY = sa.text('recipient IS NOT NULL')
ENDPOINT = sa.text('endpoint_id IS NOT NULL')
CALLS = sa.text('endpoint_id IS NOT NULL AND event_seq > 0')
TO_USER = sa.text("kind = 'mail' AND user_id IS NOT NULL")
TO_OTHERS = sa.text("kind = 'mail' AND user_id IS NULL")

# Indexes by name, columns, where, unique: those that stay, those of before, those of now.
STAY = [
    ('ix_delivery_due', ['kind', 'state', 'due_at'], None, False),
    ('ix_delivery_offer', ['agency_id', 'offer_id'], None, False),
    ('ix_delivery_recipient', ['agency_id', 'recipient', 'due_at'], TO_SOMEBODY, False),
    ('ix_delivery_endpoint', ['endpoint_id', 'state', 'due_at'], ENDPOINT, False),
    ('ix_delivery_log', ['endpoint_id', 'created_at', 'id'], ENDPOINT, False),
]
BEFORE = [
    ('ix_delivery_turn', ['agency_id', 'state', 'due_at', 'template'], OPEN_MAIL, False),
    ('uq_delivery_webhook', ['agency_id', 'event_seq', 'endpoint_id'], CALLS, True),
]
NOW = [
    ('ix_delivery_turn', ['agency_id', 'kind', 'state', 'due_at'], OPEN_MAIL, False),
    ('uq_delivery_webhook', ['agency_id', 'event_seq', 'endpoint_id'], ENDPOINT, True),
    ('uq_delivery_user', ['agency_id', 'subject_type', 'subject_id', 'template', 'user_id'], TO_USER, True),
    ('uq_delivery_outside', ['agency_id', 'subject_type', 'subject_id', 'template'], TO_OTHERS, True),
]
ONCE = 'uq_delivery_agency_id_event_seq_template_user_id'
ONCE_COLUMNS = ['agency_id', 'event_seq', 'template', 'user_id']
KIND_BEFORE, KIND = "kind IN ('mail', 'webhook')", "kind IN ('mail', 'webhook', 'receipt')"
NUMBER, SUBJECT = 'event_seq > 0', '(subject_type IS NULL) = (subject_id IS NULL)'
RECEIPTS = "template IN ('receipt_bidder', 'receipt_kept')"
PRIVACY = "template IN ('privacy_proof', 'privacy_ended')"
OFFER_MAILS = (
    "'offer_agent', 'offer_bidder', 'offer_confirm', 'offer_confirmed', 'offer_replaced', 'withdrawn_agent',"
    " 'withdrawn_bidder', 'receipt_bidder', 'receipt_kept'"
)
# A number is now that of an event whose body is carried or told of.
KEPT_NUMBER = "CASE WHEN event_seq > 0 AND (endpoint_id IS NOT NULL OR template = 'property_gone') THEN event_seq END"


def is_sqlite():
    return op.get_bind().dialect.name == 'sqlite'


def hexed(column):
    return column if is_sqlite() else f"replace({column}::text, '-', '')"


def upgrade():
    op.add_column('delivery', sa.Column('subject_type', sa.String(length=20), nullable=True))
    op.add_column('delivery', sa.Column('subject_id', sa.String(length=60), nullable=True))
    for kind, key, where in subjects():
        op.execute(f"UPDATE delivery SET subject_type = '{kind}', subject_id = {key} WHERE {where}")
    op.execute('UPDATE delivery SET subject_type = NULL WHERE subject_id IS NULL')
    # Were two mails alike, both are still sent: the later one no longer says what it is about.
    op.execute(
        'UPDATE delivery SET subject_type = NULL, subject_id = NULL WHERE id IN (SELECT id FROM (SELECT id, row_number()'
        ' OVER (PARTITION BY agency_id, subject_type, subject_id, template, user_id ORDER BY created_at, id) AS n'
        f" FROM delivery WHERE kind = 'mail' AND subject_id IS NOT NULL AND NOT {RECEIPTS}) AS alike WHERE n > 1)"
    )
    kind = f"CASE WHEN {RECEIPTS} THEN 'receipt' ELSE kind END"
    checks = {'kind': KIND, 'event_seq': NUMBER, 'subject': SUBJECT}
    if is_sqlite():
        return rebuild({'event_seq': KEPT_NUMBER, 'kind': kind}, checks, NOW, after=True)
    op.drop_constraint(ONCE, 'delivery', type_='unique')
    drop(BEFORE)
    op.drop_constraint(op.f('ck_delivery_kind'), 'delivery', type_='check')
    op.alter_column('delivery', 'event_seq', nullable=True)
    op.execute(f'UPDATE delivery SET event_seq = {KEPT_NUMBER}, kind = {kind}')
    for name, check in checks.items():
        op.create_check_constraint(op.f(f'ck_delivery_{name}'), 'delivery', check)
    create(NOW)


def subjects():
    """Type, key and where: what each delivery is about, as far as its number and its moment say."""
    def text(number):
        return f'CAST({number} AS VARCHAR)'

    def entry(what, which):
        return f'(SELECT {what} FROM ledger f WHERE f.agency_id = delivery.agency_id AND {which})'

    def made(what, table, at):
        its = f'f.agency_id = delivery.agency_id AND f.offer_id = delivery.offer_id AND f.{at} = delivery.created_at'
        return f'(SELECT {what} FROM {table} f WHERE {its})'

    newest, nonce = text('max(f.seq)'), 'lower(hex(f.nonce))' if is_sqlite() else "encode(f.nonce, 'hex')"
    asked = "f.object_id = delivery.offer_id AND f.kind = 'offer.confirmation_asked' AND f.at = delivery.created_at"
    prop = '(SELECT o.property_id FROM offer o WHERE o.agency_id = delivery.agency_id AND o.id = delivery.offer_id)'
    told = f"f.object_id = {prop} AND f.kind = 'property.bidders_told' AND f.at = delivery.created_at"
    handed = "f.kind = 'property.agent_changed' AND f.at = delivery.created_at"
    yield 'event', text('event_seq'), "event_seq > 0 AND (endpoint_id IS NOT NULL OR template LIKE 'webhook%')"
    yield 'endpoint', hexed('endpoint_id'), 'endpoint_id IS NOT NULL AND event_seq = 0'
    yield 'privacy_request', entry(hexed('f.object_id'), 'f.seq = -delivery.event_seq'), PRIVACY
    yield 'entry', text('-event_seq'), f'event_seq < 0 AND NOT {PRIVACY}'
    yield 'offer', hexed('offer_id'), f'offer_id IS NOT NULL AND template IN ({OFFER_MAILS})'
    yield 'entry', entry(newest, asked), f"template = 'offer_confirm' AND {entry('count(*)', asked)} > 0"
    yield 'decision', made(hexed('f.id'), 'decision', 'at'), "template = 'decision_bidder'"
    yield 'offer_request', made(hexed('f.id'), 'offer_request', 'created_at'), "template = 'offer_better'"
    yield 'email_code', made(hexed('f.offer_id') + " || '/' || f.n", 'email_code', 'created_at'), "template = 'offer_code'"
    yield 'replace_code', made(nonce + " || '/' || f.n", 'replace_code', 'sent_at'), "template = 'replace_code'"
    yield 'telling', f"{entry(newest, told)} || '/' || {hexed('offer_id')}", "template = 'property_gone'"
    yield 'entries', f"{entry(text('min(f.seq)'), handed)} || '/' || {entry(newest, handed)}", "template = 'property_handed'"
    yield 'delivery', (
        f"(SELECT min({hexed('f.id')}) FROM delivery f WHERE f.agency_id = delivery.agency_id AND f.event_seq = delivery.event_seq"
        " AND f.template IN ('offer_agent', 'offer_confirmed', 'withdrawn_agent') AND f.state = 'dead')"
    ), "template = 'notice_undelivered'"


def downgrade():
    op.add_column('delivery', sa.Column('number', sa.Integer(), nullable=True))
    for statement in numbers():
        op.execute(statement)
    kind = "CASE WHEN kind = 'receipt' THEN 'mail' ELSE kind END"
    if is_sqlite():
        return rebuild({'event_seq': 'number', 'kind': kind}, {'kind': KIND_BEFORE}, BEFORE, after=False)
    for name in ('kind', 'event_seq', 'subject'):
        op.drop_constraint(op.f(f'ck_delivery_{name}'), 'delivery', type_='check')
    drop(NOW)
    op.execute(f'UPDATE delivery SET event_seq = number, kind = {kind}')
    op.alter_column('delivery', 'event_seq', nullable=False)
    op.create_check_constraint(op.f('ck_delivery_kind'), 'delivery', KIND_BEFORE)
    op.create_unique_constraint(ONCE, 'delivery', ONCE_COLUMNS)
    create(BEFORE)
    for name in ('number', 'subject_id', 'subject_type'):
        op.drop_column('delivery', name)


def numbers():
    """The number that a delivery had: an event's, an entry's as a negative one, 0 for a test; else one of its own."""
    number = 'CAST(subject_id AS INTEGER)'
    yield 'UPDATE delivery SET number = CASE WHEN endpoint_id IS NOT NULL THEN coalesce(event_seq, 0) ELSE event_seq END'
    yield f"UPDATE delivery SET number = {number} WHERE number IS NULL AND subject_type = 'event'"
    yield f"UPDATE delivery SET number = -{number} WHERE number IS NULL AND subject_type = 'entry' AND offer_id IS NULL"
    for template, kind in (('privacy_proof', 'privacy.asked'), ('privacy_ended', 'privacy.ended')):
        asked = f"f.agency_id = delivery.agency_id AND f.kind = '{kind}' AND {hexed('f.object_id')} = delivery.subject_id"
        yield f"UPDATE delivery SET number = -(SELECT max(f.seq) FROM ledger f WHERE {asked}) WHERE template = '{template}'"
    its = 'f.agency_id = delivery.agency_id AND f.offer_id = delivery.offer_id AND f.at = delivery.created_at'
    decided = f"SELECT max(f.seq) FROM event f WHERE {its} AND f.type = 'offer.status_changed'"
    yield f"UPDATE delivery SET number = ({decided}) WHERE template = 'decision_bidder'"
    yield (
        'UPDATE delivery SET number = -1000000000 - (SELECT n FROM (SELECT id, row_number() OVER (ORDER BY id) AS n'
        ' FROM delivery WHERE number IS NULL) AS counted WHERE counted.id = delivery.id) WHERE number IS NULL'
    )


COLUMNS = [
    ('id', sa.Uuid(), False), ('agency_id', sa.Uuid(), False), ('event_seq', sa.Integer(), True),
    ('kind', sa.String(length=10), False), ('template', sa.String(length=40), False), ('offer_id', sa.Uuid(), True),
    ('user_id', sa.Uuid(), True), ('state', sa.String(length=10), False), ('due_at', sa.DateTime(timezone=True), False),
    ('lease_token', sa.Uuid(), True), ('lease_until', sa.DateTime(timezone=True), True), ('attempts', sa.Integer(), False),
    ('created_at', sa.DateTime(timezone=True), False), ('ended_at', sa.DateTime(timezone=True), True),
    ('endpoint_id', sa.Uuid(), True), ('body_ct', sa.LargeBinary(), True), ('tried_before', sa.Integer(), False),
    ('recipient', sa.LargeBinary(length=16), True), ('reason', sa.String(length=20), True),
]
SUBJECT_COLUMNS = [('subject_type', sa.String(length=20), True), ('subject_id', sa.String(length=60), True)]
STANDING_CHECKS = {
    'lease': "(state = 'leased') = (lease_token IS NOT NULL)",
    'ended': "(state IN ('delivered', 'dead', 'cancelled')) = (ended_at IS NOT NULL)",
    'state': "state IN ('pending', 'leased', 'delivered', 'dead', 'cancelled')",
    'lease_until': '(lease_token IS NULL) = (lease_until IS NULL)',
}


def rebuild(given, checks, indexes, *, after):
    """SQLite makes the table anew. Attempts point at it, and stand aside meanwhile."""
    columns = [*COLUMNS, *(SUBJECT_COLUMNS if after else [])]
    op.create_table(
        'delivery_new',
        *(
            sa.Column(name, kind, nullable=nullable and (after or name != 'event_seq'), **({'server_default': '0'} if name == 'tried_before' else {}))
            for name, kind, nullable in columns
        ),
        *(sa.CheckConstraint(check, name=op.f(f'ck_delivery_{name}')) for name, check in {**STANDING_CHECKS, **checks}.items()),
        sa.ForeignKeyConstraint(['agency_id', 'offer_id'], ['offer.agency_id', 'offer.id'], name=op.f('fk_delivery_agency_id_offer_id')),
        sa.ForeignKeyConstraint(['agency_id', 'user_id'], ['user.agency_id', 'user.id'], name=op.f('fk_delivery_agency_id_user_id')),
        sa.ForeignKeyConstraint(['agency_id'], ['agency.id'], name=op.f('fk_delivery_agency_id')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_delivery')),
        *([] if after else [sa.UniqueConstraint(*ONCE_COLUMNS, name=op.f(ONCE))]),
        sa.UniqueConstraint('agency_id', 'id', name=op.f('uq_delivery_agency_id_id')),
    )
    names = [name for name, _kind, _nullable in columns]
    values = ', '.join(given.get(name, name) for name in names)
    op.execute(f"INSERT INTO delivery_new ({', '.join(names)}) SELECT {values} FROM delivery")
    op.execute('CREATE TABLE attempt_aside AS SELECT * FROM attempt')
    op.execute('DELETE FROM attempt')
    op.drop_table('delivery')
    op.rename_table('delivery_new', 'delivery')
    op.execute('INSERT INTO attempt SELECT * FROM attempt_aside')
    op.drop_table('attempt_aside')
    create([*STAY, *indexes])


def create(indexes):
    for name, columns, where, unique in indexes:
        op.create_index(name, 'delivery', columns, unique=unique, sqlite_where=where, postgresql_where=where)


def drop(indexes):
    for name, _columns, _where, _unique in indexes:
        op.drop_index(name, table_name='delivery')
