"""What is recorded of a group, and how an account goes on after its key was used elsewhere."""

from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from holdfast.common.errors import Rejected, Transient
from holdfast.common.ids import new_group_id
from holdfast.transactions import service as module
from holdfast.transactions.errors import ForeignNonce
from holdfast.transactions.model import Purpose
from holdfast.transactions.service import Transactions
from tests.support.alarm import KeptAlarm
from tests.support.fake_chain import Tx
from tests.support.transactions import ADDRESSES, CEILING, CHAIN, FEES, group, keys, wish

FIRST, SECOND = ADDRESSES[1], ADDRESSES[2]


class Rows:
    """The signers' next nonces, the live intents at used nonces, and what was inserted."""

    def __init__(self):
        self.next_nonce = {}
        self.live = 0
        self.inserted = []
        self.locked = []

    async def allocate(self, session, chain_id, sender, key, *, on_chain, count):
        self.locked.append(sender)
        first = self.next_nonce.get(sender, on_chain)
        self.next_nonce[sender] = first + count
        return first

    async def insert_intents(self, session, made):
        self.inserted += made

    async def lock_signer(self, session, chain_id, sender):
        return self.next_nonce.get(sender)

    async def count_unsettled_below(self, session, chain_id, sender, nonce):
        return self.live

    async def skip_to(self, session, chain_id, sender, nonce):
        self.next_nonce[sender] = nonce

    async def outcomes_of(self, session, deal_id, legs):
        return [("outcomes", deal_id, legs)]

    async def last_block_of(self, session, deal_id):
        return ("last block", deal_id)

    async def followed_to(self, session, chain_id):
        return 7

    async def live_value_of(self, session, chain_id, sender):
        return 5

    async def causes_of(self, session, hashes):
        return dict.fromkeys(hashes, "ours")

    async def next_nonces(self, session, chain_id, addresses):
        return {one: self.next_nonce[one] for one in addresses}

    async def request_cancel(self, session, group_id):
        return 2


@pytest.fixture
def rows(monkeypatch):
    made = Rows()
    for store in ("recording", "reading", "updating", "causes"):
        monkeypatch.setattr(module, store, made)
    return made


def record(intents, fees=FEES, on_chain=None, boundary=lambda name: None):
    counts = dict.fromkeys(ADDRESSES.values(), 0) if on_chain is None else on_chain
    return Transactions(keys, boundary).record("session", intents, fees, counts)


def shared(*wishes):
    """One group of several senders."""
    first = wishes[0]
    return [replace(one, group_id=first.group_id, deal_id=first.deal_id) for one in wishes]


async def test_a_group_gets_consecutive_nonces_in_its_own_order(rows):
    rows.next_nonce[FIRST] = 7
    wishes = group(3)
    recorded = await record(wishes)
    assert [(one.intent_id, one.nonce) for one in recorded] == [
        (new.intent_id, nonce) for nonce, new in enumerate(wishes, 7)
    ]


async def test_the_bytes_that_are_kept_are_signed_by_the_sender_at_that_nonce(rows):
    wishes = group(2)
    recorded = await record(wishes, on_chain={FIRST: 4})
    for (new, nonce, attempt), told in zip(rows.inserted, recorded, strict=True):
        tx = Tx.read(attempt.raw)
        assert (tx.sender, tx.nonce, tx.hash) == (new.sender, nonce, told.tx_hash)
        assert (tx.cap, tx.tip, tx.value) == (FEES.cap_wei, FEES.tip_wei, new.call.value_wei)
        assert (attempt.attempt_no, attempt.purpose) == (1, Purpose.CALL)
    assert [nonce for _, nonce, _ in rows.inserted] == [4, 5]


async def test_each_sender_counts_for_itself_and_the_group_keeps_its_order(rows):
    rows.next_nonce = {FIRST: 3, SECOND: 8}
    wishes = shared(wish(1), wish(2), wish(1), wish(2))
    recorded = await record(wishes)
    assert [one.nonce for one in recorded] == [3, 8, 4, 9]
    assert [one.leg_id for one in recorded] == [one.leg_id for one in wishes]


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
async def test_signers_are_locked_in_one_order_whatever_the_groups_own(rows, order):
    await record(shared(*(wish(index) for index in order)))
    assert rows.locked == sorted([FIRST, SECOND])


async def test_the_crash_point_after_signing_comes_before_anything_is_written(rows):
    seen = []
    await record(group(1), boundary=lambda name: seen.append((name, len(rows.inserted))))
    assert seen == [("tx.after_sign", 0)]


@pytest.mark.parametrize(
    "wishes",
    [
        [],
        [wish(), wish()],
        [(one := wish()), replace(one, group_id=new_group_id())],
        [one, replace(one, chain_id=CHAIN + 1)],
    ],
    ids=["nothing", "two deals", "two groups", "two chains"],
)
async def test_only_one_group_of_one_deal_and_chain_is_recorded_at_once(rows, wishes):
    with pytest.raises(Rejected) as caught:
        await record(wishes)
    assert caught.value.code == "tx.mixed_group"
    assert rows.inserted == rows.locked == []


