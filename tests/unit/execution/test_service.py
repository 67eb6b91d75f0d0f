"""One advance: look, decide, and write everything that follows in one transaction or nothing."""

from dataclasses import replace
from datetime import timedelta

import pytest

from holdfast.common.alerts import Ended, Severity
from holdfast.common.errors import Broken, Rejected, Transient
from holdfast.common.ids import new_group_id
from holdfast.entry.worker import Watched
from holdfast.execution import service
from holdfast.execution.errors import CoreShort, Differs, MoveRefused, Unexplained
from holdfast.execution.foresight import Foresight
from holdfast.execution.model import Convert, Redeem, Repay, RepayPart, Trouble, WaitFor
from holdfast.execution.patience import Patience
from holdfast.execution.service import Advance
from holdfast.model.deal import DealEvent, DealStatus, HoldReason, Step
from holdfast.model.leg import LegKind, LegStatus
from holdfast.planning.ports import Untried
from holdfast.transactions.errors import ForeignNonce, wrong_sender
from holdfast.transactions.model import IntentStatus, Place
from tests.support.alarm import KeptAlarm
from tests.support.transactions import SOMEBODY
from tests.unit.execution import fakes
from tests.unit.execution.scene import (
    AT,
    CALLS,
    HOMEWARD_FEES,
    NOW,
    TOKENS,
    deal,
    leg,
    outcome,
    receipt,
    seen,
)
from tests.unit.planning.world import DESK

PATIENCE = Patience(under_way=30.0, block=2.0, holding=15.0, most=60.0)
FUND = CALLS.fund(5)


class Stage:
    """One deal with everything around it."""

    def __init__(
        self,
        record,
        *outcomes,
        builder=None,
        refuses=None,
        is_approved=True,
        raises=(),
        trading=None,
        **observed,
    ):
        self.journal = fakes.Journal()
        self.deals = fakes.Deals(self.journal, record)
        self.db = fakes.Db(self.journal)
        self.transactions = fakes.Outcomes(*outcomes)
        self.observer = fakes.Observer(**observed)
        self.builder = builder or fakes.Builder([FUND])
        self.boundaries = []
        self.alarm = KeptAlarm()
        self.record = record
        self.advance = Advance(
            db=self.db,
            deals=self.deals,
            transactions=self.transactions,
            account=fakes.Account(self.journal, *raises),
            observer=self.observer,
            builder=self.builder,
            books=fakes.Books(self.journal, refuses),
            authorization=fakes.Approvals(is_approved=is_approved),
            trading=trading or fakes.TradingStates(),
            audit=fakes.Audit(self.journal),
            clock=fakes.Clock(),
            foresight=Foresight(fakes.Standing(), Untried(), DESK),
            patience=PATIENCE,
            at=self.boundaries.append,
            alarm=self.alarm,
        )

    async def run(self):
        await self.advance(self.record.deal_id)
        return self

    @property
    def saved(self):
        return self.journal.last("save")[1]

    @property
    def pause(self):
        """Seconds until the deal looks again by itself."""
        wake_at = self.journal.last("save")[2]
        return None if wake_at is None else (wake_at - NOW) / timedelta(seconds=1)


def under_way(*kinds, **changes):
    group = new_group_id()
    legs = tuple(leg(kind, status=LegStatus.SENT, group_id=group) for kind in kinds)
    return deal(status=DealStatus.EXECUTING, group_id=group, legs=legs, **changes)


async def test_an_approved_deal_starts_and_sends_its_funding_in_one_transaction():
    stage = await Stage(deal()).run()
    assert stage.journal.names() == ["lock", "settle", "audit", "send", "save"]
    assert stage.journal.last("settle")[1:] == ([DealEvent.START], DealStatus.EXECUTING)
    _, group, kinds = stage.journal.last("send")
    assert kinds == [LegKind.FUND]
    assert (stage.saved.status, stage.saved.group_id) == (DealStatus.EXECUTING, group)
    assert stage.journal.last("save")[3] == {Step.SPLIT}
    assert stage.pause == PATIENCE.under_way
    assert stage.db.begun == 2  # one to look at the records, one to write
    assert stage.boundaries == [
        "advance.after_observe",
        "advance.before_commit",
        "advance.after_commit",
    ]


