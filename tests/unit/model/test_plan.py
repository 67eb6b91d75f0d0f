"""The plan hash covers the envelope, all of it, and nothing else."""

import hashlib
import json
from dataclasses import asdict, replace

import pytest

from holdfast.common.evm import BlockHash, BlockRef, checksummed
from holdfast.common.ids import BankId, ChainId, ModuleId
from holdfast.common.money import Bps, Token, TokenAmount, Usd8
from holdfast.model.deal import DealRequest, Funding, Ladder
from holdfast.model.leg import LegKind
from holdfast.model.plan import (
    Accounts,
    AllowedCall,
    CurePolicy,
    Envelope,
    Plan,
    ScenarioVerdict,
    Split,
    Terms,
)

ETH = Token(ChainId(138), "ETH", 18)
USDT = Token(ChainId(138), "USDT", 6)
HERE = checksummed(b"\x11" * 20)


def envelope() -> Envelope:
    eth, usd = TokenAmount(ETH, 10**18), TokenAmount(USDT, 10**6)
    return Envelope(
        chain_id=138,
        genesis_hash="0x" + "22" * 32,
        request=DealRequest(Usd8(10**15), BankId("BANK001"), ModuleId("MODULE001"), ChainId(138)),
        accounts=Accounts(HERE, HERE, HERE, HERE, 1),
        terms=Terms(Split(eth, eth, eth), Funding.BORROW, usd, eth, usd, usd, usd, (usd,), eth),
        calls=(AllowedCall(LegKind.WRAP, HERE, "0xd0e30db0", (HERE,), ""),),
        opening_ltv=Bps(2000),
        max_ltv=Bps(3000),
        max_exposure=Bps(2500),
        exit_slippage=Bps(100),
        gas_price_ceiling_wei=10**11,
        max_fee=eth,
        worst_case_loss=Usd8(10**13),
        scenarios=(ScenarioVerdict("freeze", principal_whole=True),),
        expires_at=1_800_000_000,
    )


CURES = CurePolicy(Bps(3000), Bps(2000), 5 * 10**18 // 4, Bps(50))


def plan(sealed: Envelope, report=None) -> Plan:
    return Plan(sealed, BlockRef(1, BlockHash("0x" + "33" * 32), 1), report or {})


def test_what_was_observed_is_not_part_of_the_hash():
    later = Plan(envelope(), BlockRef(9, BlockHash("0x" + "44" * 32), 9), {"quote": "moved"})
    assert later.plan_hash == plan(envelope()).plan_hash


def test_the_hash_is_that_of_the_sorted_json_of_every_field():
    sealed = envelope()
    lots = replace(sealed.terms, lots=(TokenAmount(USDT, 2**80), TokenAmount(USDT, 1)))
    sealed = replace(
        sealed,
        terms=lots,
        request=replace(sealed.request, ladder=Ladder.POSITION),
        emergency_gas_price_wei=10**12,
        emergency_slippage=Bps(900),
        cures=CURES,
    )
    text = json.dumps(asdict(sealed), sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(b"holdfast.plan.1\n" + text.encode()).hexdigest()
    assert plan(sealed).plan_hash == "0x" + digest


@pytest.mark.parametrize(
    "change",
    [
        {"chain_id": 139},
        {"max_ltv": Bps(3001)},
        {"expires_at": 1_800_000_001},
        {"worst_case_loss": Usd8(1)},
        {"scenarios": (ScenarioVerdict("freeze", principal_whole=False),)},
        {"calls": ()},
        {"accounts": Accounts(HERE, HERE, HERE, checksummed(b"\x12" * 20), 1)},
    ],
)
def test_any_change_of_the_envelope_changes_the_hash(change):
    assert plan(replace(envelope(), **change)).plan_hash != plan(envelope()).plan_hash


def test_a_plan_from_before_lots_keeps_the_hash_that_was_approved():
    """Computed by the version that knew neither `lots` nor `ladder` nor `cures`."""
    known = "0x71e51431759356c4d297af4f6229c079f0396b0149c790ffa682ccdcfd83a3bf"
    assert plan(envelope()).plan_hash == known


def test_lots_and_ladder_are_part_of_the_hash_once_they_say_something():
    sealed = envelope()
    in_lots = replace(sealed, terms=replace(sealed.terms, lots=(sealed.terms.spend,)))
    asked = replace(sealed, request=replace(sealed.request, ladder=Ladder.POSITION))
    assert len({plan(one).plan_hash for one in (sealed, in_lots, asked)}) == 3


def test_the_emergencys_gas_is_part_of_the_hash_once_a_plan_knows_it():
    dear = replace(envelope(), emergency_gas_price_wei=10**12)
    assert plan(dear).plan_hash != plan(envelope()).plan_hash
    assert (envelope().homeward_gas_price_wei, dear.homeward_gas_price_wei) == (10**11, 10**12)


def test_what_the_deal_does_by_itself_is_part_of_the_hash_once_it_is_in_the_envelope():
    bound = replace(envelope(), cures=CURES)
    fields = ("act_ltv", "target_ltv", "convert_cover_wad", "cash_room")
    changed = [replace(bound, cures=replace(CURES, **{one: 7})) for one in fields]
    assert len({plan(one).plan_hash for one in (envelope(), bound, *changed)}) == 6


def test_the_largest_lot_is_the_whole_spend_where_there_are_none():
    terms = envelope().terms
    small, large = TokenAmount(USDT, 3), TokenAmount(USDT, 7)
    assert terms.largest_lot == terms.spend
    assert replace(terms, lots=(small, large, small)).largest_lot == large
