"""The rows that an advance leaves: the deal's, its steps', and the ledger's entries."""

from datetime import UTC, datetime

import pytest
import structlog

from holdfast.common.errors import Rejected
from holdfast.common.money import USD8, WAD
from holdfast.execution import bookkeeping
from holdfast.execution.bookkeeping import Bookkeeping
from holdfast.execution.errors import CoreShort, Differs, Unexplained
from holdfast.execution.model import Revoke, Send, Trouble, Wait, WaitFor
from holdfast.execution.prepared import Prepared
from holdfast.execution.script import Changed, Script
from holdfast.execution.settlement import Settlement, settle
from holdfast.execution.settlement import reopened as taken_back
from holdfast.ledger.model import Account, Balances, EntryKind, Held
from holdfast.ledger.reconciliation import reconciled
from holdfast.ledger.service import Settled
from holdfast.model.deal import DealEvent, DealStatus, Step
from holdfast.model.leg import Call, LegKind, LegStatus
from holdfast.transactions.model import IntentStatus
from tests.unit.execution import fakes
from tests.unit.execution.scene import BOOK, NOW, deal, leg, outcome, receipt, seen
from tests.unit.planning.world import DEAL, FLOAT

START = Changed(DealEvent.START, DealStatus.APPROVED, DealStatus.EXECUTING, None)
NOTHING = Settlement(deal(), {}, ())


class Ledger:
    """The ledger's service; what is posted is kept."""

    def __init__(self, core_is_short=False):
        self.core_is_short = core_is_short
        self.booked, self.settled, self.released, self.taken_back = [], [], [], []

    async def book_core(self, session, book, amount, *, held_wei, at):
        if self.core_is_short:
            raise Rejected("ledger.core_short", "short", limit=1, value=2)
        self.booked.append((amount.units, held_wei, at))

    async def settle(self, session, book, entries, *, indexes, chain, is_claim):
        self.settled.append((entries, is_claim))
        balances = Balances({})
        made = reconciled(book, balances, chain, core_booked=0)
        # What the chain shows otherwise than empty books stands for what nobody can explain.
        return Settled(balances, made, made.mismatches, made.is_exact)

    async def take_back(self, session, book, gone, first):
        self.taken_back.append((list(gone), first))

    async def release_core(self, session, book, at):
        self.released.append(at)


@pytest.fixture
def ledger(monkeypatch):
    made = Ledger()
    monkeypatch.setattr(bookkeeping, "ledger", made)
    return made


@pytest.fixture
def rows(monkeypatch):
    """What was written of legs and steps."""
    written = []

    async def settle_legs(session, settled):
        written.append(("legs", settled))

    async def record_steps(session, deal_id, steps):
        written.append(("steps", steps))

    async def reopen_legs(session, legs):
        written.append(("reopened", legs))

    monkeypatch.setattr(bookkeeping, "reopen_legs", reopen_legs)
    monkeypatch.setattr(bookkeeping, "settle_legs", settle_legs)
    monkeypatch.setattr(bookkeeping, "record_steps", record_steps)
    return written


def books(*records):
    journal = fakes.Journal()
    return Bookkeeping(fakes.Deals(journal, *records), BOOK), journal


async def settled(
    books, settlement, changes=(), after=None, *, goes_on=False, is_certain=True, **observed
):
    after = after or settlement.deal
    outcome = Send(Revoke(())) if goes_on else Wait(WaitFor.OPERATOR)
    prepared = Prepared(
        settlement,
        Script(after, tuple(changes), outcome),
        after,
        (),
        seen(**observed),
        is_certain=is_certain,
    )
    return await books.settle("session", prepared, after=after)


async def test_nothing_that_happened_is_nothing_to_book(ledger, rows):
    made, _ = books()
    assert await settled(made, NOTHING) is None
    assert (ledger.settled, rows) == ([], [])


async def test_a_deal_that_starts_books_its_core_against_what_the_address_holds(ledger, rows):
    made, _ = books()
    record = deal(status=DealStatus.EXECUTING)
    await settled(made, Settlement(record, {}, ()), [START], core=3_000 * WAD)
    assert ledger.booked == [(2_500 * WAD, 3_000 * WAD, seen().head.ref)]
    assert ledger.released == []


async def test_core_that_is_short_is_an_error_of_its_own(ledger, rows):
    ledger.core_is_short = True
    made, _ = books()
    with pytest.raises(CoreShort) as refused:
        await settled(made, NOTHING, [START])
    assert (refused.value.code, refused.value.fields) == (
        "ledger.core_short",
        {"limit": 1, "value": 2},
    )


