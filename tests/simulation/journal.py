"""The rows that survive every crash, and the journal through which one process reaches them."""

from __future__ import annotations

from holdfast.common.errors import Rejected, Transient
from holdfast.transactions.errors import ForeignNonce
from holdfast.transactions.model import Attempt, Intent, IntentStatus, Purpose
from tests.support.fake_chain import MemoryJournal

FREES_LEG = {IntentStatus.REVERTED, IntentStatus.CANCELLED, IntentStatus.DISPLACED}


class Rows(MemoryJournal):
    """What is committed: the journal's twin of the unit tests, and what `record` writes."""

    def __init__(self, finality):
        super().__init__(finality)
        self.next_nonce = {}

    def insert(self, wishes, fees, chain_nonces, sign):
        """What `Transactions.record` commits: nonces, intents and their first signed bytes."""
        taken = {one.new.leg_id for one in self.intents.values() if one.status not in FREES_LEG}
        if any(new.leg_id in taken for new in wishes):
            raise Rejected("tx.leg_has_intent", "a leg has an intent that is live or landed")
        made, nonces = [], dict(self.next_nonce)
        for new in wishes:
            on_chain = chain_nonces[new.sender]
            nonce = nonces.setdefault(new.sender, on_chain)
            if nonce < on_chain:
                raise ForeignNonce(new.sender, nonce, on_chain)
            nonces[new.sender] = nonce + 1
            attempt = Attempt(1, Purpose.CALL, *sign(new, nonce, fees), fees)
            made.append(Intent(new, nonce, IntentStatus.SIGNED, False, (attempt,)))
        self.next_nonce = nonces
        self.record(made)
        return made

    def catch_up(self, sender, on_chain):
        """What `Transactions.catch_up` commits; the nonces that it gives to nobody."""
        next_nonce = self.next_nonce[sender]
        below = self.live_below(sender, on_chain)
        if below:
            raise Transient("tx.nonces_unsettled", f"{len(below)} intents are live")
        self.next_nonce[sender] = max(next_nonce, on_chain)
        return range(next_nonce, on_chain)

    def live_below(self, sender, nonce):
        """The sender's intents below `nonce` that are not final, nor lack only their event."""
        return [
            one
            for one in self.intents.values()
            if one.new.sender == sender
            and one.nonce < nonce
            and not one.status.is_final
            and (one.status, one.reason) != (IntentStatus.AMBIGUOUS, "event_missing")
        ]

    def request_cancel(self, group_id):
        """What `Transactions.cancel_group` commits."""
        for one in list(self.intents.values()):
            if one.new.group_id == group_id and not one.status.is_final:
                self._update(one.intent_id, cancel_requested=True)


class Journal:
    """The loop's `Journal` port, for one process: each call is one transaction, or none."""

    def __init__(self, process):
        self._process = process
        self._rows = process.world.rows
        self._checks = process.world.checks

    async def place(self):
        return await self._run("place", self._rows.place)

    async def live(self):
        return await self._run("live", self._rows.live)

    async def to_act_on(self):
        return await self._run("to_act_on", self._rows.to_act_on)

    async def sent(self, sends):
        await self._write("sent", lambda: self._rows.sent(sends))

    async def advance(self, progress):
        await self._write("advance", lambda: self._advancing(progress))

    async def add_attempt(self, intent, attempt):
        return await self._write("add_attempt", lambda: self._adding(intent, attempt))

    async def fill(self, intent):
        return await self._write("fill", lambda: self._filling(intent))

    async def mined_above(self, number):
        return await self._run("mined_above", lambda: self._rows.mined_above(number))

    async def mined_above_finality(self, followed):
        return await self._run("mined_above", lambda: self._rows.mined_above_finality(followed))

    async def unmine(self, gone, followed):
        return await self._write("unmine", lambda: self._unmining(gone, followed))

    async def _advancing(self, progress):
        before = dict(self._rows.intents)
        await self._rows.advance(progress)
        self._checks.advanced(progress, before)

    async def _adding(self, intent, attempt):
        added = await self._rows.add_attempt(intent, attempt)
        if added:
            self._checks.added(intent, attempt)
        return added

    async def _unmining(self, gone, followed):
        unmined = await self._rows.unmine(gone, followed)
        self._checks.unmined(unmined)
        return unmined

    async def _filling(self, intent):
        is_new = await self._rows.fill(intent)
        if is_new:
            self._checks.filled(intent)
        return is_new

    async def _write(self, name, transaction):
        def fenced():
            self._process.world.lead.fence(self._process)
            return committed(transaction())

        return await self._process.call(name, fenced, "journal_error")

    async def _run(self, name, transaction):
        return await self._process.call(name, lambda: committed(transaction()), "journal_error")


def committed(transaction):
    """What the rows' coroutine returns; it never waits, so it runs as one instant."""
    try:
        transaction.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("the rows waited for something in the middle of a transaction")
