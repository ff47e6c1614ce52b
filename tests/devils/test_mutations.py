"""Hundreds of mutated inputs to names, numbers, options, readers and files, in one process: each is
refused in one line or gives what is right."""

import pytest

from tests.devils import images, names, numbers, readers, stores, weights
from tests.devils.rule import hold

ROOMS = (names, numbers, readers, stores, weights, images)
CASES = [case for room in ROOMS for case in room.cases()]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_mutated(case, place):
    hold(case, place)


def test_so_many_cases_and_no_two_alike():
    assert len(CASES) >= 250
    assert len({case.id for case in CASES}) == len(CASES)