async def test_a_group_that_ended_is_booked_leg_by_leg(ledger, rows):
    """The funding's transfer, and of a leg that reverted its gas alone."""
    fund = leg(
        LegKind.FUND,
        Step.SPLIT,
        LegStatus.SENT,
        sender=FLOAT,
        call=Call(DEAL, b"", 5),
        token=BOOK.native.symbol,
        amount=5,
    )
    claim = leg(LegKind.CLAIM_REDEMPTION, Step.MONETISATION, LegStatus.SENT)
    settlement = settle(
        deal(status=DealStatus.EXECUTING, legs=(fund, claim)),
        [
            outcome(fund, mined=receipt(91)),
            outcome(claim, IntentStatus.REVERTED, receipt(92, succeeded=False, gas_used=9)),
        ],
    )
    made, _ = books()
    await settled(made, settlement)
    ((entries, is_claim),) = ledger.settled
    assert [one.kind for one in entries] == [EntryKind.LANDED, EntryKind.REVERTED]
    assert not is_claim
    ((name, ended),) = rows
    assert name == "legs"
    assert {leg_id: status for leg_id, (status, _) in ended.items()} == {
        fund.leg_id: LegStatus.LANDED,
        claim.leg_id: LegStatus.REVERTED,
    }


@pytest.mark.parametrize(
    ("status", "is_claim", "is_released"),
    [
        (DealStatus.EXECUTING, False, False),
        (DealStatus.HOLDING, True, False),
        (DealStatus.COMPLETED, False, True),
        (DealStatus.COMPLETED_WITH_CLAIM, True, True),
        (DealStatus.FAILED, False, True),
    ],
)
async def test_a_claim_is_one_while_the_deal_holds_and_core_is_free_when_it_is_over(
    ledger, rows, status, is_claim, is_released
):
    made, _ = books()
    change = Changed(DealEvent.HOLD, DealStatus.EXECUTING, status, None)
    await settled(made, NOTHING, [change], after=deal(status=status))
    assert [claim for _, claim in ledger.settled] == [is_claim]
    assert bool(ledger.released) == is_released


async def test_a_mismatch_is_reported_and_stops_nothing(ledger, rows):
    """One unit of USDT that nobody booked: red in the log, and the deal goes on."""
    made, _ = books()
    change = Changed(DealEvent.HOLD, DealStatus.EXECUTING, DealStatus.HOLDING, None)
    with structlog.testing.capture_logs() as logs:
        balances = await settled(made, NOTHING, [change], cash=1)
    assert balances is not None
    (red,) = logs
    assert (red["event"], red["log_level"], red["mismatch_wei"]) == ("ledger.mismatch", "error", 1)
    (line,) = red["lines"]
    assert line.startswith("asset/deal_wallet: ledger 0")
    assert line.endswith("chain 0.000001 USDT")


@pytest.mark.parametrize("goes_on", [True, False])
async def test_what_differs_is_not_booked_before_the_deals_blocks_were_looked_for(
    ledger, rows, goes_on
):
    """Also what is there beyond the books: a reorg may have brought it back."""
    made, _ = books()
    change = Changed(DealEvent.HOLD, DealStatus.EXECUTING, DealStatus.HOLDING, None)
    with structlog.testing.capture_logs() as logs, pytest.raises(Differs):
        await settled(made, NOTHING, [change], cash=1, goes_on=goes_on, is_certain=False)
    assert logs == []
    assert await settled(made, NOTHING, [change], core=0, is_certain=False) is not None


async def test_no_leg_follows_while_the_chain_shows_less_than_the_books(ledger, rows):
    made, _ = books()
    with pytest.raises(Unexplained) as caught:
        await settled(made, NOTHING, cash=1, goes_on=True)
    assert "chain 0.000001 USDT" in caught.value.message


async def test_legs_may_follow_while_books_and_chain_agree(ledger, rows):
    made, _ = books()
    assert await settled(made, NOTHING, core=0, goes_on=True) is not None
    assert len(ledger.settled) == 1


async def reopened(before, after, **how):
    made, journal = books(before)
    await made.reopen("session", before, after, first=88, wake_at=NOW, **how)
    return journal.pending[-1][1]


async def test_legs_that_are_gone_are_taken_back_and_their_steps_run_again(ledger, rows):
    wrap = leg(LegKind.WRAP, tx_hash="0x01")
    supply = leg(LegKind.SUPPLY, tx_hash="0x02", block_number=88)
    before = deal(legs=(wrap, supply))
    after = taken_back(before, {supply.leg_id})
    row = await reopened(before, after, no_ops=["0x03"])
    assert ledger.taken_back == [(["0x03", "0x02"], 88)]
    (_, legs), (_, steps) = rows
    assert legs == [supply.leg_id]
    assert [(one["step"], one["status"]) for one in steps] == [(Step.LIQUIDITY, "running")]
    assert (row["group_id"], row["wake_at"]) == (supply.group_id, NOW)


