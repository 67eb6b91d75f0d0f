"""A deal that walks the loop on a devnet in memory: real plan, saga, legs and chain, no database.

Each group of legs can be looked at before it is sent, on the very state it would meet.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from holdfast.chain.multicall import decode_aggregate, encode_aggregate, within_gas
from holdfast.chain.simulation import SimCall
from holdfast.common.ids import (
    BankId,
    ModuleId,
    PrincipalId,
    new_deal_id,
    new_group_id,
    new_intent_id,
)
from holdfast.common.money import USD8, Usd8
from holdfast.execution.builder import LegBuilder
from holdfast.execution.calls import DealTokens
from holdfast.execution.errors import MoveRefused
from holdfast.execution.model import Send
from holdfast.execution.observer import ChainObserver
from holdfast.execution.records import DealRecord, LegRecord
from holdfast.execution.script import play
from holdfast.execution.settlement import refused, settle
from holdfast.model.deal import DealRequest, DealStatus
from holdfast.model.leg import Call, LegStatus
from holdfast.model.plan import Accounts
from holdfast.planning.market import ChainMarket
from holdfast.planning.model import PlanPolicy
from holdfast.planning.service import Planner
from holdfast.protocols.registry import protocols
from holdfast.risk.limits import RiskLimits
from holdfast.transactions.model import IntentOutcome, IntentStatus
from tests.support.deals import usual_dollars
from tests.support.onchain import OnChain

READER = "0x00000000000000000000000000000000000000ff"
NEVER = datetime(2025, 1, 1, tzinfo=UTC)


class Imagined:
    """The node as it would be if some calls were mined on top of its newest block.

    Reads and further simulations run inside one `eth_simulateV1` after those calls.
    """

    def __init__(self, node, base, legs):
        self._node = node
        self._base = base
        self._calls = [SimCall(leg.sender, leg.call, leg.gas_limit) for leg in legs]
        self._legs = tuple(legs)

    def then(self, legs):
        """The same world with more legs mined."""
        return Imagined(self._node, self._base, (*self._legs, *legs))

    @property
    def profile(self):
        return self._node.profile

    async def head(self):
        # The simulated block has no hash; its parent's pins the state it starts from.
        ref = replace(self._base.ref, timestamp=self._base.ref.timestamp + 1)
        return replace(self._base, ref=ref)

    async def read(self, reads, at):
        parts = list(within_gas(reads))
        target = self.profile.require_multicall3()
        steps = [
            SimCall(READER, Call(target, encode_aggregate(part)), sum(read.gas for read in part))
            for part in parts
        ]
        answers = await self.simulate(steps, at)
        return [
            value
            for part, answer in zip(parts, answers, strict=True)
            for value in decode_aggregate(part, answer.return_data)
        ]

    async def simulate(self, steps, at):
        return (await self._run(steps))[len(self._calls) :]

    async def ran(self):
        """What the calls themselves did."""
        return await self._run([])

    async def _run(self, steps):
        time = self._base.ref.timestamp + 1
        return await self._node.simulate([*self._calls, *steps], self._base.ref, timestamp=time)

    async def nonces(self, accounts, at):
        return dict.fromkeys(accounts, 0)

    async def suggest_tip_wei(self):
        return 0


@dataclass(frozen=True)
class Group:
    """One move's legs, with the state that they were decided on and meet.

    `threshold` is the collateral's liquidation threshold in bps.
    """

    walk: "Walk"
    deal: DealRecord
    move: object
    legs: tuple
    seen: object
    threshold: int

    def imagine(self, kept):
        """The world in which only `kept` of the legs took effect."""
        return Imagined(self.walk.node, self.seen.head, kept)


@dataclass(frozen=True)
class Rest:
    """Where a deal came to rest."""

    deal: DealRecord
    seen: object
    outcome: object


class Walk:
    """One deal in memory; `step` decides and builds, `carry_out` sends and settles."""

    def __init__(self, devnet, node):
        self.control, self.profile, self.node = devnet.control, devnet.profile, node
        self.chain = OnChain(devnet)
        self.parts = protocols(devnet.profile)
        self.limits = RiskLimits()
        self.deal = None

    async def plan(self, funding, **fields):
        """Make the deal, approved."""
        standing = self.profile.require_accounts()
        deal_account = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"  # anvil's second
        accounts = Accounts(
            standing.core, standing.float_, deal_account, standing.treasury_return, 1
        )
        self.control.set_balance(deal_account, 0)
        self.control.mine()
        request = DealRequest(
            total_eth_value=Usd8(usual_dollars(funding, **fields) * USD8),
            bank=BankId("BANK001"),
            module=ModuleId("MODULE001"),
            chain_id=self.profile.chain_id,
            funding=funding,
            **fields,
        )
        market = ChainMarket(self.node, self.parts)
        planner = Planner(market, self.parts, PlanPolicy(limits=self.limits))
        self.deal = record_of(await planner.plan(request, accounts, 0))

    def observer(self, node):
        return ChainObserver(node, self.parts, self.limits)

    @property
    def tokens(self):
        profile = self.profile
        return DealTokens(profile.native, profile.weth, profile.usdt, profile.usdtz)

    def builder(self, node):
        return LegBuilder(node, self.parts, self.tokens)

    async def step(self):
        """The next group at the newest block; None when the deal waits or is over."""
        seen = await self.observer(self.node).observe(self.deal)
        script = play(self.deal, seen.position, seen.venues)
        self.deal = script.deal
        if not isinstance(script.outcome, Send):
            return None
        move = script.outcome.move
        legs = await self.builder(self.node).build(self.deal, move, seen)
        reserve = self.parts.aave.reserve(self.parts.weth.address)
        (ether,) = await self.node.read([reserve], seen.head.ref)
        threshold = ether.configuration.liquidation_threshold
        return Group(self, self.deal, move, tuple(legs), seen, threshold)

    async def to_rest(self, deal, world, most):
        """Where `deal` comes to rest from `world` when every further leg lands."""
        for _ in range(most):
            seen = await self.observer(world).observe(deal)
            script = play(deal, seen.position, seen.venues)
            if not isinstance(script.outcome, Send):
                break
            deal = script.deal
            try:
                legs = await self.builder(world).build(deal, script.outcome.move, seen)
            except MoveRefused as error:
                deal = refused(deal, error.kind, error.message)
                continue
            world = world.then(legs)
            deal = settled(deal, legs, [True] * len(legs))
        return Rest(script.deal, seen, script.outcome)

    async def carry_out(self, legs):
        """Mine every leg, and settle the deal by what became of them."""
        self.deal = settled(self.deal, legs, [self._mined(leg) for leg in legs])

    def _mined(self, leg):
        call = leg.call
        receipt = self.chain.send_as(
            leg.sender, call.target, call.data, call.value_wei, leg.gas_limit
        )
        return receipt["status"] == "0x1"


def settled(deal, legs, landed):
    """The deal after a group of which each leg landed or reverted."""
    group = new_group_id()
    sent = [recorded(leg, group, len(deal.legs) + n) for n, leg in enumerate(legs)]
    outcomes = [
        IntentOutcome(
            intent_id=new_intent_id(),
            leg_id=leg.leg_id,
            group_id=group,
            deal_id=deal.deal_id,
            status=IntentStatus.LANDED if did_land else IntentStatus.REVERTED,
            nonce=0,
            tx_hash="",
            receipt=None,
            evidence={},
        )
        for leg, did_land in zip(legs, landed, strict=True)
    ]
    return settle(replace(deal, legs=(*deal.legs, *sent)), outcomes).deal


def recorded(leg, group, seq):
    """A leg as its row would be read back."""
    return LegRecord(
        leg_id=leg.leg_id,
        group_id=group,
        step=leg.step,
        seq=seq,
        kind=leg.kind,
        label=leg.label,
        status=LegStatus.SENT,
        sender=leg.sender,
        recipient=leg.recipient,
        call=leg.call,
        token=leg.amount.token.symbol if leg.amount else None,
        amount=leg.amount.units if leg.amount else None,
        min_out_token=leg.min_out.token.symbol if leg.min_out else None,
        min_out=leg.min_out.units if leg.min_out else None,
        gas_limit=leg.gas_limit,
        deadline=leg.deadline,
        tx_hash=None,
        block_number=None,
        gas_used=None,
        fee_wei=None,
    )


def record_of(plan, **changes):
    """An approved deal as its row would be read back."""
    request = plan.envelope.request
    fields = {
        "deal_id": new_deal_id(),
        "chain_id": request.chain_id,
        "deal_number": plan.accounts.deal_number,
        "bank": request.bank,
        "module": request.module,
        "author": PrincipalId("alice"),
        "status": DealStatus.APPROVED,
        "hold_reason": None,
        "group_id": None,
        "keep_claim": False,
        "borrow_waived": False,
        "trouble": None,
        "trouble_text": None,
        "total_eth_value": request.total_eth_value,
        "current_ltv_bps": None,
        "exposure": None,
        "profit": None,
        "last_block": 0,
        "wake_at": None,
        "waits_for": None,
        "version": 1,
        "created_at": NEVER,
        "updated_at": NEVER,
        "plan": plan,
        "legs": (),
    }
    return DealRecord(**{**fields, **changes})
