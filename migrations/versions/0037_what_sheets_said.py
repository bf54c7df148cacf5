"""What a home's sheet said of its people when it was last saved, and the answers that were given to its questions."""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

_ANSWERS = ("same", "keep", "new", "leave", "here", "quiet")
_THEIRS = "group_id = ANY ((SELECT kigen_groups())::bigint[])"


def _id() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _refers(table: str, column: str, to: str, *, nullable: bool = False, primary_key: bool = False) -> sa.Column[int]:
    key = sa.ForeignKey(f"{to}.id", ondelete="CASCADE", name=f"fk_{table}_{column}_{to}")
    return sa.Column(column, _id(), key, nullable=nullable, primary_key=primary_key)


def upgrade() -> None:
    op.add_column("import_rows", sa.Column("answer", sa.String(8), nullable=True))
    op.create_table(
        "sheet_people",
        _refers("sheet_people", "person_id", "people", primary_key=True),
        _refers("sheet_people", "group_id", "groups"),
        sa.Column("identity_fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("cells_fingerprint", sa.JSON(), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index(
        "ix_sheet_people_group_id_identity_fingerprint", "sheet_people", ["group_id", "identity_fingerprint"]
    )
    op.create_table(
        "sheet_answers",
        sa.Column("id", _id(), primary_key=True),
        _refers("sheet_answers", "group_id", "groups"),
        _refers("sheet_answers", "person_id", "people", nullable=True),
        sa.Column("question_fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("answer", sa.String(10), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(f"answer IN ({', '.join(repr(one) for one in _ANSWERS)})", name="answer"),
        sa.UniqueConstraint("group_id", "question_fingerprint", name="uq_sheet_answers_group_id_question_fingerprint"),
    )
    op.create_index("ix_sheet_answers_person_id", "sheet_answers", ["person_id"])
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    owner = connection.exec_driver_sql("SELECT quote_ident(current_user)").scalar()
    for table in ("sheet_people", "sheet_answers"):
        seen = f"person_id IS NULL OR EXISTS (SELECT 1 FROM people WHERE people.id = {table}.person_id)"  # noqa: S608 - our own names
        check = f"{_THEIRS} AND ({seen})"
        connection.exec_driver_sql(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        connection.exec_driver_sql(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        connection.exec_driver_sql(f"CREATE POLICY everything ON {table} TO {owner} USING (true) WITH CHECK (true)")
        connection.exec_driver_sql(f"CREATE POLICY acted_for ON {table} USING ({_THEIRS}) WITH CHECK ({check})")


def downgrade() -> None:
    op.drop_table("sheet_answers")
    op.drop_table("sheet_people")
    op.drop_column("import_rows", "answer")
