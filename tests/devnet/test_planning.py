"""Plans from a real chain: one block, real quotes, and every refusal the world can provoke."""

from decimal import Decimal

import pytest
import pytest_asyncio

from holdfast.chain.node import Node
from holdfast.chain.rpc import Rpc
from holdfast.common.evm import checksummed
from holdfast.common.ids import BankId, ModuleId
from holdfast.common.money import MAX_UINT256, USD8, WAD, Bps, Usd8, amount_of
from holdfast.devnet.sender import Sender
from holdfast.model.deal import DealRequest, Funding, Ladder
from holdfast.model.plan import Accounts
from holdfast.planning.errors import PlanRefused
from holdfast.planning.market import ChainMarket
from holdfast.planning.model import PlanPolicy
from holdfast.planning.service import Planner
from holdfast.protocols.registry import protocols
from holdfast.risk.limits import RiskLimits

FIVE, TEN, HUNDRED = (Usd8(millions * 10**6 * USD8) for millions in (5, 10, 100))
DEAL = checksummed(b"\x11" * 20)


@pytest_asyncio.fixture
async def node(devnet):
    client = Node(Rpc.over_http(devnet.url), devnet.profile)
    await client.connect()
    yield client
    await client.close()


@pytest.fixture
def planned(devnet, node):
    """Plans ten million dollars; keywords change the request."""
    venues = protocols(devnet.profile)
    standing = devnet.profile.require_accounts()
    accounts = Accounts(standing.core, standing.float_, DEAL, standing.treasury_return, 1)

    async def plan(value=TEN, policy=None, **changes):
        request = DealRequest(
            value,
            BankId("BANK001"),
            ModuleId("MODULE001"),
            devnet.profile.chain_id,
            **changes,
        )
        planner = Planner(ChainMarket(node, venues), venues, policy or PlanPolicy())
        return await planner.plan(request, accounts, booked_core_wei=0)

    return plan


@pytest.fixture
def refused(planned):
    """The codes for which a plan of ten million dollars is refused."""

    async def codes(*value, **changes):
        with pytest.raises(PlanRefused) as caught:
            await planned(*value, **changes)
        return {one["code"] for one in caught.value.fields["violations"]}

    return codes


async def test_borrow_funding_on_real_protocols(planned):
    made = await planned()
    terms = made.terms
    assert terms.split.nav == amount_of(terms.split.nav.token, 5_000)  # $10 M at $2,000
    assert terms.spend == terms.borrow == amount_of(terms.borrow.token, 600_000)
    # 600,000 less 0.05 % into 600 M : 1,000 M gives about 998,502, less 1 % slippage
    assert 988_500 < terms.min_tokens.decimal() < 988_530
    assert [rung.decimal() for rung in terms.tranches[:2]] == [50_000, 250_000]
    after = made.report["after"]
    assert (after["ltv_percent"], after["health_factor"]) == ("20.00", "4.1500")
    # half of $2M, sold at 3 % less, over 600,000 with interest and gas, about 612,000
    assert 1.58 < float(after["debt_cover"]) < 1.59
    assert made.report["warnings"] == []
    assert all(verdict.principal_whole for verdict in made.envelope.scenarios)


async def test_bucket_funding_on_real_protocols(planned):
    made = await planned(FIVE, funding=Funding.BUCKET)
    # 300,000 + about 983,000 for the bucket at its least - 1.25 * about 307,700
    assert 896_000 < made.terms.spend.decimal() < 902_500
    assert 1.25 <= float(made.report["after"]["debt_cover"]) < 1.26
    assert made.report["warnings"] == []
    assert len(made.terms.tranches) == 4


async def test_a_bucket_that_buys_beyond_the_loss_budget_does_so_in_lots_or_not_at_all(
    planned, refused
):
    assert await refused(funding=Funding.BUCKET) == {"I8.loss_budget"}
    made = await planned(funding=Funding.BUCKET, ladder=Ladder.POSITION)
    assert 1_790_000 < made.terms.spend.decimal() < 1_805_000
    assert max(lot.decimal() for lot in made.terms.lots) < 1_000_000


async def test_a_hundred_million_are_planned_in_lots(planned, refused):
    """A loan of $6M buys at most $1M at a time, each lot redeemed before the next."""
    large = PlanPolicy(limits=RiskLimits(max_deal=HUNDRED))
    assert await refused(HUNDRED, policy=large) == {"I8.loss_budget"}
    made = await planned(HUNDRED, policy=large, ladder=Ladder.POSITION)
    assert made.terms.spend == amount_of(made.terms.spend.token, 6_000_000)
    assert len(made.terms.lots) >= 10
    assert max(lot.decimal() for lot in made.terms.lots) < 1_000_000


async def test_without_a_loan_the_whole_bucket_is_spent(planned):
    made = await planned(FIVE, funding=Funding.BUCKET, opening_ltv=Bps(0))
    assert made.terms.borrow.units == 0
    assert 980_000 < made.terms.spend.decimal() < 988_000
    assert made.report["after"]["health_factor"] is None


