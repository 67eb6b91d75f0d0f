"""A deal's whole report is made from its records and one block."""

import pytest

from holdfast.chain.multicall import Reverted
from holdfast.common.money import WAD
from holdfast.execution.bookkeeping import Bookkeeping
from holdfast.execution.errors import DealNotFound
from holdfast.ledger.model import Account, Balances, Held
from holdfast.model.deal import DealStatus
from holdfast.planning.json_values import block
from holdfast.protocols.uniswap_v3.swaps import Quote
from holdfast.reporting import service
from holdfast.reporting.service import DealReporter
from holdfast.risk.limits import RiskLimits
from holdfast.risk.trading import TradingState
from tests.unit.execution import fakes
from tests.unit.execution.scene import AT, BOOK, deal, leg
from tests.unit.planning.world import CORE, DEAL, FLOAT, TREASURY, VENUES

CLAIM = 948_501 * 10**6
HELD = Balances(
    {
        (Account.CLAIM_HELD, BOOK.usdtz): Held(CLAIM),
        (Account.TRADE_PURCHASE, BOOK.usdtz): Held(-CLAIM),
        (Account.TRADE_PURCHASE, BOOK.usdt): Held(570_000 * 10**6),
        (Account.WALLET, BOOK.usdt): Held(-570_000 * 10**6),
    }
)


class Node:
    """Answers balances with a number for each, and quotes with `quote`."""

    def __init__(self, quote=None):
        self.quote = quote
        self.reads = []

    async def native_balances(self, accounts, at):
        assert at == AT
        return {account: 10 + number for number, account in enumerate(accounts)}

    async def read(self, reads, at):
        assert at == AT
        self.reads.append(reads)
        if reads[0].target == VENUES.quoter.address:
            return [self.quote]
        return list(range(len(reads)))


@pytest.fixture
def reporter(monkeypatch):
    """Makes reporters of one deal; `steps` are what its table holds."""

    def make(record, quote=None, balances=HELD, trading=None, **observed):
        async def load_steps(session, deal_id):
            return [{"step": 1, "status": "done", "executed_at": None}]

        async def of(session, deal_id):
            return balances

        async def worth(session, deal_id, symbol):
            return None

        monkeypatch.setattr(service, "worth_when_sold", worth)
        monkeypatch.setattr(service, "load_steps", load_steps)
        monkeypatch.setattr(service.ledger, "balances", of)
        journal = fakes.Journal()
        deals = fakes.Deals(journal, record)
        return DealReporter(
            db=fakes.Db(journal),
            deals=deals,
            observer=fakes.Observer(**observed),
            node=Node(quote),
            protocols=VENUES,
            books=Bookkeeping(deals, BOOK),
            tokens=BOOK,
            limits=RiskLimits(),
            trading=trading or fakes.TradingStates(),
        )

    return make


async def test_a_report_has_every_part_at_one_block(reporter):
    record = deal(status=DealStatus.EXECUTING, legs=(leg(), leg()))
    report = await reporter(record, balances=Balances({})).report(record.deal_id)
    assert (report["deal_id"], report["block"]) == (str(record.deal_id), block(AT))
    assert report["plan"] == {"made": "here"}
    assert report["steps"] == [{"step": 1, "status": "done", "executed_at": None}]
    assert len(report["legs"]) == 2
    assert report["ledger"]["block"] == block(AT)
    assert report["ledger"]["mismatch_wei"] == "0"
    assert {row["code"] for row in report["invariants"]} >= {"I3.debt_cover", "I9.mismatch"}


async def test_a_deal_is_reported_whole_whatever_words_a_later_version_left(reporter):
    later = leg(kind="teleport", status="adrift", step=9)
    record = deal(status="mothballed", hold_reason="a_later_reason", legs=(later,))
    report = await reporter(record, balances=Balances({})).report(record.deal_id)
    assert (report["status"], report["hold_reason"]) == ("mothballed", "a_later_reason")
    assert [(one["kind"], one["status"], one["step"]) for one in report["legs"]] == [
        ("teleport", "adrift", 9)
    ]


async def test_each_account_is_listed_with_what_it_holds(reporter):
    record = deal()
    report = await reporter(record, balances=Balances({})).report(record.deal_id)
    accounts = report["accounts"]
    assert [(row["name"], row["address"]) for row in accounts] == [
        ("core", CORE),
        ("float", FLOAT),
        ("deal", DEAL),
        ("treasury_return", TREASURY),
    ]
    held = [(one["token"], one["units"]) for one in accounts[1]["balances"]]
    # Three tokens an account, read account by account, beside the native balance.
    assert held == [("ETH", "11"), ("WETH", "3"), ("USDT", "4"), ("USDTz", "5")]


async def test_a_claim_counts_at_what_the_pool_would_pay_now(reporter):
    record = deal(status=DealStatus.HOLDING)
    paid = Quote(560_000 * 10**6, 0, 0, 0)
    report = await reporter(record, paid, tokens=CLAIM).report(record.deal_id)
    claim = report["pnl"]["claim"]
    assert claim["tokens"]["units"] == str(CLAIM)
    assert claim["at_cost"]["units"] == str(570_000 * 10**6)
    assert claim["at_market"]["units"] == str(560_000 * 10**6)
    assert report["pnl"]["total_with_claim_at_market_usd"] == "-10000.00000000"


async def test_a_claim_that_nobody_would_buy_counts_for_nothing(reporter):
    record = deal(status=DealStatus.HOLDING)
    report = await reporter(record, Reverted("dry", b""), tokens=CLAIM).report(record.deal_id)
    assert report["pnl"]["claim"]["at_market"]["units"] == "0"


async def test_without_a_claim_the_pool_is_not_asked(reporter):
    record = deal()
    made = reporter(record, balances=Balances({}), native=WAD)
    await made.report(record.deal_id)
    asked = {read.target for reads in made.node.reads for read in reads}
    assert VENUES.quoter.address not in asked


async def test_what_nobody_booked_shows_as_a_mismatch(reporter):
    record = deal()
    made = reporter(record, balances=Balances({}), cash=1)
    report = await made.report(record.deal_id)
    assert report["ledger"]["mismatch_wei"] == "1"
    red = [row for row in report["invariants"] if not row["ok"]]
    assert [row["code"] for row in red] == ["I9.mismatch"]


async def test_what_a_deal_waits_for_and_who_stopped_the_desk_is_told_without_a_chain(reporter):
    record = deal(waits_for="trading")
    trading = fakes.TradingStates(TradingState.HALTED)
    stored = await reporter(record, trading=trading).stored(record.deal_id)
    assert stored["waits_for"] == "trading"
    assert stored["trading"] == {
        "state": "halted",
        "scope": "desk",
        "reason": "looking into it",
        "set_by": "alice",
        "since": fakes.NOW.isoformat(),
    }
    assert stored["legs"] == []


async def test_a_deal_that_is_not_there_is_said_not_to_be(reporter):
    with pytest.raises(DealNotFound):
        await reporter(deal()).report(deal().deal_id)
