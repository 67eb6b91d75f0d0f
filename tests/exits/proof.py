"""One cell of the matrix, executed: a real deal meets the freeze, and the product unwinds it.

First the deal is left to itself. Where the freeze does not make it turn round, it is run again from
the start and a person orders `deal close --keep-claim` the moment the freeze begins.
"""

import asyncio
import json
import time
from dataclasses import dataclass, field
from enum import StrEnum

from holdfast.execution import model as m
from holdfast.execution.desk import Order
from holdfast.model.deal import TERMINAL, DealEvent
from holdfast.model.leg import LegKind, LegStatus
from tests.exits.cells import DISCLOSED, QUEUE_SECONDS, At
from tests.exits.home import Home, Start
from tests.support.deals import ALICE, settings_for, until
from tests.support.scenes import history, meddled, started
from tests.support.witness import Chain

QUIET_SECONDS = 6.0
"""Without a transaction for so long, a deal that is not home has come as far as it comes."""
PATIENT_SECONDS = 60.0
"""The same where it is to come home whatever happens."""
_LOOK_SECONDS = 0.05
_BEFORE_THE_NEXT_MOVE_SECONDS = 1.0
_FEE_SLACK_WEI = 10**16  # for a last transfer that would cost more than it carries

_CLOSE = Order(DealEvent.CLOSE, ALICE, keep_claim=True)


class Verdict(StrEnum):
    """What a cell proves."""

    HOME = "home"
    DISCLOSED = "disclosed"
    BROKEN = "BROKEN"


@dataclass(frozen=True)
class Proof:
    """A cell that was executed.

    `during` is what the chain shows while the freeze lasts and `after`, where the principal was not
    home by then, once it is over; `bound` is the plan's worst case in dollars times 1e8.
    """

    cell: object
    did: str
    status: str
    during: Home
    after: Home | None
    reserve_wei: int
    bound: int

    @property
    def end(self):
        """How it stands in the end."""
        return self.after or self.during

    @property
    def verdict(self):
        """Home, or one of the cases that are disclosed and came home afterwards; else broken."""
        if not self.during.problems(self.reserve_wei, self.bound):
            return Verdict.HOME
        is_whole = self.during.is_core_whole and self.during.loss_usd8 <= self.bound
        is_whole = is_whole and (self.during.debt > 0 or self._is_ether_home)
        is_over = self.after is not None and not self.after.problems(self.reserve_wei, self.bound)
        is_disclosed = self.cell.freeze in DISCLOSED and is_whole and is_over
        return Verdict.DISCLOSED if is_disclosed else Verdict.BROKEN

    @property
    def _is_ether_home(self):
        """Whether only cash is kept back: I7, no ether waits for it."""
        return self.during.is_collateral_whole and self.during.native <= self.reserve_wei

    @property
    def why(self):
        """What was not home while the freeze lasted, and at its end."""
        told = self.during.problems(self.reserve_wei, self.bound)
        if self.after is not None:
            told += [f"after: {one}" for one in self.after.problems(self.reserve_wei, self.bound)]
        return told


async def prove(cell, world):
    """The proof of `cell`; `world()` gives a fresh devnet, database and folder for each attempt."""
    with world() as (devnet, url, folder):
        alone = await Attempt(cell, devnet, url, folder).run()
    if alone is not None:
        return alone
    with world() as (devnet, url, folder):
        return await Attempt(cell, devnet, url, folder, is_ordered=True).run()


