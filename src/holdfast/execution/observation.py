"""Everything one decision knows of the chain, read at one block."""

from dataclasses import dataclass

from holdfast.chain.receipts import Head
from holdfast.common.money import Usd8
from holdfast.execution.model import Position, Venues
from holdfast.ledger.ports import ChainBalances, Indexes
from holdfast.signing.model import Fees


@dataclass(frozen=True, slots=True)
class Seen:
    """What was read for one deal at `head`.

    `eth_price` and `cash_price` are the oracle's, in dollars times 1e8; `borrow_rate` is
    yearly, in RAY; `fees` is what a
    transaction would offer now; the nonces are the deal's and the float's at the same block.
    """

    head: Head
    position: Position
    venues: Venues
    balances: ChainBalances
    indexes: Indexes
    eth_price: Usd8
    cash_price: Usd8
    ltv_bps: int
    borrow_rate: int
    fees: Fees
    deal_nonce: int
    float_nonce: int
