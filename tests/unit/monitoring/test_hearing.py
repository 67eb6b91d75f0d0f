"""What one run of the listener reads, writes and says, over a chain made of numbers."""

from types import SimpleNamespace

import pytest
import structlog

from holdfast.chain.logs import LogPage
from holdfast.common.errors import Transient
from holdfast.monitoring.decoding import Contracts, filters
from holdfast.monitoring.ether import EtherWatch
from holdfast.monitoring.events import Role, Watched
from holdfast.monitoring.hearing import CHUNK, SPAN, Found, Hearing, Parts
from holdfast.monitoring.metrics import MonitoringMetrics
from holdfast.monitoring.trail import REMEMBERED, STEP_BACK
from holdfast.protocols import erc20
from holdfast.transactions.model import Place
from tests.support.alarm import KeptAlarm
from tests.support.fake_chain import SetClock
from tests.unit.monitoring.books import Db
from tests.unit.monitoring.history import AccountRows, EventRows, History, Own, Watching, head
from tests.unit.monitoring.test_classification import (
    CAUSE,
    CHAIN,
    CONTRACTS,
    OTHER,
    OURS,
    WATCHED,
    log,
)

FOLLOWED = {8: "0x8", 9: "0x9"}
OUTFLOW = log(erc20.TRANSFER, OURS, OTHER)


class TwoNodes:
    """The head and the logs come from a node of another fork, the blocks from one of ours."""

    def __init__(self, newest):
        self._newest = newest

    async def head(self):
        return head(self._newest, "f")

    async def logs(self, first, last, _wanted):
        return LogPage(tuple(head(number, "f") for number in range(first, last + 1)), ())

    async def heads(self, numbers):
        return [head(number) for number in numbers]


@pytest.mark.parametrize("newest", [9, 10])
async def test_where_only_one_node_shows_a_fork_the_listener_waits_and_says_nothing(newest):
    parts = SimpleNamespace(
        metrics=MonitoringMetrics.unread(),
        chain_id=138,
        chain=TwoNodes(newest),
        db=Db(),
        watchlist=Watching(),
        clock=SetClock(),
    )
    found = Found(Place(9, "0x9"), dict(FOLLOWED), {}, [], [])
    hearing = Hearing(parts, Contracts((), frozenset()), found)
    with structlog.testing.capture_logs() as told:
        assert not await hearing.step()
    assert told == []


class NoDeals:
    async def booked_core(self, session, chain_id):
        return 0


class Scene:
    """A listener that has followed blocks up to number 9, or up to the last of `blocks`."""

    def __init__(self, chain, *, blocks=None, watched=WATCHED, new=(), own=None, had=()):
        blocks = dict(blocks or FOLLOWED)
        place = Place(max(blocks), blocks[max(blocks)])
        known = list(watched.values())
        own = own or Own()
        self.chain, self.book, self.accounts = chain, EventRows(place, had), AccountRows()
        self.db, self.alarm, self.watching = Db(), KeptAlarm(), Watching(known, new)
        self.clock = SetClock()
        self.parts = Parts(
            chain_id=CHAIN,
            chain=chain,
            db=self.db,
            venues=None,
            watchlist=self.watching,
            own=own,
            ether=EtherWatch(chain, CHAIN, own, NoDeals(), accounts=self.accounts),
            alarm=self.alarm,
            book=self.book,
            accounts=self.accounts,
            clock=self.clock,
        )
        found = Found(place, blocks, {}, known, known)
        self.hearing = Hearing(self.parts, CONTRACTS, found)

    async def step(self):
        with structlog.testing.capture_logs() as told:
            more = await self.hearing.step()
        return more, [line["event"] for line in told]

    def read(self):
        return [page[:2] for page in self.chain.pages]


async def test_with_no_new_block_nothing_is_read_and_new_accounts_are_looked_for():
    scene = Scene(History(9))
    assert await scene.step() == (False, [])
    assert (scene.read(), scene.book.remembered) == ([], [])
    assert scene.watching.asked == [([*WATCHED], 10)]


async def test_new_blocks_are_read_and_remembered_together_with_the_cursor():
    scene = Scene(History(11))
    assert await scene.step() == (False, [])
    assert scene.chain.pages == [(10, 11, filters(CONTRACTS, WATCHED))]
    assert scene.book.place == Place(11, "0x11")
    assert scene.book.remembered == [({10: "0x10", 11: "0x11"}, REMEMBERED)]
    await scene.step()
    assert len(scene.chain.pages) == 1


