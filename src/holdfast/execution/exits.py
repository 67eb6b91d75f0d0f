"""Whether an open deal could come home now: its whole unwind, tried on top of the newest block.

The decisions are the saga's and the legs the builder's, over a chain that is simulated group by
group. Redemption counts for nothing here: it is upside, never needed to bring the principal home.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from holdfast.common.errors import HoldfastError, Rejected
from holdfast.common.money import WAD, Usd8, mul_div
from holdfast.execution.errors import MoveRefused
from holdfast.execution.model import Send
from holdfast.execution.script import play
from holdfast.execution.settlement import refused
from holdfast.model.deal import DealStatus, HoldReason
from holdfast.model.leg import LegKind

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from holdfast.common.money import TokenAmount
    from holdfast.execution.model import Move, Position
    from holdfast.execution.observation import Seen
    from holdfast.execution.ports import Future
    from holdfast.execution.records import DealRecord
    from holdfast.model.leg import Leg

_OPEN: Final = frozenset(
    {DealStatus.APPROVED, DealStatus.EXECUTING, DealStatus.HOLDING, DealStatus.CLOSING}
)

_MOST_MOVES: Final = 16
"""Far more than any way home has: revoking, repaying, unwrapping and returning are five groups."""

_GIVES_UP_AFTER: Final = 2
"""Refusals in a row: the second try of a move differs from the first, the third no more."""

_RETURNS: Final = frozenset({LegKind.RETURN_NATIVE, LegKind.RETURN_TOKEN})


@dataclass(frozen=True, slots=True)
class Refusal:
    """A leg that would fail, and why; `code` is stable."""

    leg: LegKind
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class ExitCheck:
    """What unwinding one deal would do.

    `before` and `after` are what is seen at the real block and at the end, `groups` the legs that
    worked, a block each, `refusals` those that did not, whether or not the unwind found another
    way. Where the node cannot simulate, `is_sequential` is False and nothing was tried.
    """

    deal: DealRecord
    before: Seen
    after: Seen
    groups: tuple[tuple[Leg, ...], ...] = ()
    refusals: tuple[Refusal, ...] = ()
    is_sequential: bool = True

    @property
    def works(self) -> bool | None:
        """Whether debt is paid and everything but the claim comes home; None when not known."""
        if not self.is_sequential:
            return None
        return not self.is_stuck and not self.before.gas_stops_all

    @property
    def is_stuck(self) -> bool:
        """Whether something stays behind that is neither the claim nor the ether for its gas."""
        left = self.after.position
        keep = self.deal.plan.terms.gas_reserve.units if left.claim else 0
        most = keep + self.after.venues.transfer_fee_wei
        return any((left.debt, left.collateral, left.weth, left.cash, left.native > most))

    @property
    def failing(self) -> Refusal | None:
        """The leg that the unwind fails at; None when it works, or gas alone is in the way."""
        return self.refusals[-1] if self.is_stuck and self.refusals else None

    @property
    def home(self) -> list[TokenAmount]:
        """What the treasury would receive, in the order sent."""
        legs = [leg for group in self.groups for leg in group]
        return [leg.amount for leg in legs if leg.kind in _RETURNS and leg.amount is not None]

    @property
    def cost(self) -> Usd8:
        """What the way home costs at the oracle's prices: slippage, and the last transfer's gas.

        The token counts for nothing before and after. Gas of the other legs is not simulated.
        """
        position = self.after.position
        home = sum(self._value(amount) for amount in self.home)
        return Usd8(self._worth(self.before.position) - self._worth(position) - home)

    def _worth(self, held: Position) -> int:
        ether = mul_div(held.native + held.weth + held.collateral, self.before.eth_price, WAD)
        one: int = 10**self.deal.plan.terms.borrow.token.decimals
        return ether + (held.cash - held.debt) * self.before.cash_price // one

    def _value(self, amount: TokenAmount) -> int:
        is_cash = amount.token == self.deal.plan.terms.borrow.token
        price = self.before.cash_price if is_cash else self.before.eth_price
        return mul_div(amount.units, price, 10**amount.token.decimals)


@dataclass(frozen=True, slots=True)
class Exits:
    """Tries the unwind of deals; sends nothing and writes nothing.

    `begin` gives so many futures from the newest block on, apart from each other.
    """

    begin: Callable[[int], Awaitable[Sequence[Future]]]

    async def check(self, deal: DealRecord) -> ExitCheck:
        """What unwinding `deal` from the newest block would do, as if redemption were frozen.

        Raises:
            Rejected: `exits.not_open` when the deal holds no position.
            Transient: when the chain does not answer.
        """
        _require_open(deal)
        (future,) = await self.begin(1)
        return await _checked(future, deal)

    async def checks(self, deals: Sequence[DealRecord]) -> list[ExitCheck | HoldfastError]:
        """The same for each by itself, all from one block, with exchanges that they share.

        An error stands where `check` would raise it; it is no other deal's.

        Raises:
            Transient: when the chain does not tell its newest block.
        """
        futures = await self.begin(len(deals))
        return await asyncio.gather(*map(_outcome, futures, deals))


async def _outcome(future: Future, deal: DealRecord) -> ExitCheck | HoldfastError:
    try:
        return await _checked(future, deal)
    except HoldfastError as error:
        return error


async def _checked(future: Future, deal: DealRecord) -> ExitCheck:
    _require_open(deal)
    deal = _unwinding(deal)
    before = await future.observe(deal)
    if not await future.is_sequential(deal.plan.accounts.deal):
        return ExitCheck(deal, before, before, is_sequential=False)
    return await _Attempt(future, deal, before).run()


def _require_open(deal: DealRecord) -> None:
    if deal.status not in _OPEN:
        raise Rejected(
            "exits.not_open",
            f"deal {deal.deal_id} is {deal.status}: it has nothing to bring home",
            status=str(deal.status),
        )


class _Attempt:
    """One unwind as far as it has come."""

    def __init__(self, future: Future, deal: DealRecord, before: Seen) -> None:
        self._future = future
        self._deal = deal
        self._before = self._seen = before
        self._groups: list[tuple[Leg, ...]] = []
        self._refusals: list[Refusal] = []

    async def run(self) -> ExitCheck:
        """Go on until nothing is left to send, or what is left is refused again."""
        refused_in_a_row = 0
        for _ in range(_MOST_MOVES):
            move = self._next()
            if move is None or refused_in_a_row == _GIVES_UP_AFTER:
                break
            is_done = await self._try(move)
            refused_in_a_row = 0 if is_done else refused_in_a_row + 1
        return ExitCheck(
            self._deal, self._before, self._seen, tuple(self._groups), tuple(self._refusals)
        )

    def _next(self) -> Move | None:
        venues = replace(self._seen.venues, redemption_frozen=True)
        position = replace(self._seen.position, blocks_to_final=0)  # as after any wait for that
        script = play(self._deal, position, venues)
        self._deal = script.deal
        return script.outcome.move if isinstance(script.outcome, Send) else None

    async def _try(self, move: Move) -> bool:
        try:
            legs = await self._future.build(self._deal, move, self._seen)
            await self._future.apply(legs, self._seen)
        except MoveRefused as error:
            self._deal = refused(self._deal, error.kind, error.message)
            reason = str(error.fields.get("reason", error.message))
            self._refusals.append(Refusal(error.kind, error.code, reason))
            return False
        self._groups.append(tuple(legs))
        self._deal = replace(self._deal, trouble=None, trouble_text=None)
        self._seen = await self._future.observe(self._deal)
        return True


def _unwinding(deal: DealRecord) -> DealRecord:
    """The deal as a freeze would have it: on its way home, with a clean record."""
    return replace(
        deal,
        status=DealStatus.HOLDING,
        hold_reason=HoldReason.REDEMPTION_FROZEN,
        group_id=None,
        trouble=None,
        trouble_text=None,
    )
