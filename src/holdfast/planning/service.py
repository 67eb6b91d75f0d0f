"""Makes plans: read the market once, size the deal and its alternatives, refuse or explain."""

from dataclasses import replace

from holdfast.common.money import Bps
from holdfast.model.deal import DealRequest, Funding
from holdfast.model.plan import Accounts, Plan
from holdfast.planning.draft import draft
from holdfast.planning.envelope import envelope
from holdfast.planning.errors import PlanRefused
from holdfast.planning.model import Draft, PlanPolicy, Setting
from holdfast.planning.ports import MarketSource, TrackRecord, Untried
from holdfast.planning.quoting import Probing
from holdfast.planning.report import report
from holdfast.planning.request import validate_request
from holdfast.protocols.suite import Protocols


class Planner:
    """Plans deals on one chain; stores nothing."""

    def __init__(
        self,
        source: MarketSource,
        venues: Protocols,
        policy: PlanPolicy,
        record: TrackRecord | None = None,
    ) -> None:
        self._source = source
        self._venues = venues
        self._policy = policy
        self._record = record or Untried()

    async def plan(self, request: DealRequest, accounts: Accounts, booked_core_wei: int) -> Plan:
        """A plan for `request` at the newest block, with its alternatives in the report.

        Args:
            request: what is asked for.
            accounts: the deal's addresses.
            booked_core_wei: what other open deals have booked in the core address.

        Raises:
            PlanRefused: `plan.refused` with every hard rule that the deal would break.
            Rejected: the request itself breaks a limit, or the chain lacks what a deal needs.
            Transient: the node does not answer, or prices moved while they were read.
        """
        validate_request(request, self._policy.limits)
        alternatives = self._alternatives(request)
        sizes = Probing((request, *alternatives), self._policy)
        market = await self._source.read(accounts, sizes)
        trials = await self._record.trials(self._venues.desk.address, market.tokens.discounted)
        setting = Setting(
            market, self._venues, self._policy, accounts, booked_core_wei, tuple(trials)
        )
        chosen = draft(request, setting)
        if chosen.violations:
            raise PlanRefused(chosen.violations)
        compared = [chosen if other == request else draft(other, setting) for other in alternatives]
        return plan_of(chosen, compared, setting)

    def _alternatives(self, request: DealRequest) -> tuple[DealRequest, ...]:
        """Both fundings with the request's loan, and the deal without one."""
        compared = Bps(min(self._policy.comparison_ltv, request.max_ltv))
        opening = request.opening_ltv or compared
        return (
            replace(request, funding=Funding.BORROW, opening_ltv=opening),
            replace(request, funding=Funding.BUCKET, opening_ltv=opening),
            replace(request, funding=Funding.BUCKET, opening_ltv=Bps(0)),
        )


def plan_of(chosen: Draft, compared: list[Draft], setting: Setting) -> Plan:
    """The plan of a draft that breaks no rule, with its alternatives."""
    made = envelope(chosen, setting)
    return Plan(
        envelope=made,
        quoted_at=setting.market.at,
        report=report(chosen, compared, setting, made),
    )
