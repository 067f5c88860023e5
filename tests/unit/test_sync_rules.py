"""The whole table of sync: code, row, last synced, accepted, and what an operator chose."""

import itertools
from typing import Any

import pytest

from workerd.sync.rules import ABSENT, OPEN, WAS_OFF, Choice, Gone, Kind, Sides, Verdict, judge, judge_gone, same

DEFAULT = 1
CODES, ROWS, SYNCED, GIVEN = "-12", "123", "-12", "-3"

TABLE = """
code row synced given | none      take      give

-    1   -      -     | in step   in step   in step
-    2   -      -     | in step   in step   in step
-    3   -      -     | in step   in step   in step
-    1   1      -     | noted     noted     noted
-    2   1      -     | drift     written   given
-    3   1      -     | drift     written   given
-    1   2      -     | noted     noted     noted
-    2   2      -     | written   written   given
-    3   2      -     | drift     written   given

1    1   -      -     | noted     noted     noted
1    2   -      -     | conflict  written   given
1    3   -      -     | conflict  written   given
1    1   1      -     | in step   in step   in step
1    2   1      -     | drift     written   given
1    3   1      -     | drift     written   given
1    1   2      -     | noted     noted     noted
1    2   2      -     | written   written   given
1    3   2      -     | conflict  written   given

2    1   -      -     | written   written   given
2    2   -      -     | noted     noted     noted
2    3   -      -     | conflict  written   given
2    1   1      -     | written   written   given
2    2   1      -     | noted     noted     noted
2    3   1      -     | conflict  written   given
2    1   2      -     | drift     written   given
2    2   2      -     | in step   in step   in step
2    3   2      -     | drift     written   given

-    1   1      3     | noted     noted     noted
-    2   1      3     | drift     written   given
-    3   1      3     | noted     written   given
-    1   2      3     | noted     noted     noted
-    2   2      3     | written   written   given
-    3   2      3     | noted     written   given

1    1   1      3     | noted     noted     noted
1    2   1      3     | drift     written   given
1    3   1      3     | in step   written   in step
1    1   2      3     | noted     noted     noted
1    2   2      3     | written   written   given
1    3   2      3     | conflict  written   given

2    1   1      3     | written   written   given
2    2   1      3     | noted     noted     noted
2    3   1      3     | conflict  written   given
2    1   2      3     | drift     written   given
2    2   2      3     | noted     noted     noted
2    3   2      3     | in step   written   in step
"""
"""The default is 1; ``-`` is no value. Whatever the code no longer says goes back to the default."""

Key = tuple[str, str, str, str, Choice]


def value_of(letter: str) -> Any:
    return ABSENT if letter == "-" else int(letter)


def read_table() -> dict[Key, Kind]:
    expected: dict[Key, Kind] = {}
    for line in TABLE.strip().splitlines()[1:]:
        if not line:
            continue
        left, _, right = line.partition("|")
        code, row, synced, given = left.split()
        words = [right[start : start + 10].strip() for start in (1, 11, 21)]
        for choice, word in zip(Choice, words, strict=True):
            expected[code, row, synced, given, choice] = Kind(word)
    return expected


EXPECTED = read_table()
POSSIBLE = {
    (code, row, synced, given, choice)
    for code, row, synced, given, choice in itertools.product(CODES, ROWS, SYNCED, GIVEN, Choice)
    if synced != "-" or given == "-"  # a value is accepted beside one of the code
}


def judged(key: Key) -> tuple[Sides, Verdict]:
    code, row, synced, given, choice = key
    sides = Sides(value_of(code), value_of(row), value_of(synced), DEFAULT, value_of(given))
    return sides, judge(sides, choice)


def row_after(sides: Sides, verdict: Verdict) -> Any:
    return verdict.wanted if verdict.kind is Kind.WRITTEN else sides.row


def test_the_table_is_whole() -> None:
    assert set(EXPECTED) == POSSIBLE


@pytest.mark.parametrize("key", EXPECTED, ids=lambda key: " ".join(map(str, key)))
def test_a_field_becomes_what_the_table_says(key: Key) -> None:
    _, verdict = judged(key)

    assert verdict.kind is EXPECTED[key]


@pytest.mark.parametrize("key", EXPECTED, ids=lambda key: " ".join(map(str, key)))
def test_the_next_sync_has_nothing_to_do_but_to_name_what_is_open(key: Key) -> None:
    sides, verdict = judged(key)
    after = Sides(sides.code, row_after(sides, verdict), verdict.synced, DEFAULT, verdict.given)

    again = judge(after)

    assert again.kind is (verdict.kind if verdict.kind in OPEN else Kind.IN_STEP)
    assert (again.synced, again.given) == (after.synced, after.given)


