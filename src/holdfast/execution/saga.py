"""What a deal does next: one pure function from its records and its position to a decision."""

from holdfast.execution.homeward import fails, homeward, tried_again
from holdfast.execution.ladder import can_redeem, payable
from holdfast.execution.model import (
    Change,
    Claim,
    Convert,
    DealState,
    Decision,
    Fund,
    Open,
    Position,
    Purchase,
    Redeem,
    Repay,
    ReturnNative,
    Revoke,
    Send,
    Venues,
    Wait,
    WaitFor,
    Waive,
)
from holdfast.execution.pressure import STANDS_STILL, Pressure, asked
from holdfast.model.deal import TERMINAL, DealEvent, DealStatus, Funding, HoldReason
from holdfast.model.leg import LegKind

MAX_TROUBLE = 3
"""How often in a row a leg may be refused or revert before the deal stops trying; two retries
outlast a price that moved or a block that was full, more would only burn gas."""

DUST_WEI = 10**15
"""Wrapped or lent ether that is worth no transaction: the gas of one at 5 gwei or so."""


_ENDS = {DealEvent.COMPLETE, DealEvent.COMPLETE_WITH_CLAIM, DealEvent.FAIL}


def decide(state: DealState, position: Position, venues: Venues) -> Decision:
    """The next thing to do for a deal with no transaction under way.

    `position` must be read at a block that holds every landed leg. A deal is over only when no
    reorg is expected to take one of them back, and its last ether goes home only then: what is
    mined again may leave something else to bring home, which takes gas.
    """
    decision = _decided(state, position, venues)
    match decision:
        case Change(event=event) if event in _ENDS and position.blocks_to_final:
            return Wait(WaitFor.FINALITY)
        case Send(ReturnNative(keep=0)) if position.blocks_to_final:
            return Wait(WaitFor.FINALITY)
        case _:
            return decision


def _decided(state: DealState, position: Position, venues: Venues) -> Decision:
    match state.status:
        case DealStatus.APPROVED:
            return Change(DealEvent.DRIFT if venues.drift else DealEvent.START)
        case DealStatus.EXECUTING:
            return _executing(state, position, venues)
        case DealStatus.HOLDING:
            return _holding(state, position, venues)
        case DealStatus.CLOSING:
            return _closing(state, position, venues)
        case _:
            return Wait(WaitFor.NOTHING if state.status in TERMINAL else WaitFor.APPROVAL)


def _executing(state: DealState, position: Position, venues: Venues) -> Decision:
    obstacle = _obstacle(state, position, venues)
    if obstacle is not None:
        return obstacle
    builds = not state.is_unwinding and _buys_next(state, position, venues)
    if not builds:
        return _monetising(state, position, venues)
    return Wait(WaitFor.PRICE) if venues.is_price_stale else _building(state, venues)


def _buys_next(state: DealState, position: Position, venues: Venues) -> bool:
    """Whether a purchase comes next: the first, or a lot after each before it paid cash.

    So a freeze costs one lot. No further lot is bought from a desk that is frozen, could not pay
    it, or pays less than it costs: the deal then ends with what it has earned. Nor after a cure,
    whose cash is for the debt.
    """
    if not state.bought:
        return True
    is_last = state.purchases >= len(state.terms.lots)
    if is_last or state.cured or position.claim or not position.cash:
        return False
    proved = state.landed.get(LegKind.CLAIM_REDEMPTION, 0) >= state.purchases
    pays = venues.desk_cash >= state.terms.tranches[state.purchases].units
    is_open = not (venues.redemption_frozen or venues.redeems_at_a_loss)
    return proved and pays and is_open


def _obstacle(state: DealState, position: Position, venues: Venues) -> Decision | None:
    waits = _waits_for_the_pool(state, venues)
    if state.trouble is not None and state.trouble.times >= MAX_TROUBLE and not waits:
        return _after_trouble(state, state.trouble.kind)
    revoking = Send(Revoke(position.leftovers)) if position.leftovers else None
    if revoking is not None and not fails(state, LegKind.REVOKE):
        return revoking
    guarding = _asked(state, position, venues)
    if waits and isinstance(guarding, Send):
        return _redeeming_instead(state, position, venues) or guarding
    return guarding or revoking  # no cure waits for a token's contract (I7)


def _waits_for_the_pool(state: DealState, venues: Venues) -> bool:
    """Whether a conversion failed that is asked for still: it is tried for as long as it takes.

    It follows a warning. Going home would sell more into the same pool, as when all deals convert
    in one block; what ends the tries is the hard rule (I3), or a pool that others have refilled.
    """
    return isinstance(venues.cure, Convert) and fails(state, LegKind.SWAP)


def is_urgent(venues: Venues) -> bool:
    """Whether the market asks for a cure, or for the way home."""
    return Pressure.of(venues).is_urgent


def _asked(state: DealState, position: Position, venues: Venues) -> Decision | None:
    return asked(state.status, state.hold_reason, position, Pressure.of(venues))


def _building(state: DealState, venues: Venues) -> Decision:
    if not state.has(LegKind.FUND):
        return Send(Fund())
    owes_borrow = state.wants_debt and not state.has(LegKind.BORROW)
    if owes_borrow and not venues.can_borrow:
        return _without_loan(state)
    if owes_borrow or not state.has(LegKind.SUPPLY):
        return Send(Open(borrow=owes_borrow))
    sells = state.terms.funding is Funding.BUCKET and not state.sold
    return Send(Purchase(sell_bucket=sells))


