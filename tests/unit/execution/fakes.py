"""Ports of execution made of plain values; each keeps a record of what was asked of it."""

import contextlib
from dataclasses import dataclass, field, replace
from datetime import timedelta

from holdfast.common.errors import Rejected, Transient
from holdfast.execution.errors import DealNotFound, Differs, Unexplained
from holdfast.execution.model import Trouble
from holdfast.model.deal import DealStatus, HoldReason
from holdfast.model.leg import LegKind
from holdfast.risk.limits import RiskLimits
from holdfast.risk.tightening import InForce
from holdfast.risk.trading import Setting, Source, Trading, TradingState
from tests.unit.execution.scene import NOW, seen

GONE = 88
"""The number of a block that the chain no longer has."""

FINALITY = 4


@dataclass
class Clock:
    """Time that passes only when told; `slept` is what was waited for."""

    time: object = NOW
    slept: list = field(default_factory=list)

    def now(self):
        return self.time

    def monotonic_seconds(self):
        return 0.0

    async def sleep(self, seconds):
        self.slept.append(seconds)
        self.time += timedelta(seconds=seconds)


@dataclass
class Journal:
    """What was done inside the transactions that committed, in order."""

    done: list = field(default_factory=list)
    pending: list = field(default_factory=list)
    rolled_back: list = field(default_factory=list)

    def note(self, *what):
        self.pending.append(what)

    def names(self):
        return [what[0] for what in self.done]

    def last(self, name):
        return next(what for what in reversed(self.done) if what[0] == name)


class Db:
    """Transactions that commit to a journal, or leave nothing."""

    def __init__(self, journal):
        self.journal = journal
        self.begun = 0

    @contextlib.asynccontextmanager
    async def begin(self):
        self.begun += 1
        self.journal.pending = []
        try:
            yield "session"
        except BaseException:
            self.journal.rolled_back += self.journal.pending
            raise
        self.journal.done += self.journal.pending


class Deals:
    """The deal store with its rows in a dict."""

    def __init__(self, journal, *records):
        self.journal = journal
        self.rows = {record.deal_id: record for record in records}
        self.number = 0
        self.due = []

    async def load(self, session, deal_id):
        if deal_id not in self.rows:
            raise DealNotFound(deal_id)
        return self.rows[deal_id]

    shown = load

    async def lock(self, session, deal):
        self.journal.note("lock", deal.version)
        if self.rows[deal.deal_id].version != deal.version:
            raise Transient("deal.moved_on", "changed meanwhile")

    async def lock_row(self, session, deal_id):
        self.journal.note("lock_row", deal_id)

    async def change(self, session, deal, values):
        self.journal.note("change", dict(values))
        kept = {name: value for name, value in values.items() if name in KNOWN}
        if "status" in kept:
            kept["status"] = DealStatus(kept["status"])
        if kept.get("hold_reason"):
            kept["hold_reason"] = HoldReason(kept["hold_reason"])
        if "trouble_kind" in values:
            kind = values["trouble_kind"]
            kept["trouble"] = kind and Trouble(LegKind(kind), values["trouble_times"])
        row = self.rows[deal.deal_id]
        self.rows[deal.deal_id] = replace(row, version=row.version + 1, **kept)

    async def insert(self, session, new):
        self.journal.note("insert", new)
        self.rows[new.deal_id] = new.record

    async def next_number(self, session):
        self.number += 1
        return self.number

    async def peek_number(self, session):
        return self.number + 1

    async def booked_core(self, session, chain_id):
        return 7

    async def started_core(self, session, chain_id):
        return 7

    async def recent(self, session, *, status, bank, limit):
        rows = [row for row in self.rows.values() if status in (None, row.status)]
        return [row for row in rows if bank in (None, row.bank)][:limit]

    async def put_off(self, session, deal_id, later):
        self.journal.note("put_off", deal_id, later)

    async def take_due(self, session, now, later, limit):
        self.journal.note("take_due", now, later, limit)
        taken, self.due = self.due[:limit], self.due[limit:]
        return taken


KNOWN = frozenset({"status", "hold_reason", "keep_claim", "wake_at", "group_id"})


