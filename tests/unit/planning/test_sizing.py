"""How large each part of a ten-million deal is, worked by hand."""

import pytest

from holdfast.common.money import USD8, WAD, Bps, TokenAmount, Usd8, amount_of
from holdfast.model.deal import Funding, Ladder, SplitBps
from holdfast.planning.errors import PricesMoved
from holdfast.planning.model import PlanPolicy
from holdfast.planning.quoting import Probing, best_quote
from holdfast.planning.sizing import ladder, size
from holdfast.planning.snapshot import Gas
from holdfast.protocols.aave_v3.math import NO_DEBT
from holdfast.risk.limits import RiskLimits
from tests.unit.planning.world import (
    ETH,
    GWEI,
    MILLIONS,
    TOKENS,
    USDT,
    USDTZ,
    WETH,
    ConstantProduct,
    World,
    asking,
    drafted,
    setting,
)

POLICY = PlanPolicy()


def sized(world=None, **changes):
    request = asking(**changes)
    placed = setting(request, world or World())
    return size(request, placed.market, placed.policy).terms


def test_ten_million_dollars_at_2000_is_split_5000_ether():
    split = sized().split
    assert split.core == amount_of(ETH, 2_500)
    assert split.working == amount_of(ETH, 1_500)
    assert split.bucket == amount_of(ETH, 1_000)
    assert split.nav == amount_of(ETH, 5_000)


def test_rounding_goes_to_the_anchor_and_no_wei_is_lost():
    # $10 M / $3,000.07 = 3,333.255557370... ETH, rounded down to the wei
    split = sized(World(eth=Usd8(300_007_000_000))).split
    assert split.nav.units == 10_000_000 * USD8 * WAD // 300_007_000_000
    assert split.working.units == split.nav.units * 3_000 // 10_000
    assert split.core.units == split.nav.units - split.working.units - split.bucket.units


def test_borrow_funding_spends_exactly_the_loan():
    # 20 % of $3,000,000
    terms = sized()
    assert terms.borrow == terms.spend == amount_of(USDT, 600_000)
    assert terms.bucket_sale == amount_of(ETH, 0)
    assert terms.bucket_sale_min == amount_of(USDT, 0)


def test_a_debt_currency_above_par_is_borrowed_less_of():
    # $600,000 / $1.02 = 588,235.294117 USDT
    assert sized(World(usdt=Usd8(102_000_000))).borrow == amount_of(USDT, "588235.294117")