def _without_loan(state: DealState) -> Decision:
    """A refused borrow stops only the deal whose purchase money it is."""
    if state.terms.funding is Funding.BUCKET:
        return Waive()
    return Change(DealEvent.HOLD, HoldReason.BORROW_REFUSED)


def _monetising(state: DealState, position: Position, venues: Venues) -> Decision:
    if position.claim == 0 or state.keep_claim:
        return Change(DealEvent.CLOSE)
    if not can_redeem(state, position, venues):
        return Change(DealEvent.HOLD, HoldReason.REDEMPTION_FROZEN)
    return _redeeming(state, position, venues)


def _redeeming(state: DealState, position: Position, venues: Venues) -> Decision:
    if position.claimable:
        return Send(Claim(position.claimable))
    if position.queued:
        return Wait(WaitFor.QUEUE)
    units = payable(state, position, venues)
    return Send(Redeem(units, claim_now=venues.queue_delay_seconds == 0))


def _after_trouble(state: DealState, kind: LegKind) -> Decision:
    match kind:
        case LegKind.BORROW:
            return _without_loan(state)
        case LegKind.SWAP:
            return Change(DealEvent.HOLD, HoldReason.POOL_DEPTH)
        case LegKind.REQUEST_REDEMPTION | LegKind.CLAIM_REDEMPTION:
            return Change(DealEvent.HOLD, HoldReason.REDEMPTION_FROZEN)
        case _:
            return Change(DealEvent.HOLD, HoldReason.LEG_REVERTED)


def _holding(state: DealState, position: Position, venues: Venues) -> Decision:
    match state.hold_reason:
        case HoldReason.AMBIGUITY:
            return Change(DealEvent.RESUME)  # nobody decides before the chain's signals agree
        case reason if reason in STANDS_STILL:
            return _standing_still(state, position, venues)
        case _:
            return _unwinding(state, position, venues)


def _unwinding(state: DealState, position: Position, venues: Venues) -> Decision:
    keep = state.terms.gas_reserve.units if position.claim else 0
    step = homeward(state, position, venues, keep=keep, with_claim=False)
    if step is not None:
        instead = _redeeming_instead(state, position, venues)
        return instead if instead and step == Send(Repay()) else step
    if position.claim and can_redeem(state, position, venues):
        return Change(DealEvent.RESUME)
    refused = tried_again(position, with_claim=False)
    if refused is not None:
        return refused
    if position.claim:
        return Wait(WaitFor.THAW)
    # A deal that was never funded has done nothing that could complete.
    return Change(DealEvent.CLOSE if state.has(LegKind.FUND) else DealEvent.FAIL)


def _standing_still(state: DealState, position: Position, venues: Venues) -> Decision:
    """An operator's hold lasts until told otherwise, or until principal would be at risk.

    So does the hold after a foreign use of a key. The foreign transaction may have done the very
    effect of the leg it displaced; the legs that build a position are counted by what landed of
    ours, so going on by itself could build it twice. The way home goes by what is observed, and
    cannot: only that one is open where an invariant breaks, and a cure, which adds no position.
    """
    match _asked(state, position, venues):
        case Send() as cure:
            return cure
        case None:
            return Wait(WaitFor.OPERATOR)
        case _:
            return Change(DealEvent.RESUME)  # and from there at once to a hold that unwinds


def _closing(state: DealState, position: Position, venues: Venues) -> Decision:
    if _is_empty_but_for_dust(state, position, venues):
        kept = state.claim_returned and state.keep_claim
        return Change(DealEvent.COMPLETE_WITH_CLAIM if kept else DealEvent.COMPLETE)
    if position.tokens and not state.keep_claim:
        # A claim that came up after closing began: it is not for the desk to give it away.
        return Change(DealEvent.HOLD, HoldReason.REDEMPTION_FROZEN)
    queued = position.queued + position.claimable
    keep = state.terms.gas_reserve.units if queued else 0
    step = homeward(state, position, venues, keep=keep, with_claim=True)
    if step is not None:
        return step
    refused = tried_again(position, with_claim=True)
    if refused is not None:
        return refused
    kept = state.claim_returned and state.keep_claim
    return Change(DealEvent.COMPLETE_WITH_CLAIM if kept or queued else DealEvent.COMPLETE)


def _is_empty_but_for_dust(state: DealState, position: Position, venues: Venues) -> bool:
    """Whether all went home, the ether for gas too, and strangers sent a little since.

    It would cost more than it is worth and there is nothing to pay with: a deal that waited for
    that would never end, and anybody could bring it about.
    """
    terms = state.terms
    units = (position.cash, terms.spend), (position.tokens, terms.min_tokens)
    return (
        state.has(LegKind.RETURN_NATIVE)
        and position.native <= venues.transfer_fee_wei
        and not (position.debt or position.queued or position.claimable or position.leftovers)
        and all(held < 10**one.token.decimals for held, one in units)
        and position.weth + position.collateral < DUST_WEI
    )


def _redeeming_instead(state: DealState, position: Position, venues: Venues) -> Decision | None:
    """A tranche's cash for the debt, when the reserve could not be turned into cash last time."""
    if not (position.debt and position.claim and fails(state, LegKind.SWAP, LegKind.REPAY)):
        return None
    if not can_redeem(state, position, venues):
        return None
    redeeming = _redeeming(state, position, venues)
    return redeeming if isinstance(redeeming, Send) else None