async def test_who_is_far_behind_reads_in_chunks_and_looks_at_ether_only_at_the_end():
    scene = Scene(History(9 + CHUNK + 1, wei={OURS: 5}))
    assert await scene.step() == (True, [])
    assert scene.read() == [(10, 9 + CHUNK)]
    assert (scene.accounts.noted, scene.watching.asked) == ([], [])
    assert await scene.step() == (False, [])
    assert scene.read()[1:] == [(10 + CHUNK, 10 + CHUNK)]
    assert scene.accounts.noted == [{one: 5 if one == OURS else 0 for one in WATCHED}]


async def test_how_far_it_is_behind_is_shown_as_it_reads():
    scene = Scene(History(9 + CHUNK + 3))
    await scene.step()
    lag = scene.parts.metrics.lag.labels(str(scene.parts.chain_id))
    assert lag.collect()[0].samples[0].value == 3
    await scene.step()
    assert lag.collect()[0].samples[0].value == 0


async def test_ether_is_compared_with_the_last_look_of_this_run():
    chain = History(10, wei={OURS: 5})
    scene = Scene(chain)
    await scene.step()
    chain.newest, chain.wei = 11, {OURS: 3}
    await scene.step()
    assert scene.accounts.noted[1] == {OURS: 3}
    assert [asked for asked, _ in chain.nonces_asked][1] == [OURS]


async def test_what_the_look_at_ether_finds_is_raised_with_the_events_of_the_block():
    scene = Scene(History(10, [OUTFLOW], nonces={OURS: 4}))
    await scene.step()
    assert scene.alarm.codes == ["account.outflow", "account.foreign_nonce"]


async def test_a_page_without_logs_asks_nothing_of_the_journal():
    class Asked(Own):
        async def causes(self, session, hashes):
            raise AssertionError("asked for the causes of nothing")

    scene = Scene(History(10), own=Asked())
    await scene.step()
    assert scene.book.added == []


async def test_what_we_did_not_do_is_raised_and_what_we_did_is_only_kept():
    theirs, ours = (Scene(History(10, [OUTFLOW]), own=own) for own in (Own(), Own({"0xtx": CAUSE})))
    for scene in (theirs, ours):
        await scene.step()
        assert [one.tx_hash for one in scene.book.added] == ["0xtx"]
    assert theirs.alarm.codes == ["account.outflow"]
    assert ours.alarm.codes == []


async def test_an_event_that_is_there_already_is_raised_no_second_time():
    scene = Scene(History(10, [OUTFLOW]), had=[("0xblock", 3)])
    await scene.step()
    assert (scene.book.added, scene.alarm.codes) == ([], [])


async def test_a_second_listener_that_was_faster_leaves_this_one_nothing_to_write():
    scene = Scene(History(10, [OUTFLOW]))
    scene.book.place = Place(10, "0x10")
    with pytest.raises(Transient) as lost:
        await scene.step()
    assert lost.value.code == "events.moved_on"
    assert scene.db.rolled_back == [1]
    assert (scene.book.remembered, scene.book.added, scene.alarm.codes) == ([], [], [])


@pytest.mark.parametrize("newest", [9, 10])
async def test_after_a_reorg_the_listener_goes_back_to_the_fork_and_reads_on_from_there(newest):
    """At 9 the block that we stand on is another; at 10 a new one has another parent."""
    chain = History(newest)
    chain.fork_at = 8
    scene = Scene(chain)
    assert await scene.step() == (True, ["events.reorg"])
    assert scene.book.orphaned == [Place(8, "0x8")]
    assert scene.book.place == Place(8, "0x8")
    assert scene.book.remembered == [({8: "0x8"}, REMEMBERED)]
    assert await scene.step() == (False, [])
    assert scene.book.place == Place(newest, f"0xf{newest}")
    assert scene.read()[-1] == (9, newest)


async def test_a_fork_is_looked_for_in_chunks_from_the_newest_block_down():
    chain = History(300)
    chain.fork_at = 150
    scene = Scene(chain, blocks={number: f"0x{number}" for number in range(101, 301)})
    await scene.step()
    assert [(one[0], one[-1]) for one in chain.heads_asked] == [(300, 201), (200, 101)]
    assert scene.book.orphaned == [Place(150, "0x150")]


