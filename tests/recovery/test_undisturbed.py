"""The deal that nothing happens to: what all others are measured by must itself be right."""

from collections import Counter

from holdfast.model.deal import DealStatus
from tests.recovery.scene import assert_ledger_is_the_chain

ETHER, DOLLAR = 10**18, 10**6


def test_the_chain_shows_the_legs_of_a_ten_million_dollar_deal(undisturbed):
    # $10M at $2,000 is 5,000 ETH: 50 % stay, 30 % are 1,500, the other 20 % go along: 2,500 move.
    # 20 % LTV of 1,500 ETH ($3M) is $600,000. At 0.60, less the pool's fee of 0.05 % and price
    # impact, that buys 998,501.997253; the ladder asks for 50,000, 250,000 and the rest.
    rest = 998_501_997_253 - 300_000 * DOLLAR
    ladder = [50_000 * DOLLAR, 250_000 * DOLLAR, rest]
    shown = [(effect.kind, effect.key[3]) for effect in undisturbed.effects]
    assert shown == [
        ("fund", 2_500 * ETHER),
        ("wrap", 1_500 * ETHER),
        ("approve", None),
        ("supply", 1_500 * ETHER),
        ("borrow", 600_000 * DOLLAR),
        ("approve", None),
        ("swap", 600_000 * DOLLAR),
        *(
            leg
            for units in ladder
            for leg in [
                ("approve", None),
                ("request_redemption", units),
                ("claim_redemption", units),
            ]
        ),
        ("approve", None),
        ("repay", None),
        ("revoke", 0),
        ("withdraw", None),
        ("unwrap", None),
        ("return_token", None),
        ("return_native", None),
    ]


def test_its_ledger_has_every_leg_once_and_equals_the_chain(undisturbed):
    assert undisturbed.status is DealStatus.COMPLETED
    entries = Counter(line[:2] for line in undisturbed.journal.lines if line[3] == "expense/gas")
    assert entries.total() == 23
    assert [step for step, _ in entries] == sorted(step for step, _ in entries)
    assert_ledger_is_the_chain(undisturbed)
