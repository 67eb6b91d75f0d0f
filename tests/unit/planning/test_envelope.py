"""What an approval covers: each call of the deal, nothing else, nobody else."""

from dataclasses import replace

import pytest

from holdfast.common.evm import keccak256
from holdfast.common.money import Bps
from holdfast.model.deal import Funding, Step
from holdfast.model.leg import LegKind
from holdfast.planning.envelope import allowed_calls, envelope, missing_home, token_at_venue
from holdfast.planning.together import stressed_together
from tests.unit.planning.world import (
    AAVE,
    ACCOUNTS,
    CODE,
    DEAL,
    DESK,
    FLOAT,
    REQUEST,
    ROUTER,
    TREASURY,
    USDT,
    USDTZ,
    VENUES,
    WETH,
    World,
    asking,
    drafted,
    setting,
)

WITHOUT_LOAN = asking(funding=Funding.BUCKET, opening_ltv=Bps(0))


def selector(signature):
    return "0x" + keccak256(signature.encode()).hex()[:8]


def calls_of(request=REQUEST):
    return allowed_calls(drafted(request).legs, CODE)


def allowed(request=REQUEST):
    return {(call.kind, call.target, call.selector): call.recipients for call in calls_of(request)}


def test_the_calls_of_a_borrow_deal_are_these():
    weth, usdt, usdtz = (token.require_address() for token in (WETH, USDT, USDTZ))
    approve, transfer = selector("approve(address,uint256)"), selector("transfer(address,uint256)")
    swap = "((address,address,uint24,address,uint256,uint256,uint256,uint160))"
    assert allowed() == {
        (LegKind.FUND, DEAL, ""): (DEAL,),
        (LegKind.WRAP, weth, selector("deposit()")): (DEAL,),
        (LegKind.APPROVE, weth, approve): (AAVE, ROUTER),
        (LegKind.APPROVE, usdt, approve): (AAVE, ROUTER),
        (LegKind.APPROVE, usdtz, approve): (DESK,),
        (LegKind.REVOKE, weth, approve): (AAVE, ROUTER),
        (LegKind.REVOKE, usdt, approve): (AAVE, ROUTER),
        (LegKind.REVOKE, usdtz, approve): (DESK,),
        (LegKind.SUPPLY, AAVE, selector("supply(address,uint256,address,uint16)")): (DEAL,),
        (LegKind.BORROW, AAVE, selector("borrow(address,uint256,uint256,uint16,address)")): (DEAL,),
        (LegKind.REPAY, AAVE, selector("repay(address,uint256,uint256,address)")): (DEAL,),
        (LegKind.WITHDRAW, AAVE, selector("withdraw(address,uint256,address)")): (DEAL,),
        (LegKind.SWAP, ROUTER, selector(f"exactInputSingle{swap}")): (DEAL,),
        (LegKind.SWAP, ROUTER, selector(f"exactOutputSingle{swap}")): (DEAL,),
        (
            LegKind.REQUEST_REDEMPTION,
            DESK,
            selector("requestRedeem(uint256,address,address)"),
        ): (DEAL,),
        (LegKind.CLAIM_REDEMPTION, DESK, selector("redeem(uint256,address,address)")): (DEAL,),
        (LegKind.UNWRAP, weth, selector("withdraw(uint256)")): (DEAL,),
        (LegKind.RETURN_TOKEN, usdt, transfer): (TREASURY,),
        (LegKind.RETURN_TOKEN, usdtz, transfer): (TREASURY,),
        (LegKind.RETURN_NATIVE, TREASURY, ""): (TREASURY,),
    }


def test_without_a_loan_neither_borrowing_nor_repaying_is_covered():
    kinds = {kind for kind, _, _ in allowed(WITHOUT_LOAN)}
    assert kinds.isdisjoint({LegKind.BORROW, LegKind.REPAY})
    assert {LegKind.WITHDRAW, LegKind.RETURN_NATIVE} <= kinds


def test_nothing_goes_to_the_float_or_to_strangers():
    receivers = {who for recipients in allowed().values() for who in recipients}
    assert receivers == {DEAL, TREASURY, AAVE, ROUTER, DESK}
    assert FLOAT not in receivers


def test_contracts_are_bound_to_their_code_and_accounts_to_none():
    for call in calls_of():
        assert call.code_hash == (CODE[call.target] if call.selector else "")


def test_the_envelope_holds_what_was_asked_and_what_may_be_lost():
    made = drafted()
    market = setting(REQUEST, World())
    bound = envelope(made, market, stressed_together(made, (), market))
    assert (bound.request, bound.accounts, bound.terms) == (REQUEST, ACCOUNTS, made.terms)
    assert (bound.opening_ltv, bound.max_ltv, bound.max_exposure) == (2_000, 3_000, 2_500)
    assert bound.exit_slippage == 300  # 1 % of slip and 2 % that oracle and pool may differ
    assert bound.gas_price_ceiling_wei == 300 * 10**9
    assert bound.max_fee.units == 5_850_000 * 300 * 10**9
    assert bound.expires_at == 1_800_000_900
    assert bound.worst_case_loss == made.outlook.loss


def test_a_missing_way_home_is_counted():
    made = drafted()
    assert missing_home(made) == 0
    assert missing_home(drafted(WITHOUT_LOAN)) == 0
    stuck = [leg for leg in made.legs if leg.kind not in {LegKind.REPAY, LegKind.WITHDRAW}]
    assert missing_home(replace(made, legs=tuple(stuck))) == 2


def test_the_token_at_the_lending_venue_is_counted():
    made = drafted()
    venue, token = AAVE, USDTZ.require_address()
    assert token_at_venue(made.legs, token, venue) == 0
    tokens = made.terms.min_tokens
    legs = list(made.legs)
    approve = next(leg for leg in legs if leg.kind is LegKind.APPROVE)
    bad_approval = replace(approve, call=VENUES.usdtz.approve(venue, tokens.units), recipient=venue)
    supply = next(leg for leg in legs if leg.kind is LegKind.SUPPLY)
    bad_supply = replace(supply, call=VENUES.aave.supply(token, tokens.units, DEAL))
    assert token_at_venue([*legs, bad_approval], token, venue) == 1
    assert token_at_venue([*legs, bad_approval, bad_supply], token, venue) == 2


@pytest.mark.parametrize("funding", Funding)
def test_the_legs_follow_the_steps_and_carry_the_terms(funding):
    made = drafted(asking(funding=funding))
    planned = [leg for leg in made.legs if not leg.is_fallback]
    assert [leg.step for leg in planned] == sorted(leg.step for leg in planned)
    asked = [leg for leg in planned if leg.kind is LegKind.REQUEST_REDEMPTION]
    assert len(asked) == len(made.terms.tranches)
    swaps = [leg for leg in planned if leg.kind is LegKind.SWAP]
    assert len(swaps) == (2 if funding is Funding.BUCKET else 1)
    assert planned[0].call.value_wei == made.terms.split.moved.units
    assert all(leg.step is Step.CLOSE for leg in made.legs if leg.is_fallback)


def test_calls_read_as_sentences():
    texts = [leg.text for leg in drafted().legs]
    assert texts[0] == "transfer 2,500 ETH from the float to the deal"
    assert texts[2] == "WETH.approve(Pool, 1,500 ETH)"
    assert texts[6] == (
        "Router.exactInputSingle(600,000 USDT for at least 988,516.97728 USDTz, to the deal)"
    )
    assert str(drafted().terms.gas_reserve) == "1.755 ETH"
