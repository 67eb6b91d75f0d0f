"""A pure stand-in for the chain: enough of the venues to run the saga through any trouble."""

from collections import Counter
from dataclasses import dataclass, field, replace

from holdfast.common.evm import BlockHash, BlockRef
from holdfast.common.ids import ChainId
from holdfast.common.money import Token, TokenAmount
from holdfast.execution import model as m
from holdfast.execution.saga import decide
from holdfast.model.deal import ChainFacts, DealStatus, Funding, transition
from holdfast.model.leg import LegKind as K
from holdfast.model.plan import Split, Terms

CHAIN = ChainId(138)
ETH = Token(CHAIN, "ETH", 18)
USDT = Token(CHAIN, "USDT", 6)
USDTZ = Token(CHAIN, "USDTz", 6)
PRICE = 2000  # dollars for one ether in this world; cash in whole dollars, ether in whole units
FEE = 0  # whole ethers are too coarse to charge gas in


def terms(funding: Funding, borrow: int = 600_000) -> Terms:
    """The $10M deal of RISK.md in whole units: 5,000 ether at $2,000, token at 0.60."""
    spend = borrow if funding is Funding.BORROW else 1_800_000
    tokens = spend * 10 // 6
    rungs = [50_000, 250_000, 1_000_000]
    ladder, left = [], tokens
    for rung in rungs:
        ladder.append(min(rung, left))
        left -= ladder[-1]
    ladder.append(left)
    return Terms(
        split=Split(TokenAmount(ETH, 2500), TokenAmount(ETH, 1500), TokenAmount(ETH, 1000)),
        funding=funding,
        borrow=TokenAmount(USDT, borrow),
        bucket_sale=TokenAmount(ETH, 0 if funding is Funding.BORROW else 1000),
        bucket_sale_min=TokenAmount(USDT, 0),
        spend=TokenAmount(USDT, spend),
        min_tokens=TokenAmount(USDTZ, tokens),
        tranches=tuple(TokenAmount(USDTZ, rung) for rung in ladder if rung),
        gas_reserve=TokenAmount(ETH, 1),
    )


