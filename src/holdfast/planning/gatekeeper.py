"""Answers how the redemption gate stands for lots that nobody has planned yet."""

from collections.abc import Sequence
from dataclasses import dataclass

from holdfast.common.money import TokenAmount, Usd8, mul_div
from holdfast.model.plan import Accounts
from holdfast.planning.gate import lot_verdict, purchase_cost_wad
from holdfast.planning.model import PlanPolicy, Setting
from holdfast.planning.ports import MarketSource, TrackRecord
from holdfast.planning.quoting import best_quote
from holdfast.planning.snapshot import Gas, MarketSnapshot, Prices, Probe, Tokens
from holdfast.protocols.suite import Protocols
from holdfast.risk.gate import GateVerdict, Trial


@dataclass(frozen=True, slots=True)
class GateReport:
    """The gate for several lots at one block, and the record that it was judged by."""

    market: MarketSnapshot
    trials: tuple[Trial, ...]
    verdicts: tuple[GateVerdict, ...]


class Gatekeeper:
    """Judges purchase lots on one chain; stores nothing."""

    def __init__(
        self, source: MarketSource, venues: Protocols, policy: PlanPolicy, record: TrackRecord
    ) -> None:
        self._source = source
        self._venues = venues
        self._policy = policy
        self._record = record

    async def report(self, accounts: Accounts, lots: Sequence[Usd8]) -> GateReport:
        """The gate for purchase lots of so many dollars, at the newest block.

        A token's cost is price, slip and the pool's fee; a plan adds its interest and gas.

        Raises:
            Transient: the node does not answer, or prices moved while they were read.
            Rejected: the chain lacks what a deal needs.
        """
        market = await self._source.read(accounts, _Probing(tuple(lots)))
        trials = tuple(
            await self._record.trials(self._venues.desk.address, market.tokens.discounted)
        )
        setting = Setting(market, self._venues, self._policy, accounts, 0, trials)
        return GateReport(market, trials, tuple(_verdict(lot, setting) for lot in lots))


@dataclass(frozen=True, slots=True)
class _Probing:
    """Quotes the purchase of each lot (`ports.Sizes`)."""

    lots: tuple[Usd8, ...]

    def __call__(self, tokens: Tokens, prices: Prices, gas: Gas) -> Probe:
        del gas
        units = sorted({_units(lot, tokens, prices) for lot in self.lots})
        return Probe(tuple(TokenAmount(tokens.cash, one) for one in units), ())


def _verdict(lot: Usd8, setting: Setting) -> GateVerdict:
    market = setting.market
    tokens, units = market.tokens, _units(lot, market.tokens, market.prices)
    quote = best_quote(market.purchases, units, tokens.cash, tokens.discounted)
    return lot_verdict(quote, purchase_cost_wad(quote, market), setting)


def _units(lot: Usd8, tokens: Tokens, prices: Prices) -> int:
    return mul_div(lot, 10**tokens.cash.decimals, prices.cash)
