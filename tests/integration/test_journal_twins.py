"""Random operations on PostgreSQL and on its twin in memory leave the same rows.

The simulation believes the twin, so whatever it is asked in any order has to be answered alike.
"""

import random
from collections import Counter
from dataclasses import replace

import pytest

from holdfast.common.evm import BlockRef, Receipt
from holdfast.signing.model import Fees
from holdfast.transactions.model import (
    Delivery,
    Intent,
    IntentStatus,
    Place,
    Progress,
    Purpose,
    Send,
    Sent,
    StatusChange,
)
from tests.integration.test_transactions_journal import InMemory, OnPostgres
from tests.support.transactions import FEES, group, signed, wish

OPERATIONS = 60
STATUSES = [one for one in IntentStatus if one is not IntentStatus.DISPLACED]


class Twins:
    """The same operation on both, with what each of them said."""

    def __init__(self, database, seed):
        self.rng = random.Random(seed)  # noqa: S311 - chance that can be repeated is the point
        self.log = []
        self.both = [OnPostgres(database), InMemory()]
        self.intents = []
        self.next_nonce = Counter()

    async def ask(self, name, *arguments):
        first, second = [await getattr(one.journal, name)(*arguments) for one in self.both]
        assert first == second, "\n".join(self.log[-3:])
        return first

    async def record(self):
        index = self.rng.randint(1, 2)
        wishes = group(self.rng.randint(1, 3), index, depth=self.rng.randint(1, 3))
        await self.both[0].record(wishes)
        first = self.next_nonce[index]
        self.next_nonce[index] += len(wishes)
        made = [
            Intent(new, nonce, IntentStatus.SIGNED, False, (await signed(new, nonce, FEES),))
            for nonce, new in enumerate(wishes, first)
        ]
        self.both[1].journal.record(made)
        self.intents += made

    async def cancel(self, intent):
        chosen = [one for one in self.intents if one.new.group_id == intent.new.group_id]
        await self.both[0].ask_to_cancel(intent.new)
        for one in chosen:
            known = self.both[1].journal.intents[one.intent_id]
            if not known.status.is_final:
                await self.both[1].ask_to_cancel(one.new)

    async def send(self, intent):
        number = self.rng.randint(1, len(self._known(intent).attempts))
        delivery = self.rng.choice(list(Delivery))
        sent = Sent(self.rng.randint(1, 50), float(self.rng.randint(1, 5_000)), delivery)
        await self.ask("sent", [Send(intent.intent_id, number, sent)])

    async def replace(self, intent):
        known = self._known(intent)
        number = len(known.attempts) + self.rng.choice((0, 1, 1, 1))
        purpose = self.rng.choice(list(Purpose))
        cap = FEES.cap_wei + number * 10**9 + self.rng.randint(0, 10**6)
        fees = Fees(cap, FEES.tip_wei)
        attempt = await signed(intent.new, intent.nonce, fees, number, purpose)
        await self.ask("add_attempt", known, attempt)

    async def follow(self, intent):
        known = self._known(intent)
        number = self.rng.randint(40, 50)
        receipts = ((known, self._receipt(known, number)),) if self.rng.random() < 0.5 else ()
        status = self.rng.choice(STATUSES)
        is_final_early = status.is_final and not receipts and known.receipt is None
        evidence = {"at": number, **self.rng.choice(({}, {"reason": "foreign_nonce"}))}
        changes = () if is_final_early else (StatusChange(known, status, evidence),)
        await self.ask("advance", Progress(receipts, changes, self._place(number)))

    async def go_back(self, intent):
        gone = [self._place(self.rng.randint(40, 50)) for _ in range(self.rng.randint(1, 3))]
        await self.ask("unmine", list(dict.fromkeys(gone)), self.rng.randint(45, 55))

    async def fill(self, intent):
        no_op = wish(1, deal_id=intent.new.deal_id, leg_id=intent.new.leg_id)
        no_op = replace(no_op, leg_id=wish(1).leg_id)
        attempt = await signed(no_op, intent.nonce, FEES, 1, Purpose.CANCEL)
        filler = Intent(no_op, intent.nonce, IntentStatus.SIGNED, False, (attempt,))
        if intent.new.sender == no_op.sender:
            assert await self.ask("fill", filler) is False

    async def compare(self):
        for name in ("live", "to_act_on", "place"):
            await self.ask(name)
        await self.ask("mined_above", self.rng.randint(39, 50))
        woken = [Counter(one.woken) for one in self.both]
        assert woken[0] == woken[1]

    async def step(self):
        if not self.intents or self.rng.random() < 0.15:
            await self.record()
        else:
            moves = (self.cancel, self.send, self.replace, self.follow, self.go_back, self.fill)
            move, intent = self.rng.choice(moves), self.rng.choice(self.intents)
            self.log.append(f"{move.__name__} {intent.intent_id} as {self._known(intent)}")
            await move(intent)
        await self.compare()

    def _known(self, intent):
        return self.both[1].journal.intents[intent.intent_id]

    def _receipt(self, intent, number):
        chosen = self.rng.choice(intent.attempts).tx_hash
        ref = BlockRef(number, self._place(number).hash, 1_000 + number)
        return Receipt(chosen, ref, intent.new.sender, True, 21_000, 10**9, ())

    @staticmethod
    def _place(number):
        return Place(number, "0x" + f"{number:064x}")


@pytest.mark.parametrize("seed", range(5))
async def test_the_same_operations_leave_the_same_rows(database, seed):
    twins = Twins(database, seed)
    for _ in range(OPERATIONS):
        await twins.step()
    rows, twin = [await one.journal.live() for one in twins.both]
    assert rows == twin
    # The two agreed about something: every kind of operation was among those of this seed.
    done = {line.split()[0] for line in twins.log}
    assert done == {"cancel", "send", "replace", "follow", "go_back", "fill"}
