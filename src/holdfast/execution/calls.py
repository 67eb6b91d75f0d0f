"""The legs of one deal: each an adapter's call with its proof, in the words of the deal."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from holdfast.common.ids import new_leg_id
from holdfast.common.money import TokenAmount
from holdfast.model.deal import Step
from holdfast.model.leg import Leg, LegKind
from holdfast.protocols.aave_v3.pool import ALL
from holdfast.protocols.native import native_transfer

if TYPE_CHECKING:
    from holdfast.common.evm import Address
    from holdfast.common.money import Token
    from holdfast.model.leg import Call, ExpectedEvent
    from holdfast.model.plan import Accounts
    from holdfast.protocols.erc20 import Erc20
    from holdfast.protocols.suite import Protocols
    from holdfast.protocols.uniswap_v3.pools import UniswapPool
    from holdfast.protocols.uniswap_v3.swaps import ExactInput, ExactOutput


@dataclass(frozen=True, slots=True)
class DealTokens:
    """The tokens of a deal with their pinned decimals."""

    native: Token
    weth: Token
    cash: Token
    discounted: Token


@dataclass(frozen=True, slots=True)
class Proved:
    """A call and the event that proves it."""

    call: Call
    expected: ExpectedEvent | None


@dataclass(frozen=True, slots=True)
class DealCalls:
    """Makes the legs of one deal; gas limits are set once the group was simulated."""

    protocols: Protocols
    tokens: DealTokens
    accounts: Accounts

    @property
    def owner(self) -> Address:
        """The deal's own account."""
        return self.accounts.deal

    def fund(self, wei: int) -> Leg:
        """The float sends `wei` to the deal."""
        proved = Proved(native_transfer(self.owner, wei), None)
        amount = TokenAmount(self.tokens.native, wei)
        leg = self._leg(LegKind.FUND, Step.SPLIT, proved, amount)
        return replace(leg, sender=self.accounts.float)

    def wrap(self, step: Step, wei: int) -> Leg:
        """Wrap `wei`."""
        weth = self.protocols.weth
        proved = Proved(weth.deposit(wei), weth.expected_deposit(self.owner))
        amount = TokenAmount(self.tokens.native, wei)
        return self._leg(LegKind.WRAP, step, proved, amount)

    def unwrap(self, wei: int) -> Leg:
        """Unwrap `wei`."""
        weth = self.protocols.weth
        proved = Proved(weth.withdraw(wei), weth.expected_withdrawal(self.owner))
        amount = TokenAmount(self.tokens.weth, wei)
        return self._leg(LegKind.UNWRAP, Step.CLOSE, proved, amount)

    def approve(self, step: Step, token: Token, spender: Address, units: int) -> Leg:
        """Let `spender` take `units`."""
        return self._allow(LegKind.APPROVE, step, TokenAmount(token, units), spender)

    def revoke(self, step: Step, token: Token, spender: Address) -> Leg:
        """Take an allowance back."""
        return self._allow(LegKind.REVOKE, step, TokenAmount(token, 0), spender)

    def supply(self, wei: int) -> Leg:
        """Supply WETH as collateral."""
        aave, weth = self.protocols.aave, self.protocols.weth.address
        proved = Proved(aave.supply(weth, wei, self.owner), aave.expected_supply(weth, self.owner))
        amount = TokenAmount(self.tokens.weth, wei)
        return self._leg(LegKind.SUPPLY, Step.LIQUIDITY, proved, amount)

    def borrow(self, units: int) -> Leg:
        """Borrow cash at the variable rate."""
        aave, usdt = self.protocols.aave, self.protocols.usdt.address
        proved = Proved(
            aave.borrow(usdt, units, self.owner), aave.expected_borrow(usdt, self.owner)
        )
        amount = TokenAmount(self.tokens.cash, units)
        return self._leg(LegKind.BORROW, Step.LIQUIDITY, proved, amount)

    def repay_all(self, owed: int) -> Leg:
        """Repay the whole debt, about `owed`."""
        return self._repay(Step.CLOSE, ALL, owed)

    def repay(self, step: Step, units: int) -> Leg:
        """Repay `units` of a debt that goes on."""
        return self._repay(step, units, units)

    def withdraw_all(self, wei: int) -> Leg:
        """Withdraw the whole collateral, about `wei`."""
        aave, weth = self.protocols.aave, self.protocols.weth.address
        proved = Proved(
            aave.withdraw(weth, ALL, self.owner),
            aave.expected_withdraw(weth, self.owner, self.owner),
        )
        amount = TokenAmount(self.tokens.weth, wei)
        return self._leg(LegKind.WITHDRAW, Step.CLOSE, proved, amount)

    def sell_eth(self, swap: ExactInput) -> Leg:
        """Sell WETH for cash, at least `min_out` of it."""
        proved = self._swap(self.protocols.router.exact_input(swap), self.protocols.eth_pool)
        amount = TokenAmount(self.tokens.weth, swap.amount_in)
        leg = self._leg(LegKind.SWAP, Step.PURCHASE, proved, amount)
        return self._limited(leg, TokenAmount(self.tokens.cash, swap.min_out), swap.deadline)

    def raise_cash(self, step: Step, swap: ExactOutput) -> Leg:
        """Sell as much WETH as `amount_out` of cash needs, at most `max_in`."""
        proved = self._swap(self.protocols.router.exact_output(swap), self.protocols.eth_pool)
        amount = TokenAmount(self.tokens.weth, swap.max_in)
        leg = self._leg(LegKind.SWAP, step, proved, amount)
        return self._limited(leg, TokenAmount(self.tokens.cash, swap.amount_out), swap.deadline)

    def buy(self, swap: ExactInput) -> Leg:
        """Buy the discounted token, at least `min_out` of it."""
        proved = self._swap(self.protocols.router.exact_input(swap), self.protocols.usdtz_pool)
        amount = TokenAmount(self.tokens.cash, swap.amount_in)
        leg = self._leg(LegKind.SWAP, Step.PURCHASE, proved, amount)
        return self._limited(leg, TokenAmount(self.tokens.discounted, swap.min_out), swap.deadline)

    def request(self, units: int) -> Leg:
        """Hand one tranche in for redemption."""
        desk = self.protocols.desk
        proved = Proved(
            desk.request(units, self.owner, self.owner),
            desk.expected_request(self.owner, self.owner),
        )
        amount = TokenAmount(self.tokens.discounted, units)
        return self._leg(LegKind.REQUEST_REDEMPTION, Step.MONETISATION, proved, amount)

    def claim(self, units: int) -> Leg:
        """Be paid for one tranche."""
        desk = self.protocols.desk
        proved = Proved(
            desk.claim(units, self.owner, self.owner),
            desk.expected_claim(self.owner, self.owner, self.owner),
        )
        amount = TokenAmount(self.tokens.discounted, units)
        return self._leg(LegKind.CLAIM_REDEMPTION, Step.MONETISATION, proved, amount)

    def return_token(self, token: Token, units: int) -> Leg:
        """Send `units` to the treasury."""
        erc20, home = self._erc20(token), self.accounts.treasury_return
        proved = Proved(erc20.transfer(home, units), erc20.expected_transfer(self.owner, home))
        leg = self._leg(LegKind.RETURN_TOKEN, Step.CLOSE, proved, TokenAmount(token, units))
        return replace(leg, recipient=home)

    def return_native(self, wei: int) -> Leg:
        """Send `wei` to the treasury."""
        home = self.accounts.treasury_return
        amount = TokenAmount(self.tokens.native, wei)
        proved = Proved(native_transfer(home, wei), None)
        leg = self._leg(LegKind.RETURN_NATIVE, Step.CLOSE, proved, amount)
        return replace(leg, recipient=home)

    def token_at(self, address: Address) -> Token:
        """The deal's token with this address."""
        tokens = (self.tokens.weth, self.tokens.cash, self.tokens.discounted)
        return next(token for token in tokens if token.address == address)

    def _erc20(self, token: Token) -> Erc20:
        return type(self.protocols.usdt)(token.require_address())

    def _allow(self, kind: LegKind, step: Step, amount: TokenAmount, spender: Address) -> Leg:
        erc20 = self._erc20(amount.token)
        call = erc20.approve(spender, amount.units)
        proved = Proved(call, erc20.expected_approval(self.owner, spender))
        return replace(self._leg(kind, step, proved, amount), recipient=spender)

    def _repay(self, step: Step, asked: int, about: int) -> Leg:
        aave, usdt = self.protocols.aave, self.protocols.usdt.address
        expected = aave.expected_repay(usdt, self.owner, self.owner)
        proved = Proved(aave.repay(usdt, asked, self.owner), expected)
        return self._leg(LegKind.REPAY, step, proved, TokenAmount(self.tokens.cash, about))

    def _swap(self, call: Call, pool: UniswapPool) -> Proved:
        return Proved(call, pool.expected_swap(self.protocols.router.address, self.owner))

    def _limited(self, leg: Leg, min_out: TokenAmount, deadline: int) -> Leg:
        return replace(
            leg, min_out=min_out, deadline=deadline, label=f"{leg.label} for {min_out.token.symbol}"
        )

    def _leg(self, kind: LegKind, step: Step, proved: Proved, amount: TokenAmount) -> Leg:
        return Leg(
            leg_id=new_leg_id(),
            step=step,
            kind=kind,
            sender=self.owner,
            call=proved.call,
            gas_limit=0,
            label=f"{kind.replace('_', ' ')} {amount}",
            recipient=self.owner,
            amount=amount,
            expected=proved.expected,
        )