async def test_the_audit_says_who_did_what_and_at_which_block():
    stage = await Stage(deal()).run()
    _, act = stage.journal.last("audit")
    assert (act.actor, act.action, act.deal_id) == ("worker", "deal.start", stage.record.deal_id)
    assert act.detail == {
        "before": "approved",
        "after": "executing",
        "reason": None,
        "why": [],
        "block": AT.number,
    }


@pytest.mark.parametrize(
    "status",
    [
        DealStatus.DRAFT,
        DealStatus.PLANNED,
        DealStatus.AWAITING_APPROVAL,
        DealStatus.COMPLETED,
        DealStatus.COMPLETED_WITH_CLAIM,
        DealStatus.CANCELLED,
        DealStatus.REJECTED,
        DealStatus.FAILED,
    ],
)
async def test_a_deal_that_waits_for_a_person_or_is_over_is_left_alone(status):
    stage = await Stage(deal(status=status)).run()
    assert stage.observer.observed == []
    assert stage.journal.done == []


async def test_a_group_under_way_is_waited_for_without_a_look_at_the_chain():
    record = under_way(LegKind.WRAP, LegKind.SUPPLY)
    wrap, supply = record.legs
    stage = await Stage(record, outcome(wrap), outcome(supply, IntentStatus.SENT)).run()
    assert stage.observer.observed == []
    assert stage.journal.done == []
    assert stage.transactions.asked == [[wrap.leg_id, supply.leg_id]]


async def test_signals_that_disagree_make_the_deal_stand_still_and_tell():
    record = under_way(LegKind.WRAP)
    stage = await Stage(record, outcome(record.legs[0], IntentStatus.AMBIGUOUS)).run()
    assert stage.journal.names() == ["lock", "audit", "change"]
    values = stage.journal.last("change")[1]
    assert (values["status"], values["hold_reason"]) == ("holding", "ambiguity")
    # Looked at again though no wake-up may come: an ambiguity must not end in silence.
    assert values["wake_at"] is not None
    assert stage.journal.last("audit")[1].detail["why"]
    assert stage.observer.observed == []


@pytest.mark.parametrize(
    ("status", "reason"),
    [(DealStatus.HOLDING, HoldReason.AMBIGUITY), (DealStatus.CLOSING, None)],
)
async def test_an_ambiguity_leaves_a_deal_that_holds_or_closes_as_it_is(status, reason):
    record = replace(under_way(LegKind.WRAP), status=status, hold_reason=reason)
    stage = await Stage(record, outcome(record.legs[0], IntentStatus.AMBIGUOUS)).run()
    assert stage.journal.done == []


async def test_a_group_that_ended_is_settled_and_the_next_move_goes_out_with_it():
    record = under_way(LegKind.FUND)
    ended = outcome(record.legs[0], mined=receipt(AT.number))
    builder = fakes.Builder([CALLS.supply(5)])
    stage = await Stage(record, ended, builder=builder, native=10).run()
    assert stage.journal.names() == ["lock", "settle", "send", "save"]
    assert stage.saved.legs[0].status is LegStatus.LANDED
    assert stage.saved.last_block == AT.number
    # The step of the leg that ended (scene's default) and that of the legs that went out.
    assert stage.journal.last("save")[3] == {record.legs[0].step, Step.LIQUIDITY}


async def test_a_node_behind_the_deals_own_blocks_is_not_believed():
    record = under_way(LegKind.FUND)
    ended = outcome(record.legs[0], mined=receipt(AT.number + 1))
    stage = Stage(record, ended)
    with pytest.raises(Transient) as postponed:
        await stage.run()
    assert postponed.value.code == "chain.behind"
    assert stage.journal.done == []


