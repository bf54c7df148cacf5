"""Where residents live, how a home's sheet is read, and the sheets that are being enrolled."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# By what a resident of a sheet is found again.
_KNOWN_BY = ("reference", "label", "room")


def upgrade() -> None:
    for name, width in (("room", 20), ("unit", 20)):
        op.add_column("people", sa.Column(name, sa.String(width)))
    for column in _KNOWN_BY:
        op.create_index(f"ix_people_group_id_{column}", "people", ["group_id", column])
    op.add_column("groups", sa.Column("organisation", sa.String(60), server_default="", nullable=False))
    op.add_column("groups", sa.Column("headings", sa.JSON(), server_default="{}", nullable=False))
    # Nothing was ever written into the table as it stood.
    op.drop_table("uploads")
    op.create_table(
        "uploads",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("group_id", _NUMBER, nullable=False),
        sa.Column("member_id", _NUMBER),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("columns", sa.JSON(), nullable=False),
        sa.Column("mapping", sa.JSON(), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("reached", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("says_yes", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_uploads"),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], name="fk_uploads_group_id_groups", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["member_id"], ["members.id"], name="fk_uploads_member_id_members", ondelete="SET NULL"
        ),
    )
    op.create_index("ix_uploads_group_id", "uploads", ["group_id"])
    op.create_index("ix_uploads_member_id", "uploads", ["member_id"])
    working = sa.text("state IN ('checking', 'saving')")
    op.create_index("ix_uploads_working", "uploads", ["id"], sqlite_where=working, postgresql_where=working)
    op.create_table(
        "upload_rows",
        sa.Column("upload_id", _NUMBER, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("cells_sealed", sa.LargeBinary()),
        sa.Column("likeness", sa.LargeBinary()),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("verdict", sa.String(10), server_default="", nullable=False),
        sa.Column("findings", sa.JSON(), nullable=False),
        sa.Column("effect", sa.String(10), server_default="", nullable=False),
        sa.Column("person_id", _NUMBER),
        sa.Column("is_agreed", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint("upload_id", "number", name="pk_upload_rows"),
        sa.ForeignKeyConstraint(
            ["upload_id"], ["uploads.id"], name="fk_upload_rows_upload_id_uploads", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name="fk_upload_rows_person_id_people", ondelete="SET NULL"
        ),
    )
    op.create_index("ix_upload_rows_upload_id_likeness", "upload_rows", ["upload_id", "likeness"])
    op.create_index("ix_upload_rows_person_id", "upload_rows", ["person_id"])


def downgrade() -> None:
    op.drop_table("upload_rows")
    op.drop_table("uploads")
    op.create_table(
        "uploads",
        sa.Column("id", _NUMBER, nullable=False),
        sa.Column("group_id", _NUMBER, nullable=False),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_uploads"),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], name="fk_uploads_group_id_groups", ondelete="CASCADE"),
    )
    op.create_index("ix_uploads_group_id", "uploads", ["group_id"])
    op.drop_column("groups", "headings")
    op.drop_column("groups", "organisation")
    for column in _KNOWN_BY:
        op.drop_index(f"ix_people_group_id_{column}", table_name="people")
    op.drop_column("people", "unit")
    op.drop_column("people", "room")
