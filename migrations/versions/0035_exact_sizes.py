"""areas and rooms in hundredths; a feed says what its separators mean

Revision ID: 0035
Revises: 0034
Create Date: 2026-11-28 09:00:00

"""
from alembic import op


revision = '0035'
down_revision = '0034'
branch_labels = None
depends_on = None

SIZES = ("usable_area_sqm", "built_area_sqm", "land_area_sqm", "rooms")


def upgrade():
    if op.get_bind().dialect.name != "sqlite":  # whose integers have room for hundredths already
        for name in SIZES:
            op.execute(f"ALTER TABLE property ALTER COLUMN {name} TYPE BIGINT")
    op.execute("UPDATE property SET " + ", ".join(f"{name} = {name} * 100" for name in SIZES))
    op.execute(
        "ALTER TABLE property_feed ADD COLUMN separators VARCHAR(10) DEFAULT 'ask' NOT NULL"
        " CONSTRAINT ck_property_feed_separators CHECK (separators IN ('ask', 'comma', 'point'))"
    )


def downgrade():
    op.execute("ALTER TABLE property_feed DROP COLUMN separators")
    # What is less than a half had no place before, and a size is never nothing.
    op.execute(
        "UPDATE property SET "
        + ", ".join(f"{name} = CASE WHEN {name} IS NULL THEN NULL WHEN {name} < 100 THEN 1 ELSE ({name} + 50) / 100 END" for name in SIZES)
        + " WHERE " + " OR ".join(f"{name} IS NOT NULL" for name in SIZES)
    )
    if op.get_bind().dialect.name != "sqlite":
        for name in SIZES:
            op.execute(f"ALTER TABLE property ALTER COLUMN {name} TYPE INTEGER")