async def test_a_deal_that_changed_meanwhile_is_not_written_over():
    stage = Stage(deal())

    class Overtaken(fakes.Builder):
        """Somebody gives an order while the legs are being built."""

        async def build(self, *args):
            row = stage.deals.rows[stage.record.deal_id]
            stage.deals.rows[row.deal_id] = replace(row, version=row.version + 1)
            return await super().build(*args)

    stage.advance = replace(stage.advance, builder=Overtaken([FUND]))
    with pytest.raises(Transient) as postponed:
        await stage.run()
    assert postponed.value.code == "deal.moved_on"
    assert stage.journal.done == []
    assert "send" not in [name for name, *_ in stage.journal.rolled_back]


@pytest.mark.parametrize(("before", "pause"), [(None, 2.0), (1, 4.0), (4, 32.0), (9, 60.0)])
async def test_a_refused_move_is_counted_and_tried_again_ever_later(before, pause):
    """One block, then twice as long each time, at most a minute here."""
    trouble = before and Trouble(LegKind.REPAY, before)
    record = deal(status=DealStatus.CLOSING, trouble=trouble)
    refusing = fakes.Builder(refuses=MoveRefused(LegKind.REPAY, "paused"))
    stage = await Stage(record, builder=refusing, debt=5).run()
    assert stage.saved.trouble == Trouble(LegKind.REPAY, (before or 0) + 1)
    assert stage.saved.trouble_text == "repay: paused"
    assert stage.saved.group_id is None
    assert stage.pause == pause
    assert "send" not in stage.journal.names()


async def test_core_that_cannot_carry_the_deal_voids_the_approval_instead():
    stage = await Stage(deal(), refuses=CoreShort("ledger.core_short", "core is short")).run()
    assert stage.journal.names() == ["lock", "audit", "change"]
    assert stage.journal.last("change")[1]["status"] == "planned"
    assert stage.journal.last("audit")[1].detail["why"] == ["core is short"]


UNEXPLAINED = Unexplained(["asset/deal_wallet: ledger 5, chain 4"])


@pytest.fixture
def snapshot(monkeypatch):
    """What the last group was decided on."""

    async def last_snapshot(session, deal_id):
        return {"block_number": 80, "position": {"weth": "5"}}

    monkeypatch.setattr(service, "last_snapshot", last_snapshot)


async def test_a_deal_that_lost_something_stands_still_and_tells_both_states(snapshot):
    record = deal(status=DealStatus.EXECUTING, legs=(leg(LegKind.FUND),))
    stage = await Stage(record, refuses=UNEXPLAINED).run()
    saved = stage.journal.last("save")[1]
    assert (saved.status, saved.hold_reason) == (DealStatus.HOLDING, HoldReason.UNEXPLAINED)
    assert "send" not in stage.journal.names()
    (alert,) = stage.alarm.alerts
    assert (alert.code, alert.severity) == ("deal.unexplained", Severity.CRITICAL)
    assert alert.fields["lines"] == ["asset/deal_wallet: ledger 5, chain 4"]
    assert alert.fields["last_group_decided_on"]["position"] == {"weth": "5"}
    assert alert.fields["position"] == seen().position.told


async def test_a_deal_on_its_way_home_goes_on_and_tells(snapshot):
    record = deal(status=DealStatus.CLOSING, legs=(leg(LegKind.FUND),))
    stage = await Stage(record, refuses=UNEXPLAINED, weth=5).run()
    assert stage.journal.last("save")[1].status is DealStatus.CLOSING
    assert "send" in stage.journal.names()
    assert stage.alarm.codes == ["deal.unexplained"]


