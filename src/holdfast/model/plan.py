"""A sized deal, the envelope that an approval binds to, and the hash over that envelope."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field, fields
from typing import Any

from holdfast.common.evm import Address, BlockRef
from holdfast.common.ids import PlanHash
from holdfast.common.money import Bps, TokenAmount, Usd8
from holdfast.model.deal import DealRequest, Funding, Ladder
from holdfast.model.leg import LegKind


@dataclass(frozen=True, slots=True)
class Accounts:
    """The addresses of a deal; `deal_number` is the deal key's index in the key provider."""

    core: Address
    float: Address
    deal: Address
    treasury_return: Address
    deal_number: int


@dataclass(frozen=True, slots=True)
class Split:
    """The ETH committed, in its three parts; they sum to the deal's NAV."""

    core: TokenAmount
    working: TokenAmount
    bucket: TokenAmount

    @property
    def nav(self) -> TokenAmount:
        """All the ETH committed."""
        return self.core + self.working + self.bucket

    @property
    def moved(self) -> TokenAmount:
        """What leaves the float for the deal's account."""
        return self.working + self.bucket


@dataclass(frozen=True, slots=True)
class Terms:
    """What execution needs to act: every amount of the loop, sized.

    `bucket_sale` is the ETH sold for cash before buying (0 in `borrow` funding), `bucket_sale_min`
    the least cash for it. `tranches` are the rungs of the redemption ladder in the order sent; the
    last is what is left. `gas_reserve` is native token kept for gas until the deal has closed.
    `lots` is what is spent on each purchase, one a tranche; empty when all is bought at once.
    """

    split: Split
    funding: Funding
    borrow: TokenAmount
    bucket_sale: TokenAmount
    bucket_sale_min: TokenAmount
    spend: TokenAmount
    min_tokens: TokenAmount
    tranches: tuple[TokenAmount, ...]
    gas_reserve: TokenAmount
    lots: tuple[TokenAmount, ...] = ()

    @property
    def largest_lot(self) -> TokenAmount:
        """The most that is spent on tokens which have not paid yet."""
        return max(self.lots, key=lambda lot: lot.units, default=self.spend)


@dataclass(frozen=True, slots=True)
class AllowedCall:
    """One kind of call that the approval covers.

    `recipients` are the only addresses that may receive what the call moves; `code_hash` is the
    target's code when the plan was made, empty for a plain transfer.
    """

    kind: LegKind
    target: Address
    selector: str
    recipients: tuple[Address, ...]
    code_hash: str


@dataclass(frozen=True, slots=True)
class ScenarioVerdict:
    """Whether the deal keeps its principal in one scenario; the numbers are not part of it."""

    scenario: str
    principal_whole: bool


@dataclass(frozen=True, slots=True)
class CurePolicy:
    """What the deal does by itself when the market moves against it.

    At an LTV of `act_ltv` it repays down to `target_ltv`; under a cover of `convert_cover_wad`, in
    WAD, it sells ether until cash alone pays all that is owed, and `cash_room` of that more.
    """

    act_ltv: Bps
    target_ltv: Bps
    convert_cover_wad: int
    cash_room: Bps


@dataclass(frozen=True, slots=True)
class Envelope:
    """What was approved: limits that execution may not leave, never block-by-block observations.

    `max_fee` is the gas the whole deal may cost, `gas_price_ceiling_wei` the most a unit may
    cost, `exit_slippage` how far under the oracle the reserve may be sold to repay debt,
    `expires_at` the chain timestamp in seconds after which the plan may not start.
    `emergency_gas_price_wei` is the most a unit of gas may cost for what lowers the deal's risk; 0
    in plans that do not know it, which pay no more than the ordinary ceiling. Likewise
    `emergency_slippage`, how far under the oracle the reserve may be sold where waiting would risk
    the principal.
    `cures` is None in plans from before it was part of them: the desk's own policy then holds.
    """

    chain_id: int
    genesis_hash: str
    request: DealRequest
    accounts: Accounts
    terms: Terms
    calls: tuple[AllowedCall, ...]
    opening_ltv: Bps
    max_ltv: Bps
    max_exposure: Bps
    exit_slippage: Bps
    gas_price_ceiling_wei: int
    max_fee: TokenAmount
    worst_case_loss: Usd8
    scenarios: tuple[ScenarioVerdict, ...]
    expires_at: int
    emergency_gas_price_wei: int = 0
    emergency_slippage: Bps = Bps(0)
    cures: CurePolicy | None = None

    @property
    def deepest_slippage(self) -> Bps:
        """How far under the oracle the reserve may be sold where waiting would risk principal."""
        return max(self.exit_slippage, self.emergency_slippage)

    @property
    def homeward_gas_price_wei(self) -> int:
        """The most that a unit of gas may cost for a move that lowers the deal's risk."""
        return max(self.gas_price_ceiling_wei, self.emergency_gas_price_wei)


@dataclass(frozen=True, slots=True)
class Plan:
    """One deal, sized at one block: the envelope, and the report a person reads before approving.

    The report holds JSON values only. `plan_hash` is what an approval names. `sealed` is the
    envelope's `canonical` JSON, from who has written it already.
    """

    envelope: Envelope
    quoted_at: BlockRef
    report: Mapping[str, Any]
    sealed: InitVar[bytes | None] = None
    plan_hash: PlanHash = field(init=False)

    def __post_init__(self, sealed: bytes | None) -> None:
        text = canonical(self.envelope) if sealed is None else sealed
        object.__setattr__(self, "plan_hash", _hash_of(text))

    @property
    def terms(self) -> Terms:
        """The sized amounts."""
        return self.envelope.terms

    @property
    def accounts(self) -> Accounts:
        """The deal's addresses."""
        return self.envelope.accounts


_YOUNGER = ("emergency_gas_price_wei", "emergency_slippage", "cures")
"""Fields of the envelope that older plans do not know; 0 and None say nothing."""


def plan_hash(envelope: Envelope) -> PlanHash:
    """SHA-256 over the envelope's canonical JSON."""
    return _hash_of(canonical(envelope))


def canonical(envelope: Envelope) -> bytes:
    """The envelope as JSON: sorted keys, no spaces, integers as they are, ASCII only."""
    document = _fields(envelope)
    for name, inner in unsaid(envelope).items():
        value = document.pop(name)
        if inner:
            document[name] = {key: one for key, one in _fields(value).items() if key not in inner}
    text = json.dumps(document, default=_fields, sort_keys=True, separators=(",", ":"))
    return text.encode()


def unsaid(envelope: Envelope) -> dict[str, frozenset[str]]:
    """The fields younger than some plans that say nothing in this one, and so are not hashed.

    By the field of the envelope, those of its own fields; none where it is left out itself. So
    every stored plan keeps the hash that was approved, and workers of both versions agree.
    """
    found = {name: frozenset[str]() for name in _YOUNGER if not getattr(envelope, name)}
    if envelope.request.ladder is Ladder.REDEMPTION:
        found["request"] = frozenset({"ladder"})
    if not envelope.terms.lots:
        found["terms"] = frozenset({"lots"})
    return found


def _hash_of(text: bytes) -> PlanHash:
    return PlanHash("0x" + hashlib.sha256(b"holdfast.plan.1\n" + text).hexdigest())


def _fields(value: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON asks it for what it does not know
    return {one.name: getattr(value, one.name) for one in fields(value)}
