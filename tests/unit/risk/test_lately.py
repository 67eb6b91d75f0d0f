"""What one block can bring about tightens nothing; what lasts a minute does."""

from holdfast.common.money import USD8, Bps
from holdfast.risk.dynamic import Cause, next_state
from holdfast.risk.lately import LASTING_SECONDS, Lasting, Lately
from tests.unit.risk.markets import NOON, market, pool, reserve

EMPTY = {"loan": reserve(0, 1_000)}
DRY = {"eth_pool": pool(2_000, depth=0)}
USUAL = Lasting()


def scales(*readings):
    """The scale after each reading of (seconds, changes), as one monitor makes them."""
    lately, state, found = Lately(), None, []
    for seconds, changes in readings:
        now = market(NOON + seconds, **changes)
        state = next_state(state, now, lasting=lately.take(now))
        found.append(state.scale)
    return found, state


def test_one_reading_without_cash_or_liquidity_changes_nothing():
    for bad in (EMPTY, DRY):
        calm = [(5 * n, {}) for n in range(13)]
        found, state = scales(*calm, (65, bad), (70, {}), (75, {}))
        assert set(found) == {10_000}
        assert state.cause is Cause.PUBLISHED


def test_what_lasts_a_minute_tightens():
    for bad in (EMPTY, DRY):
        late = [(60 + 5 * n, bad) for n in range(14)]
        found, state = scales(*((5 * n, {}) for n in range(12)), *late)
        # the last good reading is at 55 s; at 120 s it has been bad for a minute
        assert found[:-2] == [10_000] * (len(found) - 2)
        assert (found[-2:], state.cause) == ([5_000, 5_000], Cause.SCORE)


def test_whoever_begins_to_look_has_not_seen_yet_that_it_lasts():
    found, _ = scales((0, EMPTY), (30, EMPTY), (59, EMPTY), (60, EMPTY))
    assert found == [10_000, 10_000, 10_000, 5_000]


def test_volatility_and_the_peg_tighten_at_once():
    assert scales((0, {}), (5, {"cash": 0.95}))[0] == [10_000, 5_000]
    assert scales((0, {}), (5, {"eth": 1_600}))[0] == [10_000, 5_500]


def test_the_best_of_the_last_minute_counts_and_a_silence_is_no_proof():
    lately = Lately()
    assert lately.take(market(NOON, **EMPTY)) == USUAL
    deep = market(NOON + LASTING_SECONDS, eth_pool=pool(2_000, depth=900_000))
    assert lately.take(deep) == Lasting(3_000_000 * USD8, Bps(6_000))
    # an hour later the reading before still speaks for that hour
    assert lately.take(market(NOON + 3_660, **EMPTY)).utilisation == 6_000
    assert lately.take(market(NOON + 3_720, **EMPTY)).utilisation == 10_000