@pytest.mark.parametrize("refusal", [None, MoveRefused(LegKind.SWAP, "no cash to swap")])
async def test_what_is_missing_because_of_a_reorg_is_left_to_the_chain_loop(snapshot, refusal):
    """Also where a trial of the next legs failed for want of it: the books would tell a lie."""
    record = deal(status=DealStatus.EXECUTING, legs=(leg(LegKind.FUND),))
    builder = fakes.Builder(refuses=refusal) if refusal else None
    stage = Stage(record, refuses=UNEXPLAINED, builder=builder)
    stage.transactions.last = Place(fakes.GONE, "0x" + "ab" * 32)
    with pytest.raises(Transient) as postponed:
        await stage.run()
    assert postponed.value.code == "chain.reorged"
    assert stage.journal.done == []
    assert stage.alarm.alerts == []


@pytest.mark.parametrize(
    "record",
    [
        deal(status=DealStatus.CLOSING, legs=(leg(LegKind.FUND),)),
        deal(status=DealStatus.EXECUTING, legs=(leg(LegKind.FUND),)),
    ],
    ids=["closing", "executing"],
)
async def test_nothing_follows_what_a_reorg_brought_back(record):
    """A loan whose repayment is gone is owed again, and what was sent home is here again."""
    stage = Stage(record, refuses=Differs(), weth=5)
    stage.transactions.last = Place(fakes.GONE, "0x" + "ab" * 32)
    with pytest.raises(Transient) as postponed:
        await stage.run()
    assert (postponed.value.code, stage.journal.done) == ("chain.reorged", [])
    assert stage.alarm.alerts == []


async def test_a_deal_whose_blocks_are_there_goes_on_though_the_chain_shows_more():
    record = deal(status=DealStatus.CLOSING, legs=(leg(LegKind.FUND),))
    stage = Stage(record, refuses=Differs(), weth=5)
    stage.transactions.last = Place(fakes.GONE - 1, "0x" + "ab" * 32)
    await stage.run()
    assert "send" in stage.journal.names()
    assert stage.alarm.alerts == []


@pytest.mark.parametrize("is_reorged", [True, False])
async def test_a_move_refused_for_want_of_what_is_missing_is_not_settled_as_if_nothing_were(
    snapshot, is_reorged
):
    """The loan is gone from the chain, so its purchase cannot be built: that is no slippage."""
    record = deal(status=DealStatus.EXECUTING, legs=(leg(LegKind.FUND),))
    builder = fakes.Builder(refuses=MoveRefused(LegKind.SWAP, "no cash"))
    stage = Stage(record, refuses=UNEXPLAINED, builder=builder, blocks_to_final=1)
    if is_reorged:
        stage.transactions.last = Place(fakes.GONE, "0x" + "ab" * 32)
        with pytest.raises(Transient) as postponed:
            await stage.run()
        assert (postponed.value.code, stage.journal.done) == ("chain.reorged", [])
        return
    await stage.run()
    saved = stage.journal.last("save")[1]
    assert (saved.hold_reason, saved.trouble) == (HoldReason.UNEXPLAINED, None)
    assert stage.alarm.codes == ["deal.unexplained"]


async def test_a_deal_goes_home_although_a_reorg_below_finality_took_its_blocks(snapshot):
    record = deal(status=DealStatus.CLOSING, legs=(leg(LegKind.FUND),))
    stage = Stage(record, refuses=UNEXPLAINED, weth=5)
    stage.transactions.last = Place(fakes.GONE, "0x" + "ab" * 32)
    stage.transactions.followed_to = fakes.GONE + fakes.FINALITY - 1
    await stage.run()
    assert "send" in stage.journal.names()
    assert stage.alarm.codes == ["deal.unexplained"]


HELD = {"status": DealStatus.HOLDING, "legs": (leg(LegKind.FUND),)}
FROZEN = {**HELD, "hold_reason": HoldReason.REDEMPTION_FROZEN}


