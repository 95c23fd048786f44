"""Histories without a server: what is printed for review, and how a new revision begins."""

import shutil

import pytest
from alembic.script import ScriptDirectory

from db import migrate
from db.schemas import FOLDER, SCHEMAS


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """A copy of db/ that may be changed."""
    shutil.copytree(FOLDER, tmp_path / "db", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(migrate, "FOLDER", tmp_path / "db")
    return tmp_path / "db"


def test_the_printed_statements_make_every_database_and_its_tables(capsys):
    migrate.print_statements()
    printed = capsys.readouterr().out
    for database in SCHEMAS.values():
        assert f"CREATE DATABASE IF NOT EXISTS `{database}` CHARACTER SET utf8mb4;\nUSE `{database}`;" in printed
    assert printed.count("CREATE TABLE IF NOT EXISTS barrier") == 4
    assert printed.count("INSERT INTO alembic_version (version_num) VALUES ('0001')") == len(SCHEMAS)


@pytest.mark.parametrize("schema", SCHEMAS)
def test_each_history_is_one_line_without_branches(schema):
    scripts = ScriptDirectory.from_config(migrate._config(schema))
    assert len(scripts.get_heads()) == 1
    assert len(scripts.get_bases()) == 1


def test_a_new_revision_stands_behind_the_newest_one(copied, capsys):
    migrate.begin_revision("order", "Add a note")
    text = (copied / "order" / "versions" / "0002_add_a_note.py").read_text()
    assert text.startswith('"""Add a note."""\n')
    assert 'revision = "0002"\ndown_revision = "0001"\n' in text
    assert list((copied / "pay" / "versions").glob("0002*")) == []


def test_a_revision_is_part_of_what_is_printed(copied, capsys, monkeypatch):
    migrate.begin_revision("order", "Add a note")
    path = copied / "order" / "versions" / "0002_add_a_note.py"
    path.write_text(
        path.read_text().replace('op.execute("""\n', 'op.execute("""ALTER TABLE order_record ADD note TEXT\n')
    )
    monkeypatch.setattr(migrate, "SCHEMAS", {"order": "eshop_order"})
    capsys.readouterr()
    migrate.print_statements()
    assert "ALTER TABLE order_record ADD note TEXT" in capsys.readouterr().out
