"""Makes plans: read the market once, size the deal and its alternatives, refuse or explain.

Every plan is stressed together with the open book before anybody can approve it.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from holdfast.common.money import Bps
from holdfast.model.deal import DealRequest, Funding
from holdfast.model.plan import Accounts, Plan
from holdfast.planning.draft import draft
from holdfast.planning.envelope import envelope
from holdfast.planning.errors import PlanRefused
from holdfast.planning.model import Draft, PlanPolicy, Setting
from holdfast.planning.ports import (
    MarketSource,
    NoOpenDeals,
    OpenDeals,
    Standing,
    TrackRecord,
    Untried,
)
from holdfast.planning.quoting import Probing
from holdfast.planning.report import book_report, report
from holdfast.planning.request import validate_request
from holdfast.planning.together import BookStress, book_checks, stressed_together
from holdfast.protocols.suite import Protocols
from holdfast.risk.caps import BookSums
from holdfast.risk.limits import RiskLimits
from holdfast.risk.scenarios import Exposed
from holdfast.risk.tightening import InForce


@dataclass(frozen=True, slots=True)
class NothingOpen:
    """A desk on which nothing is open, at the limits `limits`."""

    limits: RiskLimits

    async def in_force(self) -> InForce:
        """The limits given."""
        return InForce(self.limits)

    async def sums(self, request: DealRequest) -> BookSums:  # noqa: ARG002 - the port
        """Nothing."""
        return BookSums()


class Planner:
    """Plans deals on one chain; stores nothing."""

    def __init__(
        self,
        source: MarketSource,
        venues: Protocols,
        policy: PlanPolicy,
        record: TrackRecord | None = None,
        *,
        open_deals: OpenDeals | None = None,
        standing: Standing | None = None,
    ) -> None:
        self._source = source
        self._venues = venues
        self._policy = policy
        self._record = record or Untried()
        self._open_deals = open_deals or NoOpenDeals()
        self._standing = standing or NothingOpen(policy.limits)

    async def plan(self, request: DealRequest, accounts: Accounts, booked_core_wei: int) -> Plan:
        """A plan for `request` at the newest block, with its alternatives in the report.

        Args:
            request: what is asked for.
            accounts: the deal's addresses.
            booked_core_wei: what other open deals have booked in the core address.

        Raises:
            PlanRefused: `plan.refused` with every hard rule that the deal, or the open book with
                it, would break.
            Rejected: the request itself breaks a limit, or the chain lacks what a deal needs.
            Transient: the node does not answer, or prices moved while they were read.
        """
        validate_request(request, self._policy.limits)
        alternatives = self._alternatives(request)
        in_force = await self._standing.in_force()
        policy = replace(self._policy, limits=in_force.limits)
        sums = await self._standing.sums(request)
        sizes = Probing((request, *alternatives), policy)
        market, others = await asyncio.gather(
            self._source.read(accounts, sizes), self._open_deals.exposed()
        )
        trials = await self._record.trials(self._venues.desk.address, market.tokens.discounted)
        setting = Setting(
            market,
            self._venues,
            policy,
            accounts,
            booked_core_wei,
            trials=tuple(trials),
            book=sums,
            in_force=in_force,
        )
        chosen, book = await asyncio.to_thread(self._stressed, request, setting, others)
        if chosen.violations:
            raise PlanRefused(chosen.violations)
        compared = [chosen if other == request else draft(other, setting) for other in alternatives]
        return plan_of(chosen, compared, setting, book)

    def _stressed(
        self, request: DealRequest, setting: Setting, others: Sequence[Exposed]
    ) -> tuple[Draft, BookStress]:
        """The draft with the rules of the whole book among its own."""
        alone = draft(request, setting)
        book = stressed_together(alone, others, setting)
        checks = (*alone.checks, *book_checks(book, self._policy.limits))
        return replace(alone, checks=checks), book

    def _alternatives(self, request: DealRequest) -> tuple[DealRequest, ...]:
        """Both fundings with the request's loan, and the deal without one."""
        compared = Bps(min(self._policy.comparison_ltv, request.max_ltv))
        opening = request.opening_ltv or compared
        return (
            replace(request, funding=Funding.BORROW, opening_ltv=opening),
            replace(request, funding=Funding.BUCKET, opening_ltv=opening),
            replace(request, funding=Funding.BUCKET, opening_ltv=Bps(0)),
        )


def plan_of(chosen: Draft, compared: list[Draft], setting: Setting, book: BookStress) -> Plan:
    """The plan of a draft that breaks no rule, with its alternatives and the open book's end."""
    made = envelope(chosen, setting, book)
    return Plan(
        envelope=made,
        quoted_at=setting.market.at,
        report={**report(chosen, compared, setting, made), "book": book_report(book)},
    )