@pytest.mark.parametrize(
    ("record", "observed", "pause"),
    [
        (deal(**HELD, hold_reason=HoldReason.OPERATOR), {}, 15.0),
        (deal(**FROZEN), {"tokens": 5, "venue_changes": {"redemption_frozen": True}}, 15.0),
        (
            deal(status=DealStatus.EXECUTING, legs=(leg(LegKind.FUND), leg(LegKind.UNWRAP))),
            {"queued": 5},
            15.0,
        ),
        (deal(), {"venue_changes": {"drift": ("plan.expired",)}}, None),
        (deal(status=DealStatus.CLOSING, legs=(leg(LegKind.FUND),)), {}, None),
    ],
    ids=["operator", "thaw", "queue", "approval", "over"],
)
async def test_how_long_a_deal_waits_depends_on_what_for(record, observed, pause):
    stage = await Stage(record, **observed).run()
    assert stage.pause == pause
    assert "send" not in stage.journal.names()


async def test_an_empty_move_looks_again_after_a_block():
    stage = await Stage(deal(), builder=fakes.Builder([])).run()
    assert stage.pause == PATIENCE.block
    assert stage.saved.group_id is None


async def test_a_plan_that_nobody_approved_does_not_start():
    stage = Stage(deal(), is_approved=False)
    with pytest.raises(Rejected) as caught:
        await stage.run()
    assert caught.value.code == "authorization.missing"
    assert stage.journal.names() == ["lock", "change"]
    assert stage.journal.last("change")[1] == {"wake_at": NOW + timedelta(seconds=60)}
    assert stage.alarm.codes == ["authorization.missing"]


async def test_gas_above_the_ceiling_is_waited_out_and_counts_as_no_trouble():
    stage = await Stage(deal(), gas=1).run()
    assert stage.builder.moves == []
    assert stage.saved.trouble is None
    assert stage.pause == PATIENCE.block
    assert stage.alarm.codes == ["deal.gas_too_dear"]


OWING = {"debt": 600_000 * 10**6, "collateral": 1_500 * 10**18, "tokens": 9}
BOUGHT = (
    leg(LegKind.FUND, Step.SPLIT),
    leg(LegKind.SWAP, Step.PURCHASE, token=TOKENS.cash.symbol),
)
CURE_LEGS = [CALLS.repay(Step.LIQUIDITY, 7)]


def asking(cure, **venues):
    return {**OWING, "venue_changes": {"cure": cure, **venues}}


async def test_a_cure_is_in_the_deals_record_and_told():
    record = deal(status=DealStatus.EXECUTING, legs=BOUGHT)
    builder = fakes.Builder(CURE_LEGS)
    stage = await Stage(record, builder=builder, **asking(RepayPart(7))).run()
    assert builder.moves == [RepayPart(7)]
    assert stage.journal.names() == ["lock", "settle", "audit", "send", "save"]
    _, act = stage.journal.last("audit")
    assert (act.actor, act.action) == ("worker", "deal.cure")
    assert act.detail["legs"] == [CURE_LEGS[0].label]
    assert act.detail["position"]["debt"] == str(600_000 * 10**6)
    assert stage.alarm.codes == ["deal.cure"]
    assert (stage.saved.status, stage.saved.hold_reason) == (DealStatus.EXECUTING, None)


async def test_the_alert_ends_when_the_deal_needs_no_cure_any_more():
    group = new_group_id()
    cured = leg(LegKind.REPAY, Step.LIQUIDITY, LegStatus.SENT, group_id=group)
    record = deal(status=DealStatus.EXECUTING, group_id=group, legs=(*BOUGHT, cured))
    ended = outcome(cured, mined=receipt(AT.number))
    still = await Stage(
        record, ended, **asking(RepayPart(7)), builder=fakes.Builder(CURE_LEGS)
    ).run()
    assert still.alarm.over == []
    stage = await Stage(record, ended, **asking(None)).run()
    assert stage.alarm.over == [Ended("deal.cure", str(record.deal_id))]
    # What was repaid is no way home: the deal redeems on.
    assert isinstance(stage.builder.moves[0], Redeem)


