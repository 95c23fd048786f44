"""What people read and hand in: the table of promises and the file of answers."""

from __future__ import annotations

import pytest

from dev.invariants.answers import Answers, read
from dev.invariants.result import SHOWN, Result, table


def test_answers_are_read_by_kind():
    answers = read(["placed A\n", "accepted B\n", "\n", "  refused C  \n", "placed D"])
    assert answers == Answers(placed={"A", "D"}, accepted={"B"}, refused={"C"})


@pytest.mark.parametrize("line", ["placed", "sold A", "placed A B", "A"])
def test_a_line_that_is_no_answer_is_named(line):
    with pytest.raises(ValueError, match="line 2 is not"):
        read(["placed A", line])


def test_a_promise_holds_while_nothing_breaks_it():
    assert Result("stock", 3).holds
    assert not Result("stock", 3, ["product 7"]).holds


def test_the_table_says_what_breaks_a_promise():
    lines = table([Result("stock", 1234), Result("payments of orders", 2, ["order A", "order B"])]).splitlines()
    assert [line.split() for line in lines[1:]] == [
        ["stock", "1,234", "ok"],
        ["payments", "of", "orders", "2", "BROKEN"],
        ["order", "A"],
        ["order", "B"],
    ]
    assert len({line.index(word) for line, word in zip(lines[1:3], ("ok", "BROKEN"), strict=True)}) == 1


def test_the_table_shows_the_first_of_many():
    lines = table([Result("stock", 9, [f"product {number}" for number in range(SHOWN + 3)])]).splitlines()
    assert lines[-1].strip() == "and 3 more"
    assert len(lines) == 2 + SHOWN + 1
