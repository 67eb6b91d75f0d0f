"""What the ten rules look at; a part is None where a moment has not read it."""

from dataclasses import dataclass

from holdfast.common.money import Bps, Usd8
from holdfast.model.deal import Funding
from holdfast.risk.model import Position, Stress


@dataclass(frozen=True, slots=True)
class Anchor:
    """I1: the core address at one block.

    `booked_wei` is what all open deals and this one have booked there; `allowances` counts the
    tokens it lets others move; `debt` and `collateral` are what it has at the lending venue;
    `shared_with` counts addresses of the engine that are the same as it.
    """

    balance_wei: int
    booked_wei: int
    allowances: int
    debt: Usd8
    collateral: Usd8
    shared_with: int


@dataclass(frozen=True, slots=True)
class Spending:
    """I4: where the money for the token comes from.

    `bucket` is the opportunistic bucket's whole value before anything was sold; `charges` are
    interest to the horizon, fees and gas (i + f).
    """

    funding: Funding
    bucket: Usd8
    charges: Usd8


@dataclass(frozen=True, slots=True)
class Lending:
    """I6: what a loan is held to beside the desk's own limits.

    `most` is the deal's own cap on debt over collateral; `opening` what it may be right after a
    trade, None where nothing is traded; `threshold` is the venue's liquidation threshold.
    """

    most: Bps
    threshold: Bps
    opening: Bps | None = None


@dataclass(frozen=True, slots=True)
class Lot:
    """I8: the next purchase, and the largest amount it will have redeemed at a time.

    `is_gate_open` says that experience with the redemption desk proves a lot of this size.
    """

    spend: Usd8
    largest_rung: Usd8
    is_gate_open: bool


@dataclass(frozen=True, slots=True)
class Prices:
    """I10: how far what is decided on can be trusted.

    `deviation` is between the oracle's price of ETH and a second source; `node_lag_seconds` how
    far the newest block is behind the clock, None where that says nothing about the node.
    """

    age_seconds: int
    cash_age_seconds: int
    deviation: Bps
    node_lag_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is known of one deal at one block.

    Attributes:
        anchor: I1.
        sheet: I2-I4 and I6, the deal's balance sheet; after the trade, where one is planned.
        stress: I2 and I3, what the reserve must survive.
        gas_reserve: I2, bucket ETH that pays for gas and so cannot be sold.
        spending: I4, only where something is to be bought.
        max_exposure: I4, the deal's own cap on the token's share of NAV.
        token_at_venue: I5, calls that supply or approve the token to the lending venue.
        allowances: I5, allowances of the deal's account that are not 0.
        lending: I6.
        missing_home: I7, calls of the way home that the plan does not allow.
        lot: I8, only where something is to be bought.
        in_redemption: I8, face value of the tokens inside the desk.
        mismatch: I9, base units by which ledger and chain differ.
        prices: I10.
    """

    anchor: Anchor | None = None
    sheet: Position | None = None
    stress: Stress | None = None
    gas_reserve: Usd8 | None = None
    spending: Spending | None = None
    max_exposure: Bps | None = None
    token_at_venue: int | None = None
    allowances: int | None = None
    lending: Lending | None = None
    missing_home: int | None = None
    lot: Lot | None = None
    in_redemption: Usd8 | None = None
    mismatch: int | None = None
    prices: Prices | None = None
