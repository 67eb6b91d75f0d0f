"""The book's figures for a monitoring system: extremes and sums, never a label for each deal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from holdfast.common.metrics import SECONDS
from holdfast.common.money import BPS
from holdfast.monitoring.ticks import MOST, State

if TYPE_CHECKING:
    from holdfast.common.ids import ChainId
    from holdfast.monitoring.ticks import Tick

_SUMS: Final = ("debt_usd", "collateral_usd", "reserve_usd", "cash_usd", "token_cost_usd")


class RiskMetrics:
    """The figures of one process, in `registry`; only the monitor that leads shows the book's."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.seconds = Histogram(
            "holdfast_risk_tick_seconds",
            "How long a tick of the risk monitor took, writing included.",
            ("chain",),
            registry=registry,
            buckets=SECONDS,
        )
        self.failures = Counter(
            "holdfast_risk_ticks_failed",
            "Ticks that could not be taken or written.",
            ("chain",),
            registry=registry,
        )
        self.last = _gauge("last_tick_timestamp_seconds", "When the last tick began.", registry)
        self.deals = Gauge(
            "holdfast_risk_deals",
            "Open deals by how they stood at the last tick.",
            ("chain", "state"),
            registry=registry,
        )
        self.ltv = _gauge("ltv_highest_ratio", "The highest LTV of an open deal.", registry)
        self.cover = _gauge("cover_lowest_ratio", "The lowest debt cover; Inf without.", registry)
        self.exposure = _gauge("exposure_highest_ratio", "The highest token share.", registry)
        self.book = Gauge(
            "holdfast_risk_book_dollars",
            "Sums over open deals at the last tick.",
            ("chain", "what"),
            registry=registry,
        )
        self.market = Gauge(
            "holdfast_risk_market",
            "What deals share, as the ticks store it.",
            ("chain", "what"),
            registry=registry,
        )

    @classmethod
    def unread(cls) -> RiskMetrics:
        """Figures that nobody reads, for where there is no registry."""
        return cls(CollectorRegistry())

    def ticked(self, tick: Tick, seconds: float) -> None:
        """Show a tick that was written `seconds` after it began."""
        chain, deals = str(tick.chain_id), tick.deals
        self.seconds.labels(chain).observe(seconds)
        self.last.labels(chain).set(tick.taken_at.timestamp())
        for state in State:
            self.deals.labels(chain, state.name.lower()).set(deals["state"].count(state))
        self.ltv.labels(chain).set(max(deals["ltv_bps"], default=0) / BPS)
        self.exposure.labels(chain).set(max(deals["exposure_bps"], default=0) / BPS)
        cover = min(deals["cover_bps"], default=MOST)
        self.cover.labels(chain).set(float("inf") if cover == MOST else cover / BPS)
        for name in _SUMS:
            self.book.labels(chain, name.removesuffix("_usd")).set(sum(deals[name]))
        for name, value in tick.market.items():
            self.market.labels(chain, name).set(value or 0)

    def failed(self, chain_id: ChainId) -> None:
        """Count a tick that came to nothing."""
        self.failures.labels(str(chain_id)).inc()

    def stopped(self, chain_id: ChainId) -> None:
        """Show no book any more: somebody else leads."""
        chain = {"chain": str(chain_id)}
        for figure in (self.last, self.deals, self.ltv, self.cover, self.exposure):
            figure.remove_by_labels(chain)
        self.book.remove_by_labels(chain)
        self.market.remove_by_labels(chain)


def _gauge(name: str, text: str, registry: CollectorRegistry) -> Gauge:
    return Gauge(f"holdfast_risk_{name}", text, ("chain",), registry=registry)
