"""A small, fixed budget of fuzzing; `python tests/fuzz.py` goes on for as long as one likes."""

import pytest
from fuzz import campaign


@pytest.mark.slow
def test_nothing_that_strangers_send_crashes():
    outcomes, crashes = campaign(limit=600, minutes=9, seed=7)
    assert not crashes
    assert outcomes["photo refused"] > 50
    assert outcomes["photo decoded"] > 20
    assert outcomes["call refused"] > 50
    assert outcomes["call passed"] > 20
    assert outcomes["page told"] > 40
    assert outcomes["page refused"] > 10