async def test_fees_may_reach_the_lowest_ceiling_and_not_pass_it(rows):
    first, second = group(2)
    low = replace(second, fee_ceiling_wei=FEES.cap_wei)
    await record([first, low])
    with pytest.raises(Transient) as caught:
        await record([first, low], fees=replace(FEES, cap_wei=FEES.cap_wei + 1))
    assert caught.value.code == "tx.fee_ceiling"
    assert caught.value.fields == {"limit": FEES.cap_wei, "value": FEES.cap_wei + 1}
    assert first.fee_ceiling_wei == CEILING
    assert len(rows.inserted) == 2


async def test_a_sender_whose_count_nobody_read_gets_no_nonce(rows):
    with pytest.raises(Rejected) as caught:
        await record(group(1), on_chain={SECOND: 0})
    assert caught.value.code == "tx.chain_nonce"
    assert rows.locked == rows.inserted == []


async def test_more_transactions_on_the_chain_than_we_signed_stop_the_group(rows):
    rows.next_nonce[FIRST] = 4
    with pytest.raises(ForeignNonce) as caught:
        await record(group(2), on_chain={FIRST: 5})
    assert (caught.value.sender, caught.value.on_chain) == (FIRST, 5)
    assert caught.value.fields["limit"] == 4
    assert rows.inserted == []


async def test_a_chain_that_lags_behind_what_we_signed_is_no_foreign_use(rows):
    rows.next_nonce[FIRST] = 4
    (one,) = await record(group(1), on_chain={FIRST: 2})
    assert one.nonce == 4


def catch_up(on_chain, alarm):
    return Transactions(keys, alarm=alarm).catch_up("session", CHAIN, FIRST, on_chain)


@pytest.mark.parametrize(
    ("ours", "on_chain"), [(None, 9), (4, 4), (4, 3)], ids=["unknown", "equal", "lagging"]
)
async def test_without_a_foreign_use_nothing_is_caught_up_with(rows, ours, on_chain):
    rows.next_nonce = {} if ours is None else {FIRST: ours}
    alarm = KeptAlarm()
    assert await catch_up(on_chain, alarm) == 0
    assert alarm.alerts == []
    assert rows.next_nonce == ({} if ours is None else {FIRST: ours})


async def test_after_a_foreign_use_the_next_nonce_is_the_chains_and_people_are_told(rows):
    rows.next_nonce[FIRST] = 4
    alarm = KeptAlarm()
    assert await catch_up(7, alarm) == 3
    assert rows.next_nonce == {FIRST: 7}
    (alert,) = alarm.alerts
    assert (alert.code, alert.subject) == ("tx.foreign_nonce", FIRST)
    assert (alert.fields["signed"], alert.fields["on_chain"]) == (4, 7)


async def test_nothing_is_skipped_while_an_intent_of_ours_at_a_used_nonce_is_live(rows):
    rows.next_nonce[FIRST], rows.live = 4, 2
    alarm = KeptAlarm()
    with pytest.raises(Transient) as caught:
        await catch_up(7, alarm)
    assert (caught.value.code, caught.value.fields["value"]) == ("tx.nonces_unsettled", 2)
    assert rows.next_nonce == {FIRST: 4}
    assert alarm.alerts == []


async def test_a_foreign_use_is_logged_where_there_is_nobody_to_deliver_to(rows):
    rows.next_nonce[FIRST] = 1
    with capture_logs() as logs:
        assert await Transactions(keys).catch_up("session", CHAIN, FIRST, 2) == 1
    assert [one.get("code") for one in logs] == ["tx.foreign_nonce", None]


@pytest.mark.parametrize(
    ("ask", "answer"),
    [
        (lambda asked: asked.outcomes("s", "deal", ["leg"]), [("outcomes", "deal", ["leg"])]),
        (lambda asked: asked.last_block("s", "deal"), ("last block", "deal")),
        (lambda asked: asked.followed("s", CHAIN), 7),
        (lambda asked: asked.live_value("s", CHAIN, FIRST), 5),
        (lambda asked: asked.causes("s", ["0x1"]), {"0x1": "ours"}),
        (lambda asked: asked.next_nonces("s", CHAIN, [FIRST]), {FIRST: 3}),
        (lambda asked: asked.cancel_group("s", "group"), 2),
    ],
    ids=["outcomes", "last block", "followed", "live value", "causes", "next nonces", "cancel"],
)
async def test_what_execution_asks_is_answered_from_the_rows(rows, ask, answer):
    rows.next_nonce[FIRST] = 3
    assert await ask(Transactions(keys)) == answer
