"""One account's holdings at one block, as the saga and as the ledger need them; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from holdfast.common.money import Usd8
from holdfast.execution.model import Leftover, Position
from holdfast.execution.observation import CoreSeen
from holdfast.ledger.ports import ChainBalances

if TYPE_CHECKING:
    from holdfast.chain.receipts import Head


class Holdings:
    """What the chain shows of a deal's account and of the anchor, by name.

    Made from the observer's answers in the order it asks; allowances last, first those of the
    deal's account, then the same of the anchor's.
    """

    def __init__(self, values: list[Any]) -> None:
        self.native, self.weth, self.cash, self.tokens, *values = values
        self.collateral, self.debt, self.queued, self.claimable, *values = values
        core_wei, self.float_wei, core_account, *allowances = values
        half = len(allowances) // 2
        self.allowances = allowances[:half]
        self.core = CoreSeen(
            balance_wei=core_wei,
            allowances=sum(1 for left in allowances[half:] if left),
            debt=Usd8(core_account.debt_base),
            collateral=Usd8(core_account.collateral_base),
        )

    def position(self, head: Head, leftovers: tuple[Leftover, ...], *, final_from: int) -> Position:
        """What the saga decides on; the deal's legs are all final from block `final_from` on."""
        return Position(
            at=head.ref,
            native=self.native,
            weth=self.weth,
            cash=self.cash,
            tokens=self.tokens,
            collateral=self.collateral,
            debt=self.debt,
            queued=self.queued,
            claimable=self.claimable,
            leftovers=leftovers,
            blocks_to_final=max(0, final_from - head.ref.number),
        )

    def balances(self, head: Head) -> ChainBalances:
        """What the ledger is compared with."""
        return ChainBalances(
            at=head.ref,
            native=self.native,
            weth=self.weth,
            usdt=self.cash,
            usdtz=self.tokens,
            collateral=self.collateral,
            debt=self.debt,
            queued=self.queued + self.claimable,
            core=self.core.balance_wei,
        )
