"""A chain made of block numbers, and the book of one that listens to it."""

from holdfast.chain.logs import LogPage
from holdfast.chain.receipts import Head
from holdfast.common.evm import BlockRef


def head(number, fork="", parent_fork=None):
    """Block `number` of the history called `fork`."""
    before = fork if parent_fork is None else parent_fork
    return Head(
        ref=BlockRef(number, f"0x{fork}{number}", 0),
        parent=f"0x{before}{number - 1}",
        base_fee_wei=0,
        gas_limit=1,
        gas_used=0,
    )


class History:
    """One history up to `newest`; `fork_at` gives the blocks above it other hashes.

    What was asked for is kept: pages and spans as (first, last, accounts' filters), heads as
    numbers. `logs_found` answers both.
    """

    def __init__(self, newest, logs=(), wei=None, nonces=None):
        self.newest, self.logs_found = newest, logs
        self.wei, self.nonces_mined = wei or {}, nonces or {}
        self.fork_at = None
        self.pages, self.spans, self.heads_asked, self.nonces_asked = [], [], [], []

    def block(self, number):
        if self.fork_at is None or number <= self.fork_at:
            return head(number)
        return head(number, "f", "" if number == self.fork_at + 1 else "f")

    async def head(self):
        return self.block(self.newest)

    async def heads(self, numbers):
        self.heads_asked.append(list(numbers))
        return [self.block(number) for number in numbers]

    async def logs(self, first, last, filters):
        self.pages.append((first, last, filters))
        return LogPage(tuple(map(self.block, range(first, last + 1))), tuple(self.logs_found))

    async def span(self, first, last, filters):
        self.spans.append((first, last, filters))
        return self.block(last), list(self.logs_found)

    async def native_balances(self, accounts, at):
        return {one: self.wei.get(one, 0) for one in accounts}

    async def nonces(self, accounts, at):
        self.nonces_asked.append((list(accounts), at))
        return {one: self.nonces_mined.get(one, 0) for one in accounts}


class EventRows:
    """The cursor and what is written with it; events in `had` are there already."""

    def __init__(self, place, had=()):
        self.place, self.had = place, list(had)
        self.remembered, self.orphaned, self.added = [], [], []

    async def move(self, session, chain_id, before, after):
        if before != self.place:
            return False
        self.place = after
        return True

    async def remember(self, session, chain_id, blocks, *, keep):
        self.remembered.append((dict(blocks), keep))

    async def orphan(self, session, chain_id, fork):
        self.orphaned.append(fork)
        return 2

    async def add(self, session, chain_id, events):
        new = [one for one in events if (one.block_hash, one.log_index) not in self.had]
        self.added += new
        return new


class AccountRows:
    """The accounts that were added, and the balances noted, call by call."""

    def __init__(self):
        self.added, self.noted = [], []

    async def add(self, session, chain_id, accounts):
        self.added.append((session, list(accounts)))

    async def note_balances(self, session, chain_id, changed):
        self.noted.append(dict(changed))


class Watching:
    """Who is to be listened for, as (still, new); the new ones are found once."""

    def __init__(self, still=(), new=()):
        self.still, self.new = list(still), list(new)
        self.asked = []

    async def now(self, session, known, block):
        self.asked.append(([one.address for one in known], block))
        new, self.new = self.new, []
        return list(self.still), new


class Own:
    """What we signed: causes by transaction, and the next nonces by account."""

    def __init__(self, causes=None, next_nonces=None):
        self.of, self.given = causes or {}, next_nonces or {}

    async def causes(self, session, hashes):
        return {one: cause for one, cause in self.of.items() if one in hashes}

    async def next_nonces(self, session, chain_id, addresses):
        return {one: nonce for one, nonce in self.given.items() if one in addresses}
