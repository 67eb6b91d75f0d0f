"""Groups of intents as execution hands them over, and how they are recorded."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.common.ids import BankId, ChainId
from holdfast.signing.model import KeyRef, TxFields
from holdfast.transactions.model import NewIntent
from tests.simulation.calls import PAYS, SAYS_NOTHING, call_of, expected_of


@dataclass(frozen=True, slots=True)
class Wish:
    """What all transactions of a group have in common; `deadline` is chain time."""

    sender: str
    kind: bytes = PAYS
    deadline: int | None = None


def wishes_of(world, deal, legs, wish):
    """One group: a transaction of the deal for each leg."""
    group = world.new_id()
    wishes = [_wish_of(world, deal, group, (leg, wish)) for leg in legs]
    if wish.kind == SAYS_NOTHING:
        world.mute.update(one.intent_id for one in wishes)
    return wishes


def insert(world, wishes, fees, nonces):
    """Commit a group with its nonces and bytes, and tell the processes."""

    def sign(new, nonce, offered):
        call = new.call
        fields = TxFields(
            new.chain_id, nonce, call.target, call.data, call.value_wei, new.gas_limit, offered
        )
        tx = world.signed.sign(new.sender, fields)
        return tx.hash, tx.raw

    made = world.rows.insert(wishes, fees, nonces, sign)
    world.checks.recorded(made)
    world.counts["intents"] += len(made)
    world.word()


def _wish_of(world, deal, group, what):
    leg, wish = what
    return NewIntent(
        intent_id=world.new_id(),
        leg_id=leg,
        deal_id=deal,
        group_id=group,
        chain_id=ChainId(1),
        participant_bank_id=BankId("BANK001"),
        sender=wish.sender,
        key=KeyRef("model", wish.sender),
        call=call_of(wish.kind, leg, wish.deadline),
        gas_limit=21_000,
        expected=expected_of(leg),
        deadline=wish.deadline,
        depth=world.rng.randint(1, world.scenario.depth),
        fee_ceiling_wei=world.scenario.ceiling,
    )
