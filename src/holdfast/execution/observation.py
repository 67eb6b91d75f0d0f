"""Everything one decision knows of the chain, read at one block."""

from dataclasses import dataclass

from holdfast.chain.receipts import Head
from holdfast.common.money import Bps, Usd8
from holdfast.execution.model import Position, Venues
from holdfast.ledger.ports import ChainBalances, Indexes
from holdfast.risk.invariants import Prices
from holdfast.signing.model import Fees


@dataclass(frozen=True, slots=True)
class CoreSeen:
    """The anchor's address.

    Its balance in wei, how many allowances it gives, and what it has at the lending venue.
    """

    balance_wei: int
    allowances: int
    debt: Usd8
    collateral: Usd8


@dataclass(frozen=True, slots=True)
class Seen:
    """What was read for one deal at `head`.

    `eth_price` and `cash_price` are the oracle's, in dollars times 1e8, `token_price` is the pool's
    of a whole discounted token, `redemption_fee` its desk's; `prices` says how far they can be
    trusted (I10); `borrow_rate` is yearly, in RAY; `fees` is what a transaction would offer now;
    the nonces are the deal's and the float's at the same block, `float_wei` is the float's balance,
    `gas_is_too_dear` whether the block costs more than the plan allows to pay. `homeward_fees` is
    what a transaction that lowers risk would offer, and `gas_stops_all` whether the block costs
    more than even that may pay.
    """

    head: Head
    position: Position
    venues: Venues
    balances: ChainBalances
    indexes: Indexes
    eth_price: Usd8
    cash_price: Usd8
    token_price: Usd8
    redemption_fee: Bps
    prices: Prices
    ltv_bps: int
    borrow_rate: int
    fees: Fees
    deal_nonce: int
    float_nonce: int
    core: CoreSeen
    float_wei: int
    liquidation_threshold: Bps
    gas_is_too_dear: bool
    homeward_fees: Fees
    gas_stops_all: bool
