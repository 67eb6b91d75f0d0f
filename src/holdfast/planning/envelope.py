"""The envelope of a plan: what approval binds to and execution may not leave; pure."""

from collections.abc import Mapping, Sequence

from holdfast.common.evm import Address
from holdfast.common.money import Bps, TokenAmount
from holdfast.model.deal import DealRequest
from holdfast.model.leg import LegKind
from holdfast.model.plan import AllowedCall, CurePolicy, Envelope, ScenarioVerdict
from holdfast.planning.model import Draft, PlannedLeg, Setting
from holdfast.planning.together import PREFIX, BookStress
from holdfast.risk.cures import LASTING_ROOM, repayment_target
from holdfast.risk.limits import RiskLimits

WAY_HOME = frozenset({LegKind.REPAY, LegKind.WITHDRAW, LegKind.UNWRAP, LegKind.RETURN_NATIVE})
"""What brings debt and collateral home; `REPAY` only where there is debt, see `missing_home`."""


def envelope(draft: Draft, setting: Setting, book: BookStress) -> Envelope:
    """The envelope of a drafted deal that breaks no rule, the book's verdicts among its own."""
    market, request = setting.market, draft.request
    return Envelope(
        chain_id=market.chain_id,
        genesis_hash=market.genesis_hash,
        request=request,
        accounts=setting.accounts,
        terms=draft.terms,
        calls=allowed_calls(draft.legs, market.code),
        opening_ltv=request.opening_ltv,
        max_ltv=request.max_ltv,
        max_exposure=request.max_exposure,
        exit_slippage=draft.stress.exit_slip,
        gas_price_ceiling_wei=market.gas.ceiling_wei,
        emergency_gas_price_wei=market.gas.emergency_wei,
        emergency_slippage=setting.policy.limits.emergency_slippage,
        max_fee=TokenAmount(market.tokens.native, draft.gas.max_fee_wei),
        worst_case_loss=draft.outlook.loss,
        scenarios=verdicts(draft, book),
        expires_at=market.at.timestamp + setting.policy.validity_seconds,
        cures=_cures(request, setting.policy.limits),
    )


def _cures(request: DealRequest, limits: RiskLimits) -> CurePolicy:
    """What the deal will do by itself, from its own caps and the desk's limits of today."""
    act_at = Bps(min(request.max_ltv, limits.max_ltv))
    return CurePolicy(
        act_ltv=act_at,
        target_ltv=repayment_target(request.opening_ltv, act_at, limits),
        convert_cover_wad=limits.warn_cover_wad,
        cash_room=LASTING_ROOM,
    )


def verdicts(draft: Draft, book: BookStress) -> tuple[ScenarioVerdict, ...]:
    """Of each scenario whether the deal, and whether the whole book, keeps its principal."""
    own = [ScenarioVerdict(one.scenario, one.principal_whole) for one in draft.scenarios]
    whole = [ScenarioVerdict(PREFIX + one.scenario, one.principal_whole) for one in book.outcomes]
    return (*own, *whole)


def allowed_calls(
    legs: Sequence[PlannedLeg], code: Mapping[Address, str]
) -> tuple[AllowedCall, ...]:
    """Each kind of call once, with all addresses that may receive what it moves, sorted."""
    recipients: dict[tuple[LegKind, Address, bytes], set[Address]] = {}
    for leg in legs:
        key = (leg.kind, leg.call.target, leg.call.selector)
        recipients.setdefault(key, set()).add(leg.recipient)
    return tuple(
        AllowedCall(
            kind=kind,
            target=target,
            selector="0x" + selector.hex() if selector else "",
            recipients=tuple(sorted(who)),
            code_hash=code.get(target, "") if selector else "",
        )
        for (kind, target, selector), who in sorted(recipients.items())
    )


def missing_home(draft: Draft) -> int:
    """How many kinds of call the way home without redemption lacks (I7)."""
    needed = set(WAY_HOME)
    if draft.terms.borrow.units == 0:
        needed.discard(LegKind.REPAY)
    return len(needed - {leg.kind for leg in draft.legs})


def token_at_venue(legs: Sequence[PlannedLeg], token: Address, venue: Address) -> int:
    """How many calls supply the discounted token to the lending venue or approve it there (I5)."""
    approved = sum(
        leg.kind is LegKind.APPROVE and leg.call.target == token and leg.recipient == venue
        for leg in legs
    )
    supplied = sum(
        leg.kind is LegKind.SUPPLY and token[2:].lower() in leg.call.data.hex() for leg in legs
    )
    return approved + supplied
