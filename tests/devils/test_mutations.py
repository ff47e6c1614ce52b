"""Hundreds of mutated names, numbers, options and files, in one process.

Each is refused in one line or gives a right value.
"""

from collections import defaultdict

import pytest

from tests.devils import fields, images, names, numbers, readers, stores, weights
from tests.devils.rule import Case, hold

MODULES = (names, numbers, readers, fields, stores, weights, images)
CASES: list[Case] = [case for module in MODULES for case in module.cases()]
GROUPS: dict[str, list[Case]] = defaultdict(list)
for each in CASES:
    GROUPS[each.group or each.id].append(each)


def marked(group: str) -> object:
    slow = any(case.slow for case in GROUPS[group])
    return pytest.param(group, marks=[pytest.mark.slow] if slow else [], id=group)


@pytest.mark.parametrize("group", [marked(group) for group in GROUPS])
def test_mutated(group, place):
    for case in GROUPS[group]:
        try:
            hold(case, place)
        except BaseException as error:
            error.add_note(case.id)
            raise


def test_there_are_enough_cases_with_different_ids():
    assert sum(not case.slow for case in CASES) >= 250
    assert len({case.id for case in CASES}) == len(CASES)
