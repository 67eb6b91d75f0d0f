import pytest

from holdfast.common.evm import BlockRef
from holdfast.monitoring.balances import Anchor, Where, changed, core_alerts, key_alert, to_question
from holdfast.monitoring.events import Role, Watched

WHERE = Where(138, BlockRef(9, "0x9", 0))
CORE = Watched("0xcore", Role.CORE, 1)
DEAL = Watched("0xdeal", Role.DEAL, 1)
FLOAT = Watched("0xfloat", Role.FLOAT, 1)
TREASURY = Watched("0xtreasury", Role.TREASURY, 1)


def test_accounts_that_fell_or_are_new_are_questioned():
    before = {"a": 5, "b": 5, "c": 5}
    now = {"a": 4, "b": 5, "c": 6, "d": 0}
    assert to_question(before, now) == ["a", "d"]
    assert changed(before, now) == {"a": 4, "c": 6, "d": 0}


@pytest.mark.parametrize(
    ("anchor", "codes"),
    [
        (Anchor(10, 10, 10), []),
        (Anchor(10, 11, 10), []),
        (Anchor(None, 10, 10), []),
        (Anchor(11, 10, 10), ["core.fell"]),
        (Anchor(9, 9, 10), ["core.below_booked"]),
        (Anchor(None, 9, 10), ["core.below_booked"]),
        (Anchor(11, 9, 10), ["core.fell", "core.below_booked"]),
    ],
)
def test_core_neither_falls_nor_is_less_than_booked(anchor, codes):
    assert [alert.code for alert in core_alerts(CORE, anchor, WHERE)] == codes


@pytest.mark.parametrize(
    ("account", "nonce", "given", "is_first", "is_raised"),
    [
        (DEAL, 3, 3, False, False),  # all that is mined is ours
        (DEAL, 2, 3, False, False),  # one of ours is still to be mined
        (DEAL, 4, 3, False, True),
        (DEAL, 1, None, True, True),  # its key is ours and we never signed for it
        (FLOAT, 9, None, True, False),  # what it sent before we had it
        (FLOAT, 9, None, False, True),
        (FLOAT, 10, 9, True, True),
        (TREASURY, 9, None, True, False),  # the bank's own key
    ],
)
def test_a_nonce_above_the_last_given_out_is_somebody_elses(
    account, nonce, given, is_first, is_raised
):
    alert = key_alert(account, nonce, given, WHERE, is_first_look=is_first)
    assert (alert is not None) == is_raised
