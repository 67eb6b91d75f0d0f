"""The limits a deal is held to; hard caps that no request can raise."""

from dataclasses import dataclass

from holdfast.common.money import USD8, WAD, Bps, Usd8


@dataclass(frozen=True, slots=True)
class RiskLimits:
    """Every threshold of the risk rules, with its default and the reason for it.

    Attributes:
        max_deal: the largest deal, in dollars of ETH committed. Configured by the desk.
        max_bank: open deals of one participant bank: ten of the largest.
        max_module: open deals of one module: ten of the largest.
        max_asset: spent by open deals on one discounted token, all of which one freeze can stop:
            ten of the largest deals in `bucket` funding.
        max_day: deals that begin to use capital in one day (UTC): four of the largest, so that a
            wrong price or a stolen approval meets an end.
        opening_ltv: a warning: from here the worst in a hundred of 24-hour paths led to `max_ltv`,
            30 % * (1 - 17 %) (RISK.md, on 52,619 hours).
        max_ltv: I6, the hard cap on debt over collateral.
        warn_ltv: I6, where a warning begins.
        max_exposure: I4, the hard cap on the token's share of NAV and of freeze NAV.
        min_discount: a smaller discount does not pay for the risk of a freeze.
        min_slippage: a limit of zero could never be met.
        max_slippage: a wider limit is money for whoever trades around the deal.
        min_cover_wad: I3 hard: the reserve pays the whole debt under stress.
        warn_cover_wad: I3 warning, and the cover that `bucket` funding is sized to.
        gap: the fall of ETH between two monitor ticks that the reserve must survive; the worst
            real hour is -28 % (RISK.md).
        min_exit_slip: what selling the reserve costs at least, whatever a quote says.
        emergency_slippage: how far under the oracle the reserve may be sold where waiting would
            risk the principal (docs/cures.md). What liquidation would cost: the venue's bonus, 5 %;
            to buy back the ether that it took, from a pool with a fifth of its depth, 5 %; and 2 %
            that pool and oracle may be apart.
        stress_apr: the least borrow rate that debt cover is reckoned with (RISK.md's table).
        stress_apr_multiple: how much dearer than now borrowing is reckoned under stress.
        loss_budget: I8, the largest purchase lot that needs no belief in redemption: the last of
            the first lots of RISK.md's gate, which beyond it stays shut until experience opens it.
            Only the treasury's configuration changes it.
        in_flight: I8, the most that is in redemption at a time.
        oracle_max_age_seconds: I10, for ETH's price: an hour's heartbeat and a quarter. A chain's
            profile says otherwise where its feeds do.
        cash_oracle_max_age_seconds: I10, for the debt currency's price: a heartbeat of a day and an
            hour. The feed of a dollar token moves by itself only when the price does.
        oracle_max_deviation: I10, how far oracle and pool may differ on the price of ETH.
        node_max_lag_seconds: I10, ten blocks of the slowest chain that is served.
        max_horizon_days: how far ahead a plan may reckon.
    """

    max_deal: Usd8 = Usd8(25_000_000 * USD8)
    max_bank: Usd8 = Usd8(250_000_000 * USD8)
    max_module: Usd8 = Usd8(250_000_000 * USD8)
    max_asset: Usd8 = Usd8(50_000_000 * USD8)
    max_day: Usd8 = Usd8(100_000_000 * USD8)
    opening_ltv: Bps = Bps(2_490)
    max_ltv: Bps = Bps(3_000)
    warn_ltv: Bps = Bps(2_800)
    max_exposure: Bps = Bps(2_500)
    min_discount: Bps = Bps(500)
    min_slippage: Bps = Bps(1)
    max_slippage: Bps = Bps(500)
    min_cover_wad: int = WAD
    warn_cover_wad: int = WAD * 5 // 4
    gap: Bps = Bps(5_000)
    min_exit_slip: Bps = Bps(100)
    emergency_slippage: Bps = Bps(1_200)
    stress_apr: Bps = Bps(600)
    stress_apr_multiple: Bps = Bps(15_000)
    loss_budget: Usd8 = Usd8(1_000_000 * USD8)
    in_flight: Usd8 = Usd8(5_000_000 * USD8)
    oracle_max_age_seconds: int = 4_500
    cash_oracle_max_age_seconds: int = 90_000
    oracle_max_deviation: Bps = Bps(200)
    node_max_lag_seconds: int = 120
    max_horizon_days: int = 365