async def test_a_no_op_that_is_gone_alone_is_taken_back_and_no_leg_with_it(ledger, rows):
    before = deal(legs=(leg(LegKind.WRAP),))
    row = await reopened(before, before, no_ops=["0x03"])
    assert ledger.taken_back == [(["0x03"], 88)]
    assert rows == []
    assert row["wake_at"] == NOW


async def test_a_leg_that_was_not_booked_yet_has_nothing_to_take_back(ledger, rows):
    before = deal(legs=(leg(LegKind.WRAP),))
    row = await reopened(before, before)
    assert (ledger.taken_back, rows) == ([], [])
    assert row["wake_at"] == NOW


async def test_a_token_that_nobody_knows_is_a_bug_and_books_nothing(ledger, rows):
    strange = leg(LegKind.FUND, status=LegStatus.SENT, token="DOGE")  # noqa: S106
    settlement = settle(deal(legs=(strange,)), [outcome(strange, mined=receipt())])
    made, _ = books()
    with pytest.raises(KeyError):
        await settled(made, settlement)
    assert ledger.settled == []


async def saved(record, touched=frozenset(), balances=None, **observed):
    made, journal = books(record)
    await made.save(
        "session",
        record,
        seen(**observed),
        wake_at=NOW,
        balances=balances,
        touched=frozenset(touched),
    )
    return journal.pending[-1][1]


async def test_the_deals_row_says_where_it_stands(rows):
    record = deal(
        status=DealStatus.EXECUTING,
        trouble=Trouble(LegKind.SWAP, 2),
        trouble_text="swap: dry",
        borrow_waived=True,
        last_block=90,
        waits_for="trading",
    )
    row = await saved(record, tokens=1, queued=2, claimable=4)
    assert row == {
        "status": "executing",
        "hold_reason": None,
        "group_id": None,
        "borrow_waived": True,
        "trouble_kind": "swap",
        "trouble_times": 2,
        "trouble_text": "swap: dry",
        "current_ltv_bps": 0,
        "usdtz_exposure": 7,
        "last_block": 90,
        "wake_at": NOW,
        "waits_for": "trading",
    }
    assert rows == []


async def test_the_words_of_the_last_trouble_outlive_its_count(rows):
    row = await saved(deal(status=DealStatus.FAILED, trouble_text="fund: poor"))
    assert (row["trouble_kind"], row["trouble_times"]) == (None, 0)
    assert row["trouble_text"] == "fund: poor"


async def test_profit_is_written_only_when_the_books_moved(rows):
    """0.01 ETH of gas at $2,000 is a loss of $20."""
    gas = Balances({(Account.GAS, BOOK.native): Held(WAD // 100, 0)})
    assert "profit_usd8" not in await saved(deal())
    row = await saved(deal(), balances=gas)
    assert row["profit_usd8"] == -20 * USD8


AT_TIME = datetime(2027, 1, 15, 8, 0, tzinfo=UTC)  # the observed block's 1,800,000,000 s
STEPS = {
    "nothing sent yet": ((), "running", None),
    "under way": ((LegStatus.LANDED, LegStatus.SENT), "running", None),
    "all landed": ((LegStatus.LANDED, LegStatus.LANDED), "done", None),
    "the last failed": ((LegStatus.LANDED, LegStatus.REVERTED), "failed", "no"),
    "one failed and was made good": ((LegStatus.REVERTED, LegStatus.LANDED), "done", None),
}


@pytest.mark.parametrize(("statuses", "status", "error"), STEPS.values(), ids=STEPS)
async def test_a_step_is_told_by_its_legs(rows, statuses, status, error):
    legs = tuple(
        leg(step=Step.LIQUIDITY, status=one, block_number=90 + n, gas_used=5)
        for n, one in enumerate(statuses)
    )
    other = leg(step=Step.SPLIT, block_number=99, gas_used=100)
    record = deal(legs=(other, *legs), trouble=Trouble(LegKind.SUPPLY, 1), trouble_text="no")
    await saved(record, touched={Step.LIQUIDITY})
    ((_, (row,)),) = rows
    landed = [one for one in statuses if one is LegStatus.LANDED]
    assert (row["step"], row["status"], row["error"]) == (1, status, error)
    assert row["result"]["landed"] == len(landed)
    assert row["result"]["gas_used"] == 5 * len(statuses)
    # Done when the chain's clock said so.
    assert row["executed_at"] == (AT_TIME if status == "done" else None)


def test_the_deals_ledger_is_its_own():
    made, _ = books()
    record = deal()
    book = made.book(record)
    assert (book.deal_id, book.bank, book.accounts.deal) == (record.deal_id, record.bank, DEAL)
