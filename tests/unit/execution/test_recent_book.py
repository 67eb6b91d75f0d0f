"""A book that is topped up says what one that is read anew says."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.chain.receipts import Head
from holdfast.common.errors import Transient
from holdfast.common.evm import BlockRef, block_hash
from holdfast.common.ids import new_deal_id
from holdfast.common.money import RAY, USD8, WAD, Usd8
from holdfast.execution.book import BookReader
from holdfast.execution.observer import ChainObserver
from holdfast.execution.open_deals import OpenDeal, Recorded, Traded
from holdfast.execution.recent_book import RECENT_SECONDS, RecentBook
from holdfast.execution.stress_book import StressBook, after_purchase
from holdfast.model.deal import DealStatus
from holdfast.model.plan import Plan
from holdfast.protocols.aave_v3.pool import scaled_balance
from holdfast.risk.book import stressed_book
from holdfast.risk.exit_pool import ExitPool
from holdfast.risk.scenarios import STANDARD
from tests.unit.execution.scene import AT, GWEI, PARENT, deal
from tests.unit.execution.test_book import LIMITS, BookChain
from tests.unit.execution.test_observer import A_USDT, A_WETH, DEBT_USDT, reserve
from tests.unit.execution.test_stress_book import with_pool
from tests.unit.planning.world import USDT, VENUES, WETH, place

STATUSES = (DealStatus.APPROVED, DealStatus.EXECUTING, DealStatus.HOLDING, DealStatus.CLOSING)
POOL = ExitPool(Usd8(500_000_000 * USD8), 500)


class World(BookChain):
    """A chain and the records of the deals on it; what a deal holds changes with its row."""

    def __init__(self):
        super().__init__()
        self.rate, self.price, self.blocks, self.forks = 4 * RAY // 100, 2_000, {}, 0
        self.rows, self.moved, self.last = {}, {}, 0
        self.mine(1)

    async def head(self):
        return Head(self.at, PARENT, GWEI, 30_000_000, 0)

    async def block(self, number):
        return Head(self.blocks[number], PARENT, GWEI, 30_000_000, 0)

    def mine(self, seconds, *, again=0):
        """A further block, or another one in the place of the last `again` blocks.

        What those had done to deals is undone, and no row tells.
        """
        number, time = self.at.number + 1 - again, self.at.timestamp + seconds
        self.forks += bool(again)
        for deal_number, one in self.rows.items():
            if self.moved[deal_number] >= number:
                self.moved[deal_number] = number
                self.hold(one.plan.accounts.deal, self.forks)
        digest = block_hash(f"0x{number:032x}{self.forks:032x}")
        self.at = self.blocks[number] = BlockRef(number, digest, time)
        accrued = {"last_update": time, "variable_borrow_rate": self.rate}
        self.set(VENUES.aave.reserve(USDT.address), replace(reserve(A_USDT), **accrued))
        self.set(VENUES.aave.reserve(WETH.address), replace(reserve(A_WETH), last_update=time))
        self.set(VENUES.oracle.price(WETH.address), Usd8(self.price * USD8))

    def join(self, status, size):
        self.last += 1
        record = deal(status=status)
        accounts = replace(record.plan.accounts, deal=place(0x1000 + self.last))
        plan = Plan(replace(record.plan.envelope, accounts=accounts), record.plan.quoted_at, {})
        changes = {"deal_id": new_deal_id(), "deal_number": self.last, "plan": plan}
        self.rows[self.last] = replace(record, version=0, **changes)
        self.move(self.last, size)

    def move(self, number, size):
        """Its legs were mined, and its row moved on."""
        one = self.rows[number]
        self.rows[number] = replace(one, version=one.version + 1)
        self.moved[number] = self.at.number
        self.hold(one.plan.accounts.deal, size)

    def hold(self, owner, size):
        self.set(VENUES.weth_token.balance_of(owner), size * WAD)
        self.set(scaled_balance(A_WETH, owner), 2 * size * WAD)
        self.set(scaled_balance(DEBT_USDT, owner), size * 200 * 10**6)
        self.set(VENUES.usdtz.balance_of(owner), size * 300 * 10**6)

    def leave(self, number):
        del self.rows[number]

    # the records, as `OpenDeals` has them

    async def versions(self):
        return {number: one.version for number, one in self.rows.items()}

    async def at_least(self, versions):
        return {number: self._opened(number) for number in versions}

    def _opened(self, number):
        return OpenDeal(self.rows[number], Traded(0, 0, Usd8(0)))


class Reader(BookReader):
    """Counts its readings, and its looks at some deals."""

    readings = looks = 0
    _began = None

    async def begin_of_look(self):
        self._began = asyncio.Event()
        await self._began.wait()

    async def read(self):
        self.readings += 1
        return await super().read()

    async def look(self, deals):
        self.looks += 1
        if self._began is not None:
            self._began.set()
        return await super().look(deals)


class All:
    def __init__(self, world):
        self.world = world

    async def read(self):
        found = await self.world.at_least(sorted(self.world.rows))
        return Recorded(tuple(found.values()))

    async def versions(self):
        return await self.world.versions()


def readers(world):
    observer = ChainObserver(world, VENUES, LIMITS)
    reader = Reader(All(world), world, observer, LIMITS)
    return reader, RecentBook(reader, world, observer, LIMITS)


def ends(book):
    deals = [after_purchase(row, book.market) for row in book.rows]
    return stressed_book(STANDARD, deals, POOL) if deals else ()


async def require_the_same(world, recent):
    """The book as it is topped up, and as somebody reads it who has read nothing before."""
    found = await recent.read()
    anew = await readers(world)[0].read()
    assert found.at == anew.at
    assert [(row.deal, row.exposed) for row in found.rows] == [
        (row.deal, row.exposed) for row in anew.rows
    ]
    assert found.booked_core == anew.booked_core
    assert ends(found) == ends(anew)


sizes = st.integers(min_value=1, max_value=2_000)
steps = st.one_of(
    st.tuples(st.just("join"), st.sampled_from(STATUSES), sizes),
    st.tuples(st.just("move"), st.integers(0, 9), sizes),
    st.tuples(st.just("leave"), st.integers(0, 9)),
    st.tuples(st.just("mine"), st.integers(0, 2 * RECENT_SECONDS)),
    st.tuples(st.just("fork"), st.integers(1, 3)),
    st.tuples(st.just("price"), st.integers(1_000, 3_000)),
    st.tuples(st.just("rate"), st.integers(0, 100)),
    st.tuples(st.just("tick")),
    st.tuples(st.just("ask")),
)


async def take(world, reader, step):
    match step:
        case ("join", status, size):
            world.join(status, size)
        case ("move", place_, size) if world.rows:
            world.move(sorted(world.rows)[place_ % len(world.rows)], size)
        case ("leave", place_) if world.rows:
            world.leave(sorted(world.rows)[place_ % len(world.rows)])
        case ("mine", seconds):
            world.mine(seconds)
        case ("fork", depth) if depth < world.at.number - AT.number:
            world.mine(1, again=depth)
        case ("price", dollars):
            world.price = dollars
            world.mine(1)
        case ("rate", percent):
            world.rate = percent * RAY // 100
            world.mine(1)
        case ("tick",):  # the monitor, with the same reader
            await reader.read()
        case _:
            pass


@pytest.mark.slow
@given(st.lists(st.tuples(steps, st.booleans()), max_size=30))
@settings(max_examples=150)
def test_whatever_happened_the_verdicts_are_those_of_a_book_read_anew(path):
    async def run():
        world = World()
        reader, recent = readers(world)
        for step, is_asked in path:
            await take(world, reader, step)
            if is_asked:
                await require_the_same(world, recent)
        await require_the_same(world, recent)

    asyncio.run(run())


@pytest.fixture
def world():
    made = World()
    for size in (100, 200, 300):
        made.join(DealStatus.HOLDING, size)
    return made


async def test_only_deals_whose_rows_changed_are_read_again(world):
    reader, recent = readers(world)
    await recent.read()
    world.mine(1)
    world.move(2, 250)
    world.join(DealStatus.APPROVED, 50)
    world.leave(1)
    asked = world.bundles
    book = await recent.read()
    assert (reader.readings, world.bundles - asked) == (1, 2)
    assert [row.deal.deal_number for row in book.rows] == [2, 3, 4]
    assert [row.position.at.number for row in book.rows] == [world.at.number, 91, world.at.number]
    await recent.read()
    assert world.bundles - asked == 2  # nothing is read twice


@pytest.mark.parametrize("who_read", ["the monitor", "nobody"])
async def test_what_the_monitor_read_is_not_read_again(world, who_read):
    reader, recent = readers(world)
    if who_read == "the monitor":
        await reader.read()
    await recent.read()
    assert reader.readings == 1


async def _older(world):
    for _ in range(RECENT_SECONDS + 1):
        world.mine(1)


async def _younger(world):
    for _ in range(RECENT_SECONDS):
        world.mine(1)


async def _reorged(world):
    world.mine(1, again=1)
    world.mine(1)


async def _priced(world):
    world.price += 1
    world.mine(1)


async def _dearer(world):
    world.rate = RAY
    world.mine(1)


@pytest.mark.parametrize(
    ("change", "readings"),
    [(_older, 2), (_younger, 1), (_reorged, 2), (_priced, 2), (_dearer, 2)],
)
async def test_a_book_that_says_nothing_of_now_is_read_anew(world, change, readings):
    reader, recent = readers(world)
    await recent.read()
    await change(world)
    await recent.read()
    assert reader.readings == readings


async def test_those_who_ask_at_once_share_what_began_after_they_asked(world):
    reader, recent = readers(world)
    await recent.read()
    world.mine(1)
    looks = reader.looks
    first = asyncio.create_task(recent.read())
    await reader.begin_of_look()
    world.join(DealStatus.APPROVED, 50)  # too late for the look that is under way
    later = await asyncio.gather(*(recent.read() for _ in range(8)))
    assert len((await first).rows) == 3
    assert [len(book.rows) for book in later] == [4] * 8
    assert (reader.readings, reader.looks - looks) == (1, 2)


async def test_nobody_is_given_what_was_read_before_a_look_that_failed(world):
    _, recent = readers(world)
    await recent.read()
    world.join(DealStatus.APPROVED, 50)
    world.mine(1)
    world.fails = Transient("rpc.unreachable", "away")
    failed, *later = await asyncio.gather(
        *(recent.read() for _ in range(3)), return_exceptions=True
    )
    assert isinstance(failed, Transient)
    assert [len(book.rows) for book in later] == [4, 4]


async def test_a_reading_that_fails_leaves_the_last_one_as_it_was(world):
    reader, recent = readers(world)
    await recent.read()
    world.mine(1)
    world.move(2, 250)
    world.fails = Transient("rpc.unreachable", "away")
    with pytest.raises(Transient):
        await recent.read()
    await require_the_same(world, recent)
    assert reader.readings == 1


async def test_stress_takes_it_as_it_takes_the_book(world):
    with_pool(world, 400_000_000)
    reader, recent = readers(world)
    anew = await StressBook(reader, world, VENUES).read()
    assert await StressBook(recent, world, VENUES).read() == anew
