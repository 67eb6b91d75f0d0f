"""How old the checks of unwinds are, and what they came to, as figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge

if TYPE_CHECKING:
    from holdfast.common.ids import ChainId


class ExitMetrics:
    """The figures of one process, in `registry`; ages are shown by the one that leads."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.age = Gauge(
            "holdfast_exit_check_age_blocks",
            "Blocks since the unwind was tried of the open deal that waits longest.",
            ("chain",),
            registry=registry,
        )
        self.due = Gauge(
            "holdfast_exit_checks_due",
            "Open deals whose unwinds are due to be tried.",
            ("chain",),
            registry=registry,
        )
        self.checks = Counter(
            "holdfast_exit_checks",
            "Unwinds tried: works, fails, unknown.",
            ("chain", "outcome"),
            registry=registry,
        )

    @classmethod
    def unread(cls) -> ExitMetrics:
        """Figures that nobody reads, for where there is no registry."""
        return cls(CollectorRegistry())

    def tried(self, chain_id: ChainId, *, works: int, fails: int, unknown: int) -> None:
        """Count the outcomes of some checks."""
        for outcome, count in (("works", works), ("fails", fails), ("unknown", unknown)):
            self.checks.labels(str(chain_id), outcome).inc(count)

    def stands(self, chain_id: ChainId, *, age_blocks: int, due: int) -> None:
        """Show how far the checks are."""
        self.age.labels(str(chain_id)).set(age_blocks)
        self.due.labels(str(chain_id)).set(due)

    def stopped(self, chain_id: ChainId) -> None:
        """Show no ages any more: somebody else leads."""
        for figure in (self.age, self.due):
            figure.remove_by_labels({"chain": str(chain_id)})
