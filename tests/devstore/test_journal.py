"""The file under the stores."""

import pytest

from devstore.journal import RECORDS, Journal


@pytest.fixture
def journal(tmp_path):
    made = Journal(tmp_path / "journal.sqlite3")
    yield made
    made.close()


def rows(journal):
    return list(journal.read("a", RECORDS))


def test_what_was_written_is_read_after_reopening(tmp_path):
    first = Journal(tmp_path / "journal.sqlite3")
    first.write([("a", RECORDS, "order", "1", b"one")])
    first.close()

    second = Journal(tmp_path / "journal.sqlite3")

    assert rows(second) == [("order", "1", b"one")]
    second.close()


def test_a_rewritten_row_keeps_its_place(journal):
    journal.write([("a", RECORDS, "order", "1", b"one"), ("a", RECORDS, "order", "2", b"two")])

    journal.write([("a", RECORDS, "order", "1", b"changed")])

    assert rows(journal) == [("order", "1", b"changed"), ("order", "2", b"two")]


def fail_half_way(journal, outer):
    with journal.transaction():
        journal.write([("a", RECORDS, "order", "1", b"one")])
        with journal.transaction():
            journal.write([("a", RECORDS, "order", "2", b"two")])
            raise RuntimeError(outer)


def test_a_failed_transaction_leaves_nothing_not_even_of_an_inner_one(journal):
    with pytest.raises(RuntimeError, match="half way"):
        fail_half_way(journal, "half way")

    assert rows(journal) == []


def test_one_shop_does_not_see_another(journal):
    journal.write([("b", RECORDS, "order", "1", b"one")])

    assert rows(journal) == []


def test_erasing_what_is_not_there_is_no_error(journal):
    journal.erase("a", RECORDS, "order", "1")

    assert rows(journal) == []


def test_reserved_numbers_follow_one_another(journal):
    first = journal.reserve("id", 10, at_least=100)
    second = journal.reserve("id", 10, at_least=100)
    third = journal.reserve("id", 10, at_least=500)

    assert (first, second, third) == (100, 110, 500)