async def test_a_plan_names_its_block_and_its_contracts(planned, node):
    made = await planned()
    head = await node.head()
    assert made.quoted_at == head.ref
    assert made.envelope.genesis_hash == node.profile.genesis_hash
    for call in made.envelope.calls:
        assert call.code_hash == (node.profile.code_hashes[call.target] if call.selector else "")


async def test_nothing_that_was_planned_was_sent(devnet, planned):
    before = devnet.control.block_number()
    await planned()
    assert devnet.control.block_number() == before


async def test_a_shallow_pool_is_refused(devnet, refused):
    # a hundredth of the depth: 600,000 into 6 M moves the price by 9 %
    devnet.control.drain_token_pool(9_900)
    assert await refused() == {"market.purchase_impact"}
    assert {"market.purchase_impact"} <= await refused(funding=Funding.BUCKET)


async def test_an_empty_pool_is_refused(devnet, refused):
    devnet.control.drain_token_pool(10_000)
    assert "market.purchase_impact" in await refused()


async def test_a_frozen_desk_is_refused_until_it_thaws(devnet, planned, refused):
    devnet.control.freeze()
    assert await refused() == {"market.desk_frozen"}
    devnet.control.thaw()
    assert (await planned()).terms.spend.units


async def test_a_stale_oracle_is_refused(devnet, refused):
    devnet.control.set_price_staleness(4_501)
    assert await refused() == {"I10.oracle_age"}


async def test_an_oracle_that_the_pool_contradicts_is_refused(devnet, refused):
    devnet.control.set_price(Decimal(2_100), move_pool=False)
    assert "I10.oracle_deviation" in await refused()


async def test_the_deal_follows_the_price(devnet, planned):
    devnet.control.set_price(Decimal(1_000))
    made = await planned()
    assert made.terms.split.nav == amount_of(made.terms.split.nav.token, 10_000)
    assert made.terms.spend.decimal() == 600_000


async def test_a_lending_market_that_does_not_lend_stops_only_what_needs_the_loan(
    devnet, planned, refused
):
    devnet.control.set_borrowing(allowed=False)
    assert await refused() == {"market.venue_closed"}
    made = await planned(FIVE, funding=Funding.BUCKET, opening_ltv=Bps(0))
    assert made.terms.spend.units


async def test_too_small_a_discount_is_refused(devnet, refused):
    devnet.control.set_token_price(Decimal("0.96"))
    assert await refused() == {"market.discount"}


async def test_a_poor_float_is_refused(devnet, refused):
    devnet.control.set_balance(devnet.profile.require_accounts().float_, 2_500 * WAD)
    assert await refused() == {"funds.float"}  # the gas to move 2,500 ETH is missing


async def test_a_core_below_what_is_booked_is_refused(devnet, refused):
    devnet.control.set_balance(devnet.profile.require_accounts().core, 2_500 * WAD - 1)
    assert await refused() == {"I1.core_below_booked"}


async def test_a_core_that_lets_the_router_take_its_usdt_is_refused(devnet, refused):
    core = devnet.profile.require_accounts().core
    rpc = devnet.control.rpc
    rpc.call("anvil_impersonateAccount", core)
    Sender(rpc, core).execute(
        devnet.profile.usdt.require_address(),
        "approve(address,uint256)",
        devnet.profile.require_uniswap().router,
        MAX_UINT256,
    )
    assert await refused() == {"I1.core_allowance"}


async def test_a_core_with_collateral_at_the_venue_is_refused(devnet, refused):
    core, rpc = devnet.profile.require_accounts().core, devnet.control.rpc
    pool, weth = devnet.profile.require_aave().pool, devnet.profile.weth.require_address()
    rpc.call("anvil_impersonateAccount", core)
    sender = Sender(rpc, core)
    sender.execute(weth, "deposit()", value_wei=WAD)
    sender.execute(weth, "approve(address,uint256)", pool, WAD)
    sender.execute(pool, "supply(address,uint256,address,uint16)", weth, WAD, core, 0)
    assert await refused() == {"I1.core_position"}


async def test_a_contract_whose_code_was_exchanged_is_refused(devnet, refused):
    devnet.control.rpc.call("anvil_setCode", devnet.profile.require_uniswap().router, "0x6001")
    assert await refused() == {"market.code"}


async def test_the_quoted_tokens_are_what_the_pool_then_gives(devnet, planned):
    made = await planned()
    trader, rpc, profile = checksummed(b"\x22" * 20), devnet.control.rpc, devnet.profile
    usdt, usdtz = profile.usdt.require_address(), profile.usdtz.require_address()
    router = profile.require_uniswap().router
    devnet.control.set_balance(trader, WAD)
    devnet.control.give(made.terms.spend, trader)
    rpc.call("anvil_impersonateAccount", trader)
    sender = Sender(rpc, trader)
    sender.execute(usdt, "approve(address,uint256)", router, made.terms.spend.units)
    sender.execute(
        router,
        "exactInputSingle((address,address,uint24,address,uint256,uint256,uint256,uint160))",
        (usdt, usdtz, 500, trader, 2**48, made.terms.spend.units, made.terms.min_tokens.units, 0),
    )
    got = rpc.view(usdtz, "balanceOf(address)", "uint256", trader)
    assert str(got) == made.report["quotes"]["purchase"]["gets"]["units"]