@dataclass
class Attempt:
    """One deal, from its plan to where the freeze leaves it."""

    cell: object
    devnet: object
    url: str
    folder: object
    is_ordered: bool = False
    frozen: asyncio.Event = field(default_factory=asyncio.Event)
    ordered: asyncio.Event = field(default_factory=asyncio.Event)
    actions: dict = field(default_factory=dict)
    system: object = None

    def __post_init__(self):
        self.chain = Chain(self.devnet.url)
        self.profile = json.loads(self.devnet.profile_path.read_text())
        self.start = Start.read(self.chain, self.profile)

    async def run(self):
        """The proof; None when the deal was left alone and the freeze did not turn it round."""
        if self.cell.at is At.QUEUED:
            self.devnet.control.set_queue_delay(QUEUE_SECONDS)
        settings = settings_for(self.devnet, self.url, self.folder)
        async with meddled(settings, **self._meddling()) as self.system:
            deal = await started(self.system, self.devnet, **self.cell.made.fields)
            await self._freeze_met(deal)
            is_home = await self._rested(deal)
            if not self._is_proof(is_home, turned := await self._turned(deal)):
                return None
            during = self._read(deal)
            now = await self.system.desk.find(deal.deal_id)
            after = None if is_home else await self._after_the_freeze(deal)
        return Proof(
            cell=self.cell,
            did=self._told(turned, now, is_home=is_home),
            status=str(now.status),
            during=during,
            after=after,
            reserve_wei=deal.plan.terms.gas_reserve.units + _FEE_SLACK_WEI,
            bound=deal.plan.envelope.worst_case_loss,
        )

    def _meddling(self):
        """What happens inside the deal's own steps."""
        if self.cell.at is At.QUEUED:
            return {}
        self.actions[self.cell.at.move] = self._overtake
        meddling = {"before" if self.cell.at is At.RETURN else "after": self.actions}
        if self.is_ordered and self.cell.at is At.SPLIT:  # an order before it would just cancel
            meddling["before"] = {m.Open: self._order}
        return meddling

    async def _overtake(self, deal):
        if deal.state().purchases < self.cell.purchases:
            self.actions[self.cell.at.move] = self._overtake  # in a later lot
            return
        self.cell.freeze.begin(self.devnet.control)
        self.frozen.set()
        if self.is_ordered and self.cell.at is not At.SPLIT:
            await self._order(deal)

    async def _order(self, deal):
        self.ordered.set()
        await self.system.desk.give(deal.deal_id, _CLOSE)

    async def _freeze_met(self, deal):
        """Return when the freeze has begun."""
        if self.cell.at is At.QUEUED:
            await until(self.system, deal.deal_id, _waits_in_queue)
            await self._overtake(deal)
        async with asyncio.timeout(PATIENT_SECONDS):
            await self.frozen.wait()
        if self.is_ordered and self.cell.at is At.SPLIT:
            await until(self.system, deal.deal_id, _is_funded)
            await asyncio.sleep(_BEFORE_THE_NEXT_MOVE_SECONDS)
            if not self.ordered.is_set():  # it does not even decide on the next move
                await self._order(deal)

    async def _rested(self, deal):
        """Whether the deal is home, once it is or nothing moves any more."""
        may_stay = self.cell.freeze in DISCLOSED or not self.is_ordered
        most = QUIET_SECONDS if may_stay else PATIENT_SECONDS
        account = deal.plan.accounts.deal
        count, since = -1, time.monotonic()
        while time.monotonic() - since < most:
            if self._is_home(await self.system.desk.find(deal.deal_id)):
                return True
            sent = self.chain.number("eth_getTransactionCount", account, "latest")
            if sent != count:
                count, since = sent, time.monotonic()
            await asyncio.sleep(_LOOK_SECONDS)
        return False

    async def _turned(self, deal):
        """Why the deal held, the last time; empty when it never did."""
        told = await history(self.system, deal)
        return next((why for action, why in reversed(told) if action == "deal.hold"), "")

    def _is_proof(self, is_home, turned):
        """Whether this was an unwind: by order, by a hold, or because step 4 is one itself."""
        by_itself = bool(turned) or self.cell.at in {At.CLOSE, At.RETURN}
        return self.is_ordered or (by_itself and (is_home or self.cell.freeze in DISCLOSED))

    def _told(self, turned, now, *, is_home):
        if self.is_ordered:
            return f"went on; ordered to close, it {'unwound' if is_home else 'tries to unwind'}"
        why = f"held by itself ({turned.replace('_', ' ')})" if turned else f"is {now.status}"
        if not is_home:
            return f"{why}, tries to unwind"
        return f"{why}, unwound" if turned else "went on home"

    async def _after_the_freeze(self, deal):
        """What the chain shows once a disclosed freeze is over; None for all others."""
        if self.cell.freeze not in DISCLOSED:
            return None
        self.devnet.control.unpause_usdt()
        self.devnet.control.mine()
        await until(self.system, deal.deal_id, self._is_home, seconds=2 * PATIENT_SECONDS)
        return self._read(deal)

    def _read(self, deal):
        return Home.read(self.chain, self.profile, deal.plan.accounts.deal, self.start)

    def _is_home(self, deal):
        """Over, or nothing is under way and the native token was sent back, the rest before it.

        A claim may be left. Where something is kept back, the native token goes first.
        """
        if deal.status in TERMINAL:
            return True
        if deal.group_id is not None or not _has_landed(deal, LegKind.RETURN_NATIVE):
            return False
        now = self._read(deal)
        return not (now.usdt or now.weth or now.collateral or now.debt)


def _is_funded(deal):
    return _has_landed(deal, LegKind.FUND) and deal.group_id is None


def _waits_in_queue(deal):
    return _has_landed(deal, LegKind.REQUEST_REDEMPTION) and deal.group_id is None


def _has_landed(deal, kind):
    return any(leg.kind is kind and leg.status is LegStatus.LANDED for leg in deal.legs)
