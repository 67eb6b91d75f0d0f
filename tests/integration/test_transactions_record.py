import asyncio
from contextlib import suppress

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from holdfast.common.db import libpq_url
from holdfast.common.errors import Broken, Rejected, Transient
from holdfast.common.evm import keccak256
from holdfast.common.ids import new_deal_id, new_intent_id
from holdfast.transactions.model import IntentStatus
from holdfast.transactions.service import Transactions
from holdfast.transactions.store import TRIGGERS, reading, recording, unmining
from tests.support.alarm import KeptAlarm
from tests.support.rows import rows
from tests.support.transactions import (
    ADDRESSES,
    CEILING,
    CHAIN,
    FEES,
    GWEI,
    Fees,
    group,
    keys,
    wish,
)

service = Transactions(keys)
ON_CHAIN = dict.fromkeys(ADDRESSES.values(), 0)


class Crashed(BaseException):
    """Stands for the end of the process before the commit."""


async def record(database, wishes, fees=FEES, on_chain=ON_CHAIN):
    async with database.begin() as session:
        return await service.record(session, wishes, fees, on_chain)


async def code_of(action):
    with pytest.raises((Rejected, Transient, Broken)) as caught:
        await action
    return caught.value.code


async def test_a_group_gets_consecutive_nonces_in_its_order_from_the_chains_count(database):
    wishes = group(3)
    done = await record(database, wishes, on_chain={ADDRESSES[1]: 41})
    assert [one.leg_id for one in done] == [one.leg_id for one in wishes]
    assert [one.nonce for one in done] == [41, 42, 43]
    (later,) = await record(database, [wish()], on_chain={ADDRESSES[1]: 41})
    assert later.nonce == 44  # ours, not the chain's: three are on their way


async def test_the_committed_bytes_are_the_ones_whose_hash_was_returned(database):
    (done,) = await record(database, [wish()])
    ((raw, tx_hash),) = await rows(database, "SELECT raw, tx_hash FROM attempts")
    assert tx_hash == done.tx_hash == "0x" + keccak256(raw).hex()


async def test_a_rolled_back_record_gives_its_nonces_back(database):
    with suppress(Crashed):
        async with database.begin() as session:
            await service.record(session, group(3), FEES, ON_CHAIN)
            raise Crashed
    (done,) = await record(database, [wish()])
    assert done.nonce == 0
    assert len(await rows(database, "SELECT 1 FROM attempts")) == 1


async def test_two_senders_of_one_group_count_apart(database):
    first = wish(1)
    second = wish(2, deal_id=first.deal_id, group_id=first.group_id)
    third = wish(1, deal_id=first.deal_id, group_id=first.group_id)
    done = await record(
        database, [first, second, third], on_chain={ADDRESSES[1]: 5, ADDRESSES[2]: 9}
    )
    assert [one.nonce for one in done] == [5, 9, 6]


async def test_many_at_once_leave_no_gap_and_no_double(database):
    done = await asyncio.gather(*(record(database, group(3)) for _ in range(12)))
    nonces = sorted(one.nonce for group_ in done for one in group_)
    assert nonces == list(range(36))


async def test_groups_with_the_same_two_senders_in_turned_order_do_not_deadlock(database):
    def pair(first, second):
        one = wish(first)
        return [one, wish(second, deal_id=one.deal_id, group_id=one.group_id)]

    turned = [pair(1, 2) if number % 2 else pair(2, 1) for number in range(16)]
    await asyncio.wait_for(asyncio.gather(*(record(database, two) for two in turned)), 60)
    assert len(await rows(database, "SELECT 1 FROM intents")) == 32


async def test_recording_a_leg_twice_is_refused_and_takes_no_nonce(database):
    one = wish()
    await record(database, [one])
    again = wish(leg_id=one.leg_id)
    assert await code_of(record(database, [again])) == "tx.leg_has_intent"
    ((next_nonce,),) = await rows(database, "SELECT next_nonce FROM signers")
    assert next_nonce == 1


@pytest.mark.parametrize(
    "status", [IntentStatus.REVERTED, IntentStatus.CANCELLED, IntentStatus.DISPLACED]
)
async def test_a_leg_gets_a_new_intent_once_the_old_one_is_final_without_effect(database, status):
    one = wish()
    await record(database, [one])
    await rows(database, "UPDATE intents SET status = :status RETURNING 1", status=str(status))
    (done,) = await record(database, [wish(leg_id=one.leg_id)])
    assert done.nonce == 1


@pytest.mark.parametrize("status", [IntentStatus.LANDED, IntentStatus.AMBIGUOUS])
async def test_a_leg_that_landed_or_may_have_gets_no_second_intent(database, status):
    one = wish()
    await record(database, [one])
    await rows(database, "UPDATE intents SET status = :status RETURNING 1", status=str(status))
    assert await code_of(record(database, [wish(leg_id=one.leg_id)])) == "tx.leg_has_intent"


