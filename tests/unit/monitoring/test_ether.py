"""Which accounts a look at ether asks about, what it notes, and what it raises."""

from holdfast.common.alerts import Ended
from holdfast.common.evm import BlockRef
from holdfast.monitoring.ether import EtherWatch
from holdfast.monitoring.events import Role, Watched
from tests.unit.monitoring.history import AccountRows, History, Own

AT = BlockRef(9, "0x9", 0)
WATCHED = {f"0x{role}": Watched(f"0x{role}", role, 1) for role in Role}
CORE, DEAL = "0xcore", "0xdeal"
TEN = dict.fromkeys(WATCHED, 10)


class Deals:
    """`booked` wei of the anchor belong to open deals."""

    def __init__(self, booked=0):
        self.booked = booked

    async def booked_core(self, session, chain_id):
        return self.booked


def watch(now, *, nonces=None, given=None, booked=0):
    chain, rows = History(9, wei=TEN | now, nonces=nonces), AccountRows()
    made = EtherWatch(chain, 138, Own(next_nonces=given), Deals(booked), accounts=rows)
    return made, chain, rows


async def look(made, before=TEN):
    found = await made.look(WATCHED, before, AT)
    news = await found.written("session")
    return [(alert.code, alert.subject) for alert in news.alerts]


async def over(made):
    return (await (await made.look(WATCHED, TEN, AT)).written("session")).over


async def test_where_nothing_changed_no_nonce_is_asked_and_nothing_raised():
    made, chain, rows = watch({})
    assert await look(made) == []
    assert (chain.nonces_asked, rows.noted) == ([], [{}])


async def test_only_an_account_that_fell_is_asked_for_its_nonce_and_core_never():
    made, chain, rows = watch({DEAL: 9, CORE: 11, "0xfloat": 11}, nonces={DEAL: 3}, given={DEAL: 3})
    assert await look(made) == []
    assert chain.nonces_asked == [([DEAL], AT)]
    assert rows.noted == [{DEAL: 9, CORE: 11, "0xfloat": 11}]


async def test_at_the_first_look_every_key_is_questioned_but_that_of_core():
    made, chain, _ = watch({})
    assert await look(made, {}) == []
    assert chain.nonces_asked == [([one for one in WATCHED if one != CORE], AT)]


async def test_a_nonce_that_we_never_gave_out_is_raised():
    made, _, _ = watch({DEAL: 9}, nonces={DEAL: 4}, given={DEAL: 3})
    assert await look(made) == [("account.foreign_nonce", DEAL)]


async def test_a_float_that_is_older_than_we_are_is_questioned_only_from_the_second_look_on():
    made, _, _ = watch({"0xfloat": 9}, nonces={"0xfloat": 4})
    assert await look(made, {}) == []
    assert await look(made) == [("account.foreign_nonce", "0xfloat")]


async def test_core_is_compared_with_the_last_look_and_with_what_deals_booked():
    made, _, _ = watch({CORE: 9}, booked=10)
    assert await look(made) == [("core.fell", CORE), ("core.below_booked", CORE)]
    assert await look(made, {}) == [("core.below_booked", CORE)]


async def test_an_anchor_that_covers_what_deals_booked_again_ends_what_was_told_of_it():
    short, _, _ = watch({CORE: 9}, booked=10)
    assert await over(short) == []
    topped_up, _, _ = watch({CORE: 10}, booked=10)
    assert await over(topped_up) == [Ended("core.below_booked", CORE)]
    deal_ended, _, _ = watch({CORE: 9}, booked=0)
    assert await over(deal_ended) == [Ended("core.below_booked", CORE)]
