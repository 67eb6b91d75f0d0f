import pytest

from holdfast.monitoring.model import Patience


@pytest.mark.parametrize(
    ("attempts", "pause"),
    # 5 s doubled each time, at most an hour: 5, 10, 20, ... 2560, 3600, 3600
    [(1, 5), (2, 10), (3, 20), (10, 2_560), (11, 3_600), (20, 3_600), (10_000, 3_600)],
)
def test_pauses_double_up_to_an_hour(attempts, pause):
    assert Patience().pause_seconds(attempts, spread=0.5) == pytest.approx(pause)


@pytest.mark.parametrize(("spread", "pause"), [(0.0, 8.0), (1.0, 12.0)])
def test_a_pause_is_spread_by_a_fifth_to_either_side(spread, pause):
    assert Patience(first_seconds=10).pause_seconds(1, spread) == pytest.approx(pause)


def test_twenty_attempts_outlast_a_night():
    patience = Patience()
    shortest = sum(patience.pause_seconds(number, 0.0) for number in range(1, patience.attempts))
    assert shortest > 8 * 3_600