@pytest.mark.parametrize("key", EXPECTED, ids=lambda key: " ".join(map(str, key)))
def test_only_take_overwrites_what_was_edited(key: Key) -> None:
    sides, verdict = judged(key)

    if verdict.kind is Kind.WRITTEN and key[-1] is not Choice.TAKE:
        assert sides.row == (DEFAULT if sides.synced is ABSENT else sides.synced)


def test_what_is_open_keeps_the_row_and_what_sync_knows() -> None:
    for key in EXPECTED:
        sides, verdict = judged(key)
        if verdict.kind in OPEN | {Kind.IN_STEP}:
            assert (verdict.synced, verdict.given) == (sides.synced, sides.given)


def test_a_value_that_was_accepted_stays_until_the_code_says_another() -> None:
    accepted = judge(Sides(2, 3, 2, DEFAULT), Choice.GIVE)

    assert judge(Sides(2, 3, accepted.synced, DEFAULT, accepted.given)).kind is Kind.IN_STEP
    assert judge(Sides(4, 3, accepted.synced, DEFAULT, accepted.given)).kind is Kind.CONFLICT


def test_a_row_that_was_made_switched_off_counts_as_unedited_until_it_is_switched_on() -> None:
    made, switched_on = (judge(Sides(ABSENT, enabled, ABSENT, True, False)) for enabled in (False, True))
    written = judge(Sides(True, False, ABSENT, True, made.given))
    edited = judge(Sides(True, False, ABSENT, True, switched_on.given))

    assert (made.kind, made.given) == (Kind.IN_STEP, False)
    assert (switched_on.kind, switched_on.given) == (Kind.IN_STEP, ABSENT)
    assert (written.kind, written.synced, written.given) == (Kind.WRITTEN, True, ABSENT)
    assert edited.kind is Kind.CONFLICT


# a row whose definition is gone

GONE = """
enabled synced | none          take          give         prune         prune+take

yes     -      | switched off  switched off  handed over  deleted       deleted
yes     yes    | switched off  switched off  handed over  deleted       deleted
yes     no     | drift         switched off  handed over  drift         deleted
yes     was    | drift         switched off  handed over  drift         deleted
no      -      | noted         noted         handed over  deleted       deleted
no      yes    | noted         noted         handed over  deleted       deleted
no      no     | off           off           handed over  deleted       deleted
no      was    | off           off           handed over  deleted       deleted
"""
ENABLED = {"yes": True, "no": False}
KEPT = {"-": ABSENT, "yes": True, "no": False, "was": WAS_OFF}
WAYS = ((Choice.NONE, False), (Choice.TAKE, False), (Choice.GIVE, False), (Choice.NONE, True), (Choice.TAKE, True))


def read_gone() -> list[tuple[str, str, Choice, bool, Gone]]:
    found = []
    for line in GONE.strip().splitlines()[2:]:
        left, _, right = line.partition("|")
        enabled, synced = left.split()
        words = [word.strip() for word in right.split("  ") if word.strip()]
        found += [
            (enabled, synced, choice, prune, Gone(word)) for (choice, prune), word in zip(WAYS, words, strict=True)
        ]
    return found


def test_the_table_of_gone_rows_is_whole() -> None:
    found = {(enabled, synced, choice, prune) for enabled, synced, choice, prune, _ in read_gone()}

    assert found == {(enabled, synced, *way) for enabled in ENABLED for synced in KEPT for way in WAYS}


@pytest.mark.parametrize(("enabled", "synced", "choice", "prune", "expected"), read_gone())
def test_a_row_without_a_definition_becomes_what_the_table_says(
    enabled: str, synced: str, choice: Choice, prune: bool, expected: Gone
) -> None:
    assert judge_gone(enabled=ENABLED[enabled], synced=KEPT[synced], choice=choice, prune=prune) is expected


# what is the same

SAME = [
    (5, 5.0),
    ("a\nb", "a\r\nb\r\n"),
    (" mail ", "mail"),
    ((), []),
    (["a"], ("a",)),
    ({"a": [1, {"b": 2.0}]}, {"a": [1.0, {"b": 2}]}),
    (None, None),
    (True, True),
]
DIFFERENT = [
    (1, True),
    (0, False),
    (None, 0),
    (None, ""),
    (None, False),
    ("1", 1),
    ({"a": 1}, {"a": True}),
    ({"a": [1]}, {"a": [True]}),
    ({"a": 1}, {"a": 1, "b": None}),
    ([1, 2], [2, 1]),
    ([], {}),
    ({"a": " x"}, {"a": "x"}),
    ("a\nb", "a b"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_values_that_mean_the_same_are_the_same(one: Any, other: Any) -> None:
    assert same(one, other)
    assert same(other, one)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_values_that_mean_another_thing_are_not(one: Any, other: Any) -> None:
    assert not same(one, other)
    assert not same(other, one)