async def test_a_price_too_old_to_act_on_is_told_where_something_waits_for_it():
    waiting = await Stage(deal(), venue_changes={"is_price_stale": True}).run()
    assert waiting.builder.moves == []
    assert waiting.pause == PATIENCE.holding
    record = deal(status=DealStatus.EXECUTING, legs=BOUGHT)
    withheld = await Stage(record, **asking(RepayPart(7), is_price_stale=True)).run()
    assert isinstance(withheld.builder.moves[0], Redeem)
    assert waiting.alarm.codes == withheld.alarm.codes == ["deal.price_stale"]
    fine = await Stage(record, **asking(None, is_price_stale=True)).run()
    assert fine.alarm.codes == []


def ends(stage):
    return {one.codes for one in stage.alarm.over}


@pytest.mark.parametrize("status", [DealStatus.EXECUTING, DealStatus.HOLDING])
async def test_the_alert_of_a_stale_price_ends_when_the_withheld_cure_may_be_sent(status):
    """The deal went on meanwhile, or held: it is remembered that a price is waited for."""
    reason = HoldReason.OPERATOR if status is DealStatus.HOLDING else None
    record = deal(status=status, hold_reason=reason, legs=BOUGHT)
    withheld = await Stage(record, **asking(RepayPart(7), is_price_stale=True)).run()
    assert withheld.alarm.codes == ["deal.price_stale"]
    assert withheld.saved.waits_for == WaitFor.PRICE
    again = await Stage(
        replace(record, waits_for="price"), **asking(RepayPart(7), is_price_stale=True)
    ).run()
    assert again.alarm.codes == ["deal.price_stale"]
    assert "deal.price_stale" not in ends(again)
    fresh = await Stage(
        replace(record, waits_for="price"),
        **asking(RepayPart(7)),
        builder=fakes.Builder(CURE_LEGS),
    ).run()
    assert "deal.price_stale" in ends(fresh)
    assert fresh.saved.waits_for is None


async def test_the_alert_of_a_stale_price_ends_when_nothing_waits_for_it_any_more():
    record = deal(status=DealStatus.EXECUTING, legs=BOUGHT, waits_for="price")
    stage = await Stage(record, **asking(None, is_price_stale=True)).run()
    assert "deal.price_stale" in ends(stage)


async def test_the_alert_of_dear_gas_ends_when_gas_is_cheap_again():
    record = deal(status=DealStatus.EXECUTING, legs=BOUGHT)
    dear = await Stage(record, **asking(None), gas=1).run()
    assert (dear.alarm.codes, dear.saved.waits_for) == (["deal.gas_too_dear"], WaitFor.GAS)
    cheap = await Stage(replace(record, waits_for="gas"), **asking(None)).run()
    assert ends(cheap) == {"deal.gas_too_dear", "deal.dear_gas_paid"}


HOMEWARD = {
    "part": ({"cure": RepayPart(7)}, RepayPart),
    "convert": ({"cure": Convert(7)}, Convert),
    "all": ({"breaches": ("I3.debt_cover", "I6.ltv", "I6.stressed_health")}, Repay),
}


@pytest.mark.parametrize(("asked", "move"), HOMEWARD.values(), ids=HOMEWARD)
async def test_dear_gas_keeps_nothing_back_that_lowers_risk(asked, move):
    record = deal(status=DealStatus.EXECUTING, legs=BOUGHT)
    dear = await Stage(record, gas=1, **OWING, venue_changes=asked).run()
    assert [type(one) for one in dear.builder.moves] == [move]
    assert dear.builder.fees == HOMEWARD_FEES
    assert "deal.dear_gas_paid" in dear.alarm.codes
    assert dear.saved.waits_for is WaitFor.GAS
    over = await Stage(replace(record, waits_for="gas"), **OWING).run()
    assert "deal.dear_gas_paid" in ends(over)


@pytest.mark.parametrize(("asked", "move"), HOMEWARD.values(), ids=HOMEWARD)
async def test_above_the_emergencys_ceiling_even_that_waits_and_is_grave(asked, move):
    record = deal(status=DealStatus.EXECUTING, legs=BOUGHT)
    stage = await Stage(record, gas=2, **OWING, venue_changes=asked).run()
    assert stage.builder.moves == [], move
    assert stage.saved.waits_for is WaitFor.GAS
    assert [one.severity for one in stage.alarm.alerts] == [Severity.CRITICAL]


