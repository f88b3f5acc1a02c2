"""The list of what the clinic keeps of a person has every column and table, each with rules that can be followed."""

from collections.abc import Iterable

from sqlalchemy import JSON, Column, Date, Enum, ForeignKey, Integer, MetaData, String, Table

from service.domain.exports import export_columns
from service.domain.patients import whole_person
from service.domain.patients.person_rules import Deleted, Emptied, Rewritten, Rows, TableRule, Within
from service.domain.privacy import erasure
from service.storage.models import Base
from service.web.privacy import audit_words

PATIENTS = Base.metadata.tables["patients"]
RULES = {rule.table.name: rule for rule in whole_person.TABLES}


def unlisted_columns(patients: Table) -> set[str]:
    """Columns of `patients` without a rule."""
    return {column.name for column in patients.columns} - whole_person.COLUMNS.keys()


def unlisted_tables(tables: Iterable[Table]) -> set[str]:
    """Tables of which nobody has said whether they hold something of a patient."""
    return {table.name for table in tables} - RULES.keys() - whole_person.WITHOUT_PATIENTS.keys() - {"patients"}


def unlisted_texts(rule: TableRule, table: Table) -> set[str]:
    """Columns that could hold something of a person, and of which no rule says what an erasure does."""
    if isinstance(rule.erased, Deleted):
        return set()
    emptied = set(rule.erased.columns) if isinstance(rule.erased, Emptied) else set()
    rewritten = set(rule.erased.columns) if isinstance(rule.erased, Rewritten) else set()
    return {column.name for column in table.columns if _may_tell(column)} - emptied - rewritten - rule.harmless.keys()


def _may_tell(column: Column[object]) -> bool:
    is_text = isinstance(column.type, (String, JSON, Date)) and not isinstance(column.type, Enum)
    return is_text and not column.foreign_keys


def test_i6_each_column_of_patients_has_its_rules() -> None:
    assert unlisted_columns(PATIENTS) == set(), "say in whole_person.COLUMNS what becomes of it"
    assert whole_person.COLUMNS.keys() <= set(PATIENTS.columns.keys())


def test_i6_each_table_has_its_rules_or_holds_nothing_of_a_patient() -> None:
    assert unlisted_tables(Base.metadata.sorted_tables) == set(), "say in whole_person.py what becomes of its rows"
    assert RULES.keys() | whole_person.WITHOUT_PATIENTS.keys() | {"patients"} == Base.metadata.tables.keys()
    assert not RULES.keys() & whole_person.WITHOUT_PATIENTS.keys()


def test_i6_each_text_of_a_person_is_emptied_or_said_to_be_harmless() -> None:
    unlisted = {name: found for name, rule in RULES.items() if (found := unlisted_texts(rule, rule.table))}
    assert unlisted == {}, "say in whole_person.TABLES what an erasure does with it"


def test_i6_a_table_that_names_a_patient_is_never_called_nobodys() -> None:
    for table in Base.metadata.sorted_tables:
        named = {key.column.table.name for key in table.foreign_keys} & {"patients", "appointments", "waiting_list"}
        assert not named or table.name not in whole_person.WITHOUT_PATIENTS, table.name


def test_i6_a_new_column_or_table_is_named() -> None:
    patients = Table("patients", MetaData(), *(Column(one.name) for one in PATIENTS.columns), Column("shoe_size"))
    assert unlisted_columns(patients) == {"shoe_size"}
    shoes = Table("shoes", MetaData(), Column("patient_id", ForeignKey("patients.id")))
    assert unlisted_tables([*Base.metadata.sorted_tables, shoes]) == {"shoes"}
    visits = Table("appointments", MetaData(), Column("id", Integer), Column("whispered", String(200)))
    assert unlisted_texts(RULES["appointments"], visits) == {"whispered"}


def test_rows_that_name_a_patient_move_at_a_merge_or_it_is_said_why_not() -> None:
    for rule in whole_person.TABLES:
        names_a_patient = bool(rule.of_patients)
        assert names_a_patient == (rule.merged in (Rows.MOVE, Rows.UNITE) or rule.table.name == "audit"), (
            rule.table.name
        )


def test_what_is_said_to_be_rewritten_has_a_function_that_does_it() -> None:
    assert {rule.model for rule in whole_person.TABLES if isinstance(rule.erased, Rewritten)} == set(erasure.REWRITING)


def test_what_is_said_to_be_emptied_or_harmless_are_columns() -> None:
    for rule in whole_person.TABLES:
        named = set(rule.harmless)
        if isinstance(rule.erased, Emptied):
            named |= set(rule.erased.columns)
        if isinstance(rule.erased, Rewritten):
            named |= set(rule.erased.columns)
        assert named <= set(rule.table.columns.keys()), rule.table.name


def test_what_is_said_to_be_exported_is() -> None:
    tables = {table.name for table in export_columns.chosen(visits=True, messages=True)}
    within = {rule.exported.table for rule in whole_person.TABLES if isinstance(rule.exported, Within)}
    assert within == tables


def test_each_act_has_its_words_in_the_audit() -> None:
    acts = {act for column in whole_person.COLUMNS.values() for act in column.acts}
    acts |= {act for rule in whole_person.TABLES for act in rule.acts}
    wordless = {act for act in acts if audit_words.act(act) == act.replace("_", " ").replace(".", ": ")}
    assert wordless == set()
