"""How much is queued, in flight and in doubt, and what became of it, as figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from holdfast.transactions.model import IntentStatus, Purpose

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from holdfast.transactions.model import Delivery, Intent, Progress

_BLOCKS: Final = (0, 1, 2, 3, 5, 8, 13, 21, 50, 100)
"""Buckets for latencies: a block or two when all is well, more while gas is dear."""


class TransactionMetrics:
    """The figures of one process's chain loops, in `registry`; gauges are by shard.

    A loop that does not lead shows none.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.queued = _gauge("queued", "Intents whose bytes were not broadcast yet.", registry)
        self.in_flight = _gauge("in_flight", "Intents broadcast and not final.", registry)
        self.ambiguous = _gauge("ambiguous", "Intents whose signals disagree.", registry)
        self.stuck = _gauge("stuck", "Intents that cannot be pushed further.", registry)
        self.oldest = _gauge(
            "oldest_seconds", "Age of the oldest live intent since its first broadcast.", registry
        )
        self.attempts = Counter(
            "holdfast_tx_attempts",
            "Further attempts at a nonce: call for replacements, cancel for no-ops.",
            ("purpose",),
            registry=registry,
        )
        self.answers = Counter(
            "holdfast_tx_broadcasts", "Broadcasts by answer.", ("answer",), registry=registry
        )
        self.settled = Counter(
            "holdfast_tx_settled", "Intents that became final.", ("status",), registry=registry
        )
        self.gas_wei = Counter(
            "holdfast_tx_gas_wei", "Wei paid for gas by final transactions.", registry=registry
        )
        self.latency = Histogram(
            "holdfast_tx_latency_blocks",
            "Blocks from the first broadcast to the block of the receipt.",
            registry=registry,
            buckets=_BLOCKS,
        )

    @classmethod
    def unread(cls) -> TransactionMetrics:
        """Figures that nobody reads, for where there is no registry."""
        return cls(CollectorRegistry())

    def looked(self, shard: str, live: Sequence[Intent], now_seconds: float) -> None:
        """Show how the live intents of a shard stand at epoch time `now_seconds`."""
        first_sent = [at for one in live if (at := _first_sent(one)) is not None]
        statuses = [one.status for one in live]
        self.queued.labels(shard).set(len(live) - len(first_sent))
        self.in_flight.labels(shard).set(len(first_sent))
        self.ambiguous.labels(shard).set(statuses.count(IntentStatus.AMBIGUOUS))
        self.stuck.labels(shard).set(statuses.count(IntentStatus.STUCK))
        age = now_seconds - min(first_sent, default=now_seconds)
        self.oldest.labels(shard).set(max(0.0, age))

    def stopped(self, shard: str) -> None:
        """Show nothing of a shard any more: somebody else leads."""
        for gauge in (self.queued, self.in_flight, self.ambiguous, self.stuck, self.oldest):
            gauge.remove(shard)

    def pressed(self, purpose: Purpose) -> None:
        """Count a replacement, or a no-op that cancels or fills."""
        self.attempts.labels(str(purpose)).inc()

    def answered(self, deliveries: Iterable[Delivery]) -> None:
        """Count what was said to broadcasts."""
        for delivery in deliveries:
            self.answers.labels(str(delivery)).inc()

    def written(self, progress: Progress) -> None:
        """Count what became final, its gas, and how long it took."""
        for change in progress.changes:
            if change.status.is_final:
                self.settled.labels(str(change.status)).inc()
                self._mined(change.intent)

    def _mined(self, intent: Intent) -> None:
        if intent.receipt is None:
            return
        self.gas_wei.inc(intent.receipt.fee_wei)
        sent = [one.sent.block for one in intent.attempts if one.sent is not None]
        if sent:
            self.latency.observe(max(0, intent.receipt.block.number - min(sent)))


def _gauge(name: str, text: str, registry: CollectorRegistry) -> Gauge:
    return Gauge(f"holdfast_tx_{name}", text, ("shard",), registry=registry)


def _first_sent(intent: Intent) -> float | None:
    return min((one.sent.at_seconds for one in intent.attempts if one.sent), default=None)