@pytest.mark.parametrize(("oldest", "to"), [(101, 101 - STEP_BACK), (30, 0)])
async def test_a_fork_older_than_all_we_remember_is_passed_by_a_margin(oldest, to):
    blocks = {number: f"0x{number}" for number in range(oldest, oldest + 10)}
    chain = History(max(blocks))
    chain.fork_at = -1  # every block is another
    scene = Scene(chain, blocks=blocks)
    await scene.step()
    assert chain.heads_asked[-1] == [to]
    assert scene.book.place == Place(to, f"0xf{to}")


NEW = Watched(OTHER, Role.DEAL, 2)


async def test_a_new_account_is_listened_for_from_its_first_block_on():
    inflow = log(erc20.TRANSFER, OURS, OTHER)
    chain = History(9, [inflow])
    scene = Scene(chain, watched={}, new=[NEW])
    assert await scene.step() == (False, ["events.accounts"])
    assert chain.spans == [(2, 9, filters(CONTRACTS, [OTHER]))]
    ((session, added),) = scene.accounts.added
    assert (session, added) == (2, [NEW])
    assert [one.account for one in scene.book.added] == [NEW]
    assert scene.alarm.codes == ["account.inflow"]
    chain.newest = 10
    scene.watching.still = [NEW]
    await scene.step()
    assert chain.pages == [(10, 10, filters(CONTRACTS, [OTHER]))]
    assert scene.watching.asked[-1] == ([OTHER], 11)


async def test_a_long_past_is_read_in_spans_and_one_still_to_come_not_at_all():
    chain = History(9 + SPAN)
    blocks = {9 + SPAN: f"0x{9 + SPAN}"}
    scene = Scene(chain, blocks=blocks, watched={}, new=[NEW])
    await scene.step()
    assert [one[:2] for one in chain.spans] == [(2, SPAN + 1), (SPAN + 2, SPAN + 9)]
    future = Scene(History(9), watched={}, new=[Watched(OTHER, Role.DEAL, 10)])
    await future.step()
    assert future.chain.spans == []
    assert len(future.accounts.added) == 1


async def test_the_past_of_a_new_account_is_not_taken_from_another_history():
    chain = History(9)
    scene = Scene(chain, watched={}, new=[NEW])
    scene.hearing._blocks[9] = "0xelse"
    with pytest.raises(Transient) as refused:
        await scene.hearing._look_for_accounts()
    assert refused.value.code == "chain.reorged"
    assert scene.accounts.added == []


async def test_a_new_account_is_not_added_where_another_listener_has_moved_the_cursor():
    scene = Scene(History(9), watched={}, new=[NEW])
    scene.book.place = Place(10, "0x10")
    with pytest.raises(Transient, match="another listener"):
        await scene.step()
    assert scene.accounts.added == []
    assert scene.db.rolled_back == [2]


async def test_a_slow_look_at_ether_is_not_taken_at_every_block():
    chain = History(10)
    scene = Scene(chain)
    balances = chain.native_balances

    async def slow(accounts, at):
        scene.clock.seconds += 0.5
        return await balances(accounts, at)

    chain.native_balances = slow
    looked = []
    for chain.newest in (10, 11, 12):
        await scene.step()
        looked.append(len(scene.accounts.noted))
        scene.clock.seconds += 3
    assert looked == [1, 1, 2]
    assert scene.book.place == Place(12, "0x12")


async def test_the_ether_of_the_last_block_is_looked_at_once_a_look_is_due():
    chain = History(10, wei={OURS: 5})
    scene = Scene(chain)
    balances = chain.native_balances

    async def slow(accounts, at):
        scene.clock.seconds += 0.5
        return await balances(accounts, at)

    chain.native_balances = slow
    await scene.step()
    chain.newest, chain.wei, chain.nonces_mined = 11, {OURS: 3}, {OURS: 4}
    await scene.step()
    assert scene.alarm.codes == []
    scene.clock.seconds += 5
    await scene.step()
    assert scene.alarm.codes == ["account.foreign_nonce"]
    assert scene.accounts.noted[1] == {OURS: 3}
    scene.clock.seconds += 5
    await scene.step()
    assert len(scene.accounts.noted) == 2


async def test_a_slow_look_for_accounts_is_not_taken_at_every_step():
    scene = Scene(History(9))
    now = scene.watching.now

    async def slow(*asked):
        scene.clock.seconds += 0.5
        return await now(*asked)

    scene.watching.now = slow
    for _ in range(3):
        await scene.step()
        scene.clock.seconds += 3
    assert len(scene.watching.asked) == 2
