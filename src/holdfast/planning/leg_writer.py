"""Writes one planned call at a time, with the words that explain it; pure."""

from dataclasses import dataclass

from holdfast.common.evm import Address
from holdfast.common.money import TokenAmount
from holdfast.model.deal import Step
from holdfast.model.leg import Call, LegKind
from holdfast.model.plan import Accounts
from holdfast.planning.model import PlannedLeg
from holdfast.protocols.aave_v3.pool import ALL
from holdfast.protocols.erc20 import Erc20
from holdfast.protocols.native import native_transfer
from holdfast.protocols.suite import Protocols
from holdfast.protocols.uniswap_v3.pools import Route
from holdfast.protocols.uniswap_v3.swaps import ExactInput, ExactOutput


@dataclass(frozen=True, slots=True)
class LegWriter:
    """Writes the calls of one step of one deal; swaps end at `deadline`, in chain seconds."""

    step: Step
    venues: Protocols
    accounts: Accounts
    deadline: int

    def fund(self, amount: TokenAmount) -> PlannedLeg:
        """The float funds the deal."""
        call = native_transfer(self.accounts.deal, amount.units)
        return self._leg(LegKind.FUND, call, f"transfer {amount} from the float to the deal")

    def wrap(self, amount: TokenAmount) -> PlannedLeg:
        """Native token becomes WETH."""
        call = self.venues.weth.deposit(amount.units)
        return self._leg(LegKind.WRAP, call, f"WETH.deposit() with {amount}")

    def unwrap(self, amount: TokenAmount) -> PlannedLeg:
        """WETH becomes native token."""
        call = self.venues.weth.withdraw(amount.units)
        return self._leg(LegKind.UNWRAP, call, f"WETH.withdraw({amount})")

    def approve(self, token: Erc20, spender: Address, amount: TokenAmount) -> PlannedLeg:
        """`spender` may take `amount` of `token`."""
        call = token.approve(spender, amount.units)
        text = f"{self._name(token.address)}.approve({self._name(spender)}, {amount})"
        return PlannedLeg(self.step, LegKind.APPROVE, call, spender, text)

    def revoke(self, token: Erc20, spender: Address) -> PlannedLeg:
        """`spender` may take nothing of `token`."""
        call = token.approve(spender, 0)
        text = f"{self._name(token.address)}.approve({self._name(spender)}, 0)"
        return PlannedLeg(self.step, LegKind.REVOKE, call, spender, text)

    def supply(self, amount: TokenAmount) -> PlannedLeg:
        """WETH becomes collateral."""
        call = self.venues.aave.supply(
            self.venues.weth_token.address, amount.units, self.accounts.deal
        )
        return self._leg(LegKind.SUPPLY, call, f"Pool.supply(WETH, {amount}, for the deal)")

    def borrow(self, amount: TokenAmount) -> PlannedLeg:
        """The loan is taken."""
        call = self.venues.aave.borrow(self.venues.usdt.address, amount.units, self.accounts.deal)
        text = f"Pool.borrow(USDT, {amount}, variable rate, for the deal)"
        return self._leg(LegKind.BORROW, call, text)

    def repay(self) -> PlannedLeg:
        """The whole debt is paid."""
        call = self.venues.aave.repay(self.venues.usdt.address, ALL, self.accounts.deal)
        return self._leg(LegKind.REPAY, call, "Pool.repay(USDT, all with interest, for the deal)")

    def withdraw(self) -> PlannedLeg:
        """All collateral comes back."""
        call = self.venues.aave.withdraw(self.venues.weth_token.address, ALL, self.accounts.deal)
        return self._leg(LegKind.WITHDRAW, call, "Pool.withdraw(WETH, all, to the deal)")

    def sell(self, route: Route, amount: TokenAmount, least: TokenAmount) -> PlannedLeg:
        """Exactly `amount` is sold for at least `least`."""
        swap = ExactInput(route, amount.units, least.units, self.accounts.deal, self.deadline)
        call = self.venues.router.exact_input(swap)
        text = f"Router.exactInputSingle({amount} for at least {least}, to the deal)"
        return self._leg(LegKind.SWAP, call, text)

    def buy_back(self, amount: TokenAmount, most: TokenAmount) -> PlannedLeg:
        """Bucket ETH buys exactly what the debt lacks."""
        swap = ExactOutput(
            self.venues.sell_eth, amount.units, most.units, self.accounts.deal, self.deadline
        )
        call = self.venues.router.exact_output(swap)
        text = "Router.exactOutputSingle(WETH for the USDT that the debt lacks, to the deal)"
        return self._leg(LegKind.SWAP, call, text)

    def request(self, rung: TokenAmount) -> PlannedLeg:
        """A tranche is handed in."""
        call = self.venues.desk.request(rung.units, self.accounts.deal, self.accounts.deal)
        text = f"Desk.requestRedeem({rung}, controller and owner the deal)"
        return self._leg(LegKind.REQUEST_REDEMPTION, call, text)

    def claim(self, rung: TokenAmount) -> PlannedLeg:
        """A tranche is paid."""
        call = self.venues.desk.claim(rung.units, self.accounts.deal, self.accounts.deal)
        text = f"Desk.redeem({rung}, to the deal)"
        return self._leg(LegKind.CLAIM_REDEMPTION, call, text)

    def return_token(self, token: Erc20, amount: TokenAmount, what: str) -> PlannedLeg:
        """A token goes to the treasury."""
        home = self.accounts.treasury_return
        call = token.transfer(home, amount.units)
        text = f"{self._name(token.address)}.transfer({what}, to the treasury)"
        return PlannedLeg(self.step, LegKind.RETURN_TOKEN, call, home, text)

    def return_native(self, amount: TokenAmount) -> PlannedLeg:
        """What is left of the native token goes to the treasury."""
        home = self.accounts.treasury_return
        call = native_transfer(home, amount.units)
        text = f"transfer all {amount.token.symbol} that is left to the treasury"
        return PlannedLeg(self.step, LegKind.RETURN_NATIVE, call, home, text)

    def _leg(self, kind: LegKind, call: Call, text: str) -> PlannedLeg:
        return PlannedLeg(self.step, kind, call, self.accounts.deal, text)

    def _name(self, contract: Address) -> str:
        return contract_names(self.venues)[contract]


def contract_names(venues: Protocols) -> dict[Address, str]:
    """What the contracts that a deal calls are called."""
    return {
        venues.weth_token.address: "WETH",
        venues.usdt.address: "USDT",
        venues.usdtz.address: "USDTz",
        venues.aave.address: "Pool",
        venues.router.address: "Router",
        venues.desk.address: "Desk",
    }