class Wakes:
    def __init__(self, journal):
        self.journal = journal

    async def wake(self, session, *deals, at=None):
        for deal in deals:
            self.journal.note("wake", deal)


class Groups:
    def __init__(self, journal):
        self.journal = journal

    async def cancel_group(self, session, group_id):
        self.journal.note("cancel_group", group_id)
        return 1


class Audit:
    def __init__(self, journal):
        self.journal = journal

    async def record(self, session, *acts):
        for act in acts:
            self.journal.note("audit", act)


class Outcomes:
    """The transaction layer, which has these outcomes for the legs that are asked for."""

    def __init__(self, *outcomes):
        self.outcomes_ = outcomes
        self.asked = []
        self.caught_up = []
        self.cancelled = []
        self.last = None
        self.followed_to = GONE

    async def followed(self, session, chain_id):
        return self.followed_to

    async def last_block(self, session, deal_id):
        return self.last

    async def next_nonces(self, session, chain_id, addresses):
        return {}

    async def catch_up(self, session, chain_id, sender, on_chain):
        self.caught_up.append((sender, on_chain))

    async def cancel_group(self, session, group_id):
        self.cancelled.append(group_id)
        return 1

    async def outcomes(self, session, deal_id, legs=None):
        self.asked.append(list(legs))
        return [one for one in self.outcomes_ if one.leg_id in legs]


class Account:
    """Sends, after it has raised what it is told to, once each."""

    def __init__(self, journal, *raises):
        self.journal = journal
        self.raises = list(raises)

    async def send(self, session, deal, group_id, legs, *, seen):
        if self.raises:
            raise self.raises.pop()
        self.journal.note("send", group_id, [leg.kind for leg in legs])


class Books:
    """The books; `refuses` is raised when they are asked to settle.

    Where they differ from the chain, they settle nothing before the deal's blocks were looked for.
    """

    def __init__(self, journal, refuses=None):
        self.journal = journal
        self.refuses = refuses

    async def settle(self, session, prepared, *, after):
        if isinstance(self.refuses, (Differs, Unexplained)) and not prepared.is_certain:
            raise Differs
        goes_on = prepared.would_go_on and prepared.doubt is None
        is_settled = isinstance(self.refuses, Unexplained) and not goes_on
        if self.refuses is not None and not is_settled and not isinstance(self.refuses, Differs):
            raise self.refuses
        events = [change.event for change in prepared.script.changes]
        self.journal.note("settle", events, after.status)

    async def save(self, session, deal, seen, *, wake_at, balances, touched):
        self.journal.note("save", deal, wake_at, touched)


class Observer:
    def __init__(self, **what):
        self.what = what
        self.observed = []

    async def observe(self, deal):
        self.observed.append(deal.deal_id)
        return seen(**self.what)

    async def has_lost(self, place, followed):
        return place.number == GONE and followed < GONE + FINALITY - 1


class Builder:
    """Builds the same legs for every move, or refuses."""

    def __init__(self, legs=(), refuses=None):
        self.legs, self.refuses = legs, refuses
        self.moves = []
        self.fees = None

    async def build(self, deal, move, seen):
        self.moves.append(move)
        self.fees = seen.fees
        if self.refuses is not None:
            raise self.refuses
        return self.legs


class TradingStates:
    """The state in force; `then` is what somebody makes of it after it was looked at."""

    def __init__(self, state=TradingState.ACTIVE, then=None):
        self.state, self.then = state, then

    async def glance(self, session, bank, chain):
        found, self.state = self.state, self.then or self.state
        return trading(found)

    async def held(self, session, bank, chain):
        return trading(self.state)


def trading(state):
    """`state` as a person set it for the whole desk."""
    setting = Setting("desk", Source.PERSON, state, "looking into it", "alice", NOW, NOW)
    return Trading(state, setting)


class Approvals:
    """Says whether a plan was approved."""

    def __init__(self, *, is_approved=True):
        self.is_approved = is_approved

    async def authorize(self, session, deal_id, plan, *, author):
        if not self.is_approved:
            raise Rejected("authorization.missing", "nobody approved this plan")


class Standing:
    """The published limits, which nothing tightens."""

    async def in_force(self):
        return InForce(RiskLimits())