IDENTITY = [
    "nonce = nonce + 1",
    "sender = '0x0000000000000000000000000000000000000001'",
    "chain_id = 1",
    "leg_id = gen_random_uuid()",
    "deal_id = gen_random_uuid()",
    "group_id = gen_random_uuid()",
    "target = '0x0000000000000000000000000000000000000001'",
    "data = 'x'",
    "value_wei = value_wei + 1",
    "gas_limit = 1",
    "deadline = 1",
    "fee_ceiling_wei = 1",
]


@pytest.mark.parametrize("change", IDENTITY)
async def test_the_schema_refuses_to_change_an_intents_nonce_or_identity(database, change):
    await record(database, [wish()])
    with pytest.raises(DBAPIError, match="nonce or identity in intents is refused"):
        await rows(database, f"UPDATE intents SET {change} RETURNING 1")  # noqa: S608


@pytest.mark.parametrize("change", ["raw = 'x'", "tx_hash = 'x'", "cap_wei = 1", "attempt_no = 2"])
async def test_the_schema_refuses_to_change_signed_bytes(database, change):
    await record(database, [wish()])
    with pytest.raises(DBAPIError, match="nonce or identity in attempts is refused"):
        await rows(database, f"UPDATE attempts SET {change} RETURNING 1")  # noqa: S608


@pytest.mark.parametrize("table", ["attempts", "intents"])
async def test_the_schema_refuses_to_delete_what_was_signed(database, table):
    await record(database, [wish()])
    with pytest.raises(DBAPIError, match="DELETE of nonce or identity"):
        await rows(database, f"DELETE FROM {table} RETURNING 1")  # noqa: S608


async def test_the_schema_refuses_a_second_intent_at_a_nonce(database):
    one = wish()
    await record(database, [one])
    with pytest.raises(DBAPIError, match="uq_intents_chain_id_sender_nonce"):
        await rows(
            database,
            """INSERT INTO intents (intent_id, chain_id, participant_bank_id, deal_id, leg_id,
            group_id, sender, nonce, target, data, value_wei, gas_limit, depth, fee_ceiling_wei,
            is_sweep, status)
            SELECT :other, chain_id, participant_bank_id, deal_id, gen_random_uuid(), group_id,
            sender, nonce, target, data, value_wei, gas_limit, depth, fee_ceiling_wei, is_sweep,
            status FROM intents RETURNING 1""",
            other=new_intent_id(),
        )


async def test_what_follows_an_intent_may_change(database):
    await record(database, [wish()])
    changed = await rows(
        database, "UPDATE intents SET status = 'sent', cancel_requested = true RETURNING 1"
    )
    assert len(changed) == 1


async def test_the_triggers_can_be_applied_again_and_refuse_as_before(database):
    await record(database, [wish()])
    async with database.begin() as session:
        for statement in TRIGGERS:
            await session.exec_driver_sql(statement, execution_options={"no_parameters": True})
    with pytest.raises(DBAPIError, match="DELETE of nonce or identity in attempts is refused"):
        await rows(database, "DELETE FROM attempts RETURNING 1")
    assert len(await rows(database, "SELECT 1 FROM attempts")) == 1


async def test_a_key_used_elsewhere_is_noticed_before_anything_is_signed(database):
    await record(database, [wish()])
    foreign = {ADDRESSES[1]: 2}  # we have signed one, the chain has two
    assert await code_of(record(database, [wish()], on_chain=foreign)) == "tx.foreign_nonce"
    assert len(await rows(database, "SELECT 1 FROM intents")) == 1


async def catch_up(database, on_chain, alarm):
    async with database.begin() as session:
        noting = Transactions(keys, alarm=alarm)
        return await noting.catch_up(session, CHAIN, ADDRESSES[1], on_chain)


async def end(database, status):
    return await rows(database, "UPDATE intents SET status = :to RETURNING 1", to=str(status))


async def test_after_a_foreign_use_is_noted_the_next_nonce_is_the_chains_and_it_is_told_once(
    database,
):
    await record(database, [wish()])
    await end(database, IntentStatus.LANDED)
    alarm = KeptAlarm()
    assert await catch_up(database, 4, alarm) == 3  # ours was 0; others used 1, 2 and 3
    assert await catch_up(database, 4, alarm) == 0
    (alert,) = alarm.alerts
    assert (alert.code, alert.subject) == ("tx.foreign_nonce", ADDRESSES[1])
    assert (alert.fields["signed"], alert.fields["on_chain"]) == (1, 4)
    (done,) = await record(database, [wish()], on_chain={ADDRESSES[1]: 4})
    assert done.nonce == 4


async def test_a_foreign_use_is_not_noted_before_ours_at_used_nonces_are_settled(database):
    await record(database, group(2))
    alarm = KeptAlarm()
    assert await code_of(catch_up(database, 5, alarm)) == "tx.nonces_unsettled"
    await end(database, IntentStatus.DISPLACED)
    assert await catch_up(database, 5, alarm) == 3