async def test_a_deal_that_is_told_to_close_goes_home_at_dear_gas():
    record = deal(status=DealStatus.CLOSING, legs=BOUGHT)
    stage = await Stage(record, gas=1, debt=1, collateral=1).run()
    assert stage.builder.moves == [Repay()]


def priced_out(kind, step):
    """A leg whose gas has become dearer than its ceiling, as the transactions show it."""
    group = new_group_id()
    sent = leg(kind, step, LegStatus.SENT, group_id=group)
    record = deal(status=DealStatus.EXECUTING, group_id=group, legs=(*BOUGHT, sent))
    return record, replace(outcome(sent, IntentStatus.STUCK), evidence={"reason": "fee_ceiling"})


async def test_what_dear_gas_holds_up_gives_way_to_a_cure():
    record, stuck = priced_out(LegKind.REQUEST_REDEMPTION, Step.MONETISATION)
    stage = await Stage(record, stuck, **asking(RepayPart(7)), gas=1).run()
    assert stage.transactions.cancelled == [record.group_id]
    # a price that nobody trusts is no reason, nor is a market that asks for nothing
    stale = await Stage(record, stuck, **asking(RepayPart(7), is_price_stale=True), gas=1).run()
    calm = await Stage(record, stuck, **asking(None), gas=1).run()
    assert stale.transactions.cancelled == calm.transactions.cancelled == []


async def test_a_cure_that_dear_gas_holds_up_does_not_give_way_to_itself():
    record, stuck = priced_out(LegKind.REPAY, Step.LIQUIDITY)
    stage = await Stage(record, stuck, **asking(RepayPart(7)), gas=1).run()
    assert (stage.transactions.cancelled, stage.observer.observed) == ([], [])


async def test_no_alert_outlives_the_deal():
    legs = tuple(leg(kind, Step.CLOSE) for kind in (LegKind.FUND, LegKind.RETURN_NATIVE))
    record = deal(status=DealStatus.CLOSING, legs=legs, waits_for="gas")
    stage = await Stage(record).run()
    assert stage.saved.status is DealStatus.COMPLETED
    assert stage.alarm.over == [Ended("deal.", str(record.deal_id))]


async def test_the_alert_of_a_cure_that_failed_ends_when_the_market_comes_back():
    failed = leg(LegKind.REPAY, Step.LIQUIDITY, LegStatus.REVERTED)
    record = deal(status=DealStatus.EXECUTING, legs=(*BOUGHT, failed))
    stage = await Stage(record, **asking(None)).run()
    assert stage.alarm.over == [Ended("deal.cure", str(record.deal_id))]


def status_of(stage):
    row = stage.deals.rows[stage.record.deal_id]
    return row.status, row.hold_reason


def audited(stage):
    acts = [what[1] for what in stage.journal.done if what[0] == "audit"]
    return [(act.action, act.detail["reason"]) for act in acts]


FOREIGN_HOLD = (DealStatus.HOLDING, HoldReason.FOREIGN_USE)


async def test_a_displaced_leg_makes_the_deal_stand_still_although_it_could_go_on():
    record = under_way(LegKind.WRAP, LegKind.SUPPLY)
    wrap, supply = record.legs
    ends = outcome(wrap, mined=receipt()), outcome(supply, IntentStatus.DISPLACED)
    stage = await Stage(record, *ends, at=replace(AT, number=95)).run()
    assert stage.builder.moves == []
    assert (stage.saved.status, stage.saved.hold_reason) == FOREIGN_HOLD
    assert [leg.status for leg in stage.saved.legs] == [LegStatus.LANDED, LegStatus.DISPLACED]
    assert audited(stage) == [("deal.hold", "foreign_use")]
    assert stage.journal.last("audit")[1].detail["why"] == ["supply something: displaced"]
    assert stage.pause == 15.0