@dataclass
class World:
    """The chain's side and the records' side of one deal."""

    state: m.DealState
    native: int = 0
    weth: int = 0
    cash: int = 0
    tokens: int = 0
    collateral: int = 0
    debt: int = 0
    queued: int = 0
    claimable: int = 0
    frozen: bool = False
    desk_cash: int = 10**9
    queue_delay: int = 0
    can_borrow: bool = True
    pool_open: bool = True
    asked: m.Cure | None = None
    stale: bool = False
    home_eth: int = 0
    home_cash: int = 0
    home_tokens: int = 0
    bad: set[K] = field(default_factory=set)
    history: Counter = field(default_factory=Counter)

    def position(self) -> m.Position:
        at = BlockRef(1, BlockHash("0x" + "00" * 32), 1)
        return m.Position(
            at, self.native, self.weth, self.cash, self.tokens, self.collateral, self.debt,
            self.queued, self.claimable,
        )  # fmt: skip

    def venues(self) -> m.Venues:
        return m.Venues(
            self.frozen, self.desk_cash, self.queue_delay, self.can_borrow, FEE,
            cure=self.cure(), is_price_stale=self.stale,
        )  # fmt: skip

    def cure(self) -> m.Cure | None:
        """What was asked for, once, where the reserve can pay it."""
        short = 0
        match self.asked:
            case m.RepayPart(units) if units < self.debt:
                short = units - self.cash
            case m.Convert(units) if self.debt:
                short = units
            case _:
                return None
        spare = self.native + self.weth - self.state.terms.gas_reserve.units
        return self.asked if -(-short // PRICE) <= spare else None

    def reserve(self) -> int:
        """Cash, and what the reserve's ether would bring after it lost half its value."""
        return self.cash + (self.native + self.weth) * PRICE // 2

    def step(self) -> m.Decision:
        """Decide once and carry the decision out."""
        decision = decide(self.state, self.position(), self.venues())
        match decision:
            case m.Send(move):
                self.send(move)
            case m.Change(event, reason):
                self.change(event, reason)
            case m.Waive():
                self.state = replace(self.state, borrow_waived=True, trouble=None)
            case m.Wait():
                pass
        return decision

    def change(self, event, reason=None) -> None:
        facts = ChainFacts(
            has_effects=self.state.has(K.FUND),
            has_debt=self.debt > 0,
            has_collateral=self.collateral > 0,
        )
        status = transition(self.state.status, event, facts)
        reason = reason if status is DealStatus.HOLDING else None
        self.state = replace(self.state, status=status, hold_reason=reason, trouble=None)

    def send(self, move: m.Move) -> None:
        """Run the legs of a move in order; each may revert on its own, the later ones still run."""
        trouble = None
        for kind, effect in self.legs(move):
            landed = kind not in self.bad and effect()
            if landed:
                self.history[kind] += 1
                if isinstance(move, m.RepayPart):
                    continue  # no way home: `DealRecord.state` does not count it either
                landed_counts = Counter(self.state.landed)
                landed_counts[kind] += 1
                self.state = replace(self.state, landed=landed_counts)
            elif trouble is None:
                trouble = kind
        self._remember(trouble)

    def _remember(self, kind) -> None:
        if kind is None:
            self.state = replace(self.state, trouble=None)
            return
        before = self.state.trouble
        times = before.times + 1 if before and before.kind is kind else 1
        self.state = replace(self.state, trouble=m.Trouble(kind, times))

    def legs(self, move: m.Move):
        match move:
            case m.Fund():
                return [(K.FUND, self._fund)]
            case m.Open(borrow):
                wrap = [] if self.state.has(K.SUPPLY) else [(K.WRAP, self._wrap(1500))]
                supply = [] if self.state.has(K.SUPPLY) else [(K.SUPPLY, self._supply)]
                return wrap + supply + ([(K.BORROW, self._borrow)] if borrow else [])
            case m.Purchase(sell):
                sale = [(K.WRAP, self._wrap(1000)), (K.SWAP, self._sell_all)] if sell else []
                return [*sale, (K.SWAP, self._buy)]
            case m.Redeem(units, now):
                claim = [(K.CLAIM_REDEMPTION, lambda: self._claim(units))] if now else []
                return [(K.REQUEST_REDEMPTION, lambda: self._request(units)), *claim]
            case m.Claim(units):
                return [(K.CLAIM_REDEMPTION, lambda: self._claim(units))]
            case m.RepayPart(units):
                return [
                    (K.SWAP, lambda: self._raise(units - self.cash)),
                    (K.REPAY, lambda: self._repay_part(units)),
                ]
            case m.Convert(units):
                return [(K.SWAP, lambda: self._convert(units))]
            case m.Repay():
                return [
                    (K.SWAP, lambda: self._raise(self.debt - self.cash)),
                    (K.REPAY, self._repay),
                    (K.WITHDRAW, self._withdraw),
                ]
            case m.GoHome(with_claim):
                return [
                    (K.UNWRAP, self._unwrap),
                    (K.RETURN_TOKEN, lambda: self._go_home(with_claim=with_claim)),
                ]
            case m.ReturnNative(keep):
                return [(K.RETURN_NATIVE, lambda: self._return(keep))]
            case m.Revoke():
                return []

    def _fund(self) -> bool:
        self.native += 2500
        return True

    def _wrap(self, amount):
        def wrap() -> bool:
            missing = amount - self.weth
            if missing < 0 or self.native < missing:
                return missing <= 0
            self.native -= missing
            self.weth += missing
            return True

        return wrap

    def _supply(self) -> bool:
        if self.weth < 1500:
            return False
        self.weth -= 1500
        self.collateral += 1500
        return True

    def _borrow(self) -> bool:
        wanted = self.state.terms.borrow.units
        if not self.can_borrow or self.collateral * PRICE * 3 < wanted * 10:
            return False
        self.debt += wanted
        self.cash += wanted
        return True

    def _sell_all(self) -> bool:
        if not self.pool_open or not self.weth:
            return False
        self.cash += self.weth * PRICE
        self.weth = 0
        self.state = replace(self.state, sold=True)
        return True

    def _buy(self) -> bool:
        lots, done = self.state.terms.lots, self.state.purchases
        spend = (lots[done] if lots else self.state.terms.spend).units
        if not self.pool_open or self.cash < spend:
            return False
        self.cash -= spend
        self.tokens += spend * 10 // 6
        self.state = replace(self.state, purchases=self.state.purchases + 1)
        return True

    def _request(self, units) -> bool:
        if self.frozen or self.tokens < units:
            return False
        self.tokens -= units
        self.queued += units
        if self.queue_delay == 0:
            self.ripen()
        return True

    def ripen(self) -> None:
        self.claimable += self.queued
        self.queued = 0

    def _claim(self, units) -> bool:
        if self.frozen or self.claimable < units or self.desk_cash < units:
            return False
        self.claimable -= units
        self.desk_cash -= units
        self.cash += units
        return True

    def _raise(self, short) -> bool:
        ether = -(-max(0, short) // PRICE)
        if self.native + self.weth < ether:
            return False
        used = min(self.weth, ether)
        self.weth -= used
        self.native -= ether - used
        self.cash += ether * PRICE
        return True

    def _repay(self) -> bool:
        if self.cash < self.debt:
            return False
        self.cash -= self.debt
        self.debt = 0
        return True

    def _convert(self, units) -> bool:
        if not self.pool_open or not self._raise(units):
            return False
        self.asked = None
        return True

    def _repay_part(self, units) -> bool:
        if self.cash < units:
            return False
        self.cash -= units
        self.debt -= units
        self.asked = None
        return True

    def _withdraw(self) -> bool:
        if self.debt:
            return False
        self.weth += self.collateral
        self.collateral = 0
        return True

    def _unwrap(self) -> bool:
        self.native += self.weth
        self.weth = 0
        return True

    def _go_home(self, *, with_claim) -> bool:
        self.home_cash += self.cash
        self.cash = 0
        if with_claim:
            self.home_tokens += self.tokens
            self.tokens = 0
            self.state = replace(self.state, claim_returned=True)
        return True

    def _return(self, keep) -> bool:
        self.home_eth += self.native - keep
        self.native = keep
        return True