def test_the_least_tokens_are_the_quote_less_the_slippage():
    # 599,700 after the fee into 600,000,000 : 1,000,000,000 gives 998,501.99725..., less 1 %
    quoted = 10**15 * 599_700_000_000 // (6 * 10**14 + 599_700_000_000)
    terms = sized()
    assert terms.min_tokens == TokenAmount(USDTZ, quoted * 99 // 100)
    assert terms.min_tokens.units == 988_516_977_280


def test_the_ladder_starts_small_and_ends_with_what_is_left():
    assert sized().tranches == (
        amount_of(USDTZ, 50_000),
        amount_of(USDTZ, 250_000),
        TokenAmount(USDTZ, 688_516_977_280),
    )


def test_the_gas_reserve_is_gas_with_its_margin_at_the_ceiling():
    # 2.4 M + (3 rungs + 10 M / 5 M) * 0.3 M = 3.9 M; * 1.5 = 5.85 M; * 300 gwei = 1.755 ETH
    assert sized().gas_reserve == amount_of(ETH, "1.755")


def test_a_cheap_chain_still_keeps_a_twentieth_of_an_ether():
    world = World(gas=Gas(GWEI, GWEI, GWEI))
    assert sized(world).gas_reserve == amount_of(ETH, "0.05")


def test_bucket_funding_keeps_cash_for_five_quarters_of_what_is_owed():
    made = drafted(asking(funding=Funding.BUCKET))
    terms, stress = made.terms, made.stress
    # all of the bucket but the gas reserve is sold, for the quote less 1 %
    assert terms.bucket_sale == amount_of(ETH, "998.245")
    units = 998_245_000_000_000_000_000 * 999_500 // 1_000_000
    raised = 500_000_000_000_000 * units // (250_000 * WAD + units) * 99 // 100
    assert terms.bucket_sale_min.units == raised
    # owed: 600,000 + interest + gas at most $3,510
    interest = 600_000 * USD8 * stress.apr_ray * 90 // (365 * 10**27) + 1
    kept = (600_000 * USD8 + interest + 3_510 * USD8) * 5 // 4
    spend = 600_000 * 10**6 + raised - kept // 100
    assert abs(terms.spend.units - spend) <= 2
    assert 125 * 10**16 <= made.metrics_after.debt_cover < 1253 * 10**15


def test_without_a_loan_all_that_the_sale_raises_is_spent():
    request = asking(funding=Funding.BUCKET, opening_ltv=Bps(0))
    made = drafted(request, trials=MILLIONS.found)
    assert made.terms.borrow.units == 0
    assert made.terms.spend == made.terms.bucket_sale_min
    assert made.metrics_after.debt_cover == NO_DEBT
    assert made.violations == ()


def test_a_low_exposure_limit_sells_only_what_is_spent():
    made = drafted(asking(funding=Funding.BUCKET, opening_ltv=Bps(0), max_exposure=Bps(500)))
    # freeze NAV is 10 M less the 28,811.93556 that selling the bucket loses; 5 / 105 of it
    assert made.terms.spend.units // 10**6 == 474_818
    assert made.metrics_after.exposure_freeze <= 500
    assert made.terms.spend.units <= made.terms.bucket_sale_min.units
    assert made.terms.bucket_sale_min.units - made.terms.spend.units < 1_500 * 10**6
    assert made.violations == ()


def test_a_bucket_that_covers_no_debt_buys_nothing():
    split = SplitBps(Bps(2_000), Bps(7_900), Bps(100))
    made = drafted(asking(funding=Funding.BUCKET, split=split))
    assert made.terms.spend.units == made.terms.bucket_sale.units == 0
    assert made.terms.tranches == ()


def test_rungs_after_the_first_three_fill_the_budget_in_flight():
    tokens = amount_of(USDTZ, 13_000_000)
    assert ladder(tokens, 0, POLICY) == tuple(
        amount_of(USDTZ, whole)
        for whole in (50_000, 250_000, 1_000_000, 5_000_000, 5_000_000, 1_700_000)
    )


def test_the_last_rung_has_room_for_what_the_purchase_gives_beyond_its_least():
    # 5,000,000 less 100,000 that may come on top
    rungs = ladder(amount_of(USDTZ, "6200000"), 100_000 * 10**6, POLICY)
    assert rungs[3:] == (amount_of(USDTZ, 4_900_000),)
    more = ladder(amount_of(USDTZ, "6200001"), 100_000 * 10**6, POLICY)
    assert more[3:] == (amount_of(USDTZ, 4_900_000), amount_of(USDTZ, 1))


def test_a_budget_below_the_rungs_bounds_every_rung():
    policy = PlanPolicy(limits=RiskLimits(in_flight=Usd8(100_000 * USD8)))
    rungs = ladder(amount_of(USDTZ, 320_000), 0, policy)
    assert [rung.units // 10**6 for rung in rungs] == [50_000, 100_000, 100_000, 70_000]


def test_a_part_of_a_quote_gets_at_least_its_share():
    pool = ConstantProduct(10**12, 10**12)
    whole, half = (pool.quote(TokenAmount(USDT, units), USDTZ) for units in (10**10, 5 * 10**9))
    scaled = whole.scaled(5 * 10**9)
    assert scaled.amount_in == half.amount_in
    assert scaled.amount_out.units <= half.amount_out.units


def test_the_smallest_quote_that_is_large_enough_is_used():
    pool = ConstantProduct(10**12, 10**12)
    quotes = [pool.quote(TokenAmount(USDT, units), USDTZ) for units in (100, 200, 300)]
    assert best_quote(quotes, 200, USDT, USDTZ) == quotes[1]
    assert best_quote(quotes, 150, USDT, USDTZ) == quotes[1].scaled(150)
    assert best_quote([], 0, USDT, USDTZ).amount_out.units == 0
    with pytest.raises(PricesMoved) as caught:
        best_quote(quotes, 301, USDT, USDTZ)
    assert caught.value.fields == {"limit": 300, "value": 301}


def test_what_is_quoted_is_enough_for_both_fundings():
    requests = [asking(), asking(funding=Funding.BUCKET), asking(opening_ltv=Bps(0))]
    world = World()
    probe = Probing(requests, POLICY)(TOKENS, setting(asking(), world).market.prices, world.gas)
    assert probe.sales == (amount_of(WETH, "998.245"),)
    # the loan; and the loan with the bucket at the oracle's price and 2 % on top:
    # 998.245 * 2,000 * 1.02 = 2,036,419.8
    assert probe.purchases == (amount_of(USDT, 600_000), amount_of(USDT, "2636419.8"))


def test_price_impact_leaves_the_fee_out():
    # 1 % of the pool's depth: out is 1/101 of the reserve, spot 1/100: impact 1 - 100/101 = 0.99 %
    pool = ConstantProduct(10**12 * 999_500 // 1_000_000, 10**12)
    quote = pool.quote(TokenAmount(USDT, 10**10), USDTZ)
    assert quote.price_impact(500) == 100
    assert best_quote([], 0, USDT, USDTZ).price_impact(500) == 0


def test_lots_are_the_rungs_at_the_plans_price_and_sum_to_the_spend():
    # least 988,516.97728 tokens for 600,000: 50,000 cost 30,348.49, the next 250,000 151,742.46
    terms = sized(ladder=Ladder.POSITION)
    assert terms.tranches == sized().tranches
    assert [lot.units for lot in terms.lots] == [30_348_492_428, 151_742_462_140, 417_909_045_432]
    assert sum(lot.units for lot in terms.lots) == terms.spend.units
    assert sized().lots == ()


def test_no_lot_is_larger_than_what_needs_no_belief():
    terms = sized(ladder=Ladder.POSITION, funding=Funding.BUCKET)
    assert [rung.units // 10**6 for rung in terms.tranches[:4]] == [
        50_000,
        250_000,
        970_297,  # a million, less the surplus that the purchase may give
        970_297,
    ]
    assert len(terms.lots) == len(terms.tranches) == 5


def test_a_ladder_of_lots_keeps_gas_for_more_purchases():
    # most = 1.5 * (2.4M + 13 * (0.3M + 0.25M)): 3 rungs and one a million of the deal
    assert drafted(asking(ladder=Ladder.POSITION)).gas.most == 14_325_000


def test_a_ladder_of_lots_bounds_the_loss_by_its_largest():
    # 417,909.05 + interest 8,885.59 + gas 4.2975 ETH 8,595; selling what is then missing at 3 %
    # under the oracle 13,466, at an emergency's 12 % 45,906 more, and dear gas 2,730
    made, whole = drafted(asking(ladder=Ladder.POSITION)), drafted()
    assert made.after.token_cost // USD8 == 417_909
    assert made.outlook.theorem // USD8 == 435_389
    assert made.outlook.loss // USD8 == 497_490
    assert whole.outlook.loss // USD8 == 698_634
    # everything is bought in the end, at the cost of more gas
    assert made.outlook.profit // USD8 == 390_069
    assert (made.gate.lot.cost, made.violations) == (made.after.token_cost, ())