async def test_a_deal_that_already_holds_holds_for_the_foreign_use_from_then_on():
    group = new_group_id()
    repay = leg(LegKind.REPAY, status=LegStatus.SENT, group_id=group)
    record = deal(
        status=DealStatus.HOLDING,
        hold_reason=HoldReason.REDEMPTION_FROZEN,
        legs=(leg(LegKind.FUND), repay),
        group_id=group,
    )
    stage = await Stage(record, outcome(repay, IntentStatus.DISPLACED)).run()
    assert (stage.saved.status, stage.saved.hold_reason) == FOREIGN_HOLD
    assert audited(stage) == [("deal.resume", None), ("deal.hold", "foreign_use")]


def foreign(record, *, own):
    accounts = record.plan.accounts
    return ForeignNonce(accounts.deal if own else accounts.float, 3, 5)


async def test_a_foreign_use_of_the_deals_key_between_two_groups_signs_nothing_and_holds():
    record = deal(status=DealStatus.EXECUTING, legs=(leg(LegKind.FUND),))
    stage = await Stage(record, raises=[foreign(record, own=True)]).run()
    assert status_of(stage) == FOREIGN_HOLD
    assert stage.transactions.caught_up == [(record.plan.accounts.deal, 5)]
    assert stage.journal.names() == ["lock", "audit", "change"]
    assert "its key is used elsewhere" in stage.journal.last("audit")[1].detail["why"][0]


async def test_a_foreign_use_of_the_float_is_noted_and_the_deal_goes_on():
    record = deal()
    stage = await Stage(record, raises=[foreign(record, own=False)]).run()
    assert stage.transactions.caught_up == [(record.plan.accounts.float, 5)]
    assert stage.saved.status is DealStatus.EXECUTING
    assert stage.journal.names()[-2:] == ["send", "save"]


async def test_what_an_operator_sends_while_a_foreign_use_is_looked_into_is_followed():
    held = deal(**HELD, hold_reason=HoldReason.FOREIGN_USE)
    stage = await Stage(held, deal_nonce=9).run()
    assert stage.transactions.caught_up == [(held.plan.accounts.deal, 9)]
    assert (stage.saved.status, stage.saved.hold_reason) == FOREIGN_HOLD


async def test_a_guarantee_that_does_not_hold_is_told_and_not_tried_again_at_once():
    record = deal()
    stage = Stage(record, raises=[wrong_sender(record.plan.accounts.float, SOMEBODY)])
    with pytest.raises(Broken):
        await stage.run()
    (alert,) = stage.alarm.alerts
    assert (alert.code, alert.severity) == ("tx.wrong_sender", Severity.CRITICAL)
    assert alert.subject == str(record.deal_id)
    assert stage.journal.done[-1] == ("change", {"wake_at": NOW + timedelta(seconds=60)})


async def test_an_error_that_nobody_foresaw_is_told_raised_on_and_not_tried_again_at_once():
    record = deal()
    stage = Stage(record, raises=[KeyError("no such kind")])
    with pytest.raises(KeyError):
        await Watched(stage.advance)(record.deal_id)
    (alert,) = stage.alarm.alerts
    assert (alert.code, alert.severity) == ("deal.unforeseen", Severity.CRITICAL)
    assert (alert.subject, alert.fields) == (str(record.deal_id), {"error": "KeyError"})
    later = NOW + timedelta(seconds=60)
    assert stage.journal.done[-1] == ("put_off", record.deal_id, later)


async def test_a_foreseen_error_is_told_once_and_by_its_own_code():
    record = deal()
    stage = Stage(record, raises=[wrong_sender(record.plan.accounts.float, SOMEBODY)])
    with pytest.raises(Broken):
        await Watched(stage.advance)(record.deal_id)
    assert [alert.code for alert in stage.alarm.alerts] == ["tx.wrong_sender"]