async def test_one_of_ours_that_lacks_only_its_event_does_not_hold_up_the_accounts_numbers(
    database,
):
    await record(database, group(2))
    await end(database, IntentStatus.AMBIGUOUS)
    alarm = KeptAlarm()
    for reason in ("foreign_nonce", "nonce_behind"):  # somebody else may have used the nonces
        await give_reason(database, reason)
        assert await code_of(catch_up(database, 5, alarm)) == "tx.nonces_unsettled"
    await give_reason(database, "event_missing")  # ours are mined there, at depth
    assert await catch_up(database, 5, alarm) == 3
    (done,) = await record(database, [wish()], on_chain={ADDRESSES[1]: 5})
    assert done.nonce == 5


async def give_reason(database, reason):
    query = (
        "UPDATE intents SET evidence = jsonb_build_object('reason', CAST(:why AS text)) RETURNING 1"
    )
    return await rows(database, query, why=reason)


async def test_a_lagging_count_never_takes_nonces_back(database):
    await record(database, group(3))
    await end(database, IntentStatus.LANDED)
    assert await catch_up(database, 1, KeptAlarm()) == 0
    (done,) = await record(database, [wish()], on_chain={ADDRESSES[1]: 1})
    assert done.nonce == 3


async def test_while_nonces_are_given_away_a_catch_up_waits_and_sees_them(database):
    alarm = KeptAlarm()
    await record(database, [wish()])
    async with database.begin() as session:
        await service.record(session, [wish()], FEES, ON_CHAIN)
        other = asyncio.create_task(catch_up(database, 5, alarm))
        await asyncio.sleep(0.2)
        assert not other.done()
    with pytest.raises(Transient):
        await other


async def test_a_first_use_without_the_chains_count_is_refused(database):
    assert await code_of(record(database, [wish()], on_chain={})) == "tx.chain_nonce"


async def test_a_key_of_another_address_is_refused(database):
    wrong = wish(key=keys.ref(2))
    assert await code_of(record(database, [wrong])) == "tx.wrong_sender"


async def test_fees_above_an_intents_ceiling_sign_nothing(database):
    dear = Fees(CEILING + 1, GWEI)
    assert await code_of(record(database, [wish()], dear)) == "tx.fee_ceiling"
    assert await rows(database, "SELECT 1 FROM signers") == []


@pytest.mark.parametrize("wishes", [[], [wish(), wish()]])
async def test_intents_that_are_not_one_group_are_refused(database, wishes):
    assert await code_of(record(database, wishes)) == "tx.mixed_group"


async def test_a_commit_announces_the_chain_and_a_roll_back_does_not(database, database_url):
    async with await psycopg.AsyncConnection.connect(
        libpq_url(database_url), autocommit=True
    ) as listener:
        await listener.execute(f"LISTEN {recording.CHANNEL}")
        with suppress(Crashed):
            async with database.begin() as session:
                await service.record(session, [wish(1)], FEES, ON_CHAIN)
                raise Crashed
        assert [one async for one in listener.notifies(timeout=0.2)] == []
        await record(database, group(3))
        heard = [one.payload async for one in listener.notifies(timeout=1, stop_after=1)]
        assert heard == ["138"]


async def test_outcomes_tell_all_or_some_of_a_deals_legs(database):
    wishes = group(3)
    await record(database, wishes)
    deal = wishes[0].deal_id
    async with database.begin() as session:
        every = await service.outcomes(session, deal)
        one = await service.outcomes(session, deal, [wishes[1].leg_id])
    assert [outcome.leg_id for outcome in every] == [wanted.leg_id for wanted in wishes]
    assert [outcome.leg_id for outcome in one] == [wishes[1].leg_id]
    assert not one[0].is_final
    assert one[0].status is IntentStatus.SIGNED
    assert one[0].receipt is None
    assert one[0].tx_hash.startswith("0x")


async def test_the_hot_queries_use_the_partial_indexes(database):
    await record(database, group(20))
    async with database.begin() as session:
        # A table this small would be read whole; the question is whether the index serves.
        await session.execute(text("SET LOCAL enable_seqscan = off"))
        assert "ix_intents_live" in await plan_of(
            session, reading.LIVE, chain=CHAIN, shards=1, shard=0
        )
        to_act_on = await plan_of(session, reading.TO_ACT_ON, chain=CHAIN, shards=2, shard=1)
        assert "ix_attempts_unsent" in to_act_on
        assert "ix_intents_cancel" in to_act_on
        outcomes = await plan_of(session, reading.OUTCOMES, deal=new_deal_id())
        assert "ix_intents_deal_id" in outcomes
        above = {"chain_id": CHAIN, "above": 0, "shards": 2, "shard": 1}
        lines = await session.execute(text(f"EXPLAIN {unmining.MINED_ABOVE}"), above)
        assert "ix_intents_displaced" in "\n".join(row[0] for row in lines)


async def plan_of(session, query, **values):
    compiled = query.compile(dialect=session.dialect)
    plan = await session.exec_driver_sql(f"EXPLAIN {compiled}", values)
    return "\n".join(row[0] for row in plan)
