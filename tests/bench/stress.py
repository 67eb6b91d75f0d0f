"""Stress of a large book on one core: deals times scenarios for each second of CPU.

Beside it the same formulas in a plain loop over Decimals, and what the memory of this machine would
allow: numpy copying one array, in the same run. A pass that kept every result in memory would have
to write them all there, so copying as many bytes is the limit of any program that does.
"""

import decimal
import gc
import time
from dataclasses import replace
from decimal import Decimal
from statistics import median

import numpy as np

from holdfast.common.money import BPS, USD8, Bps, Usd8
from holdfast.risk.arrays import DealColumns, ShockColumns, shock_columns
from holdfast.risk.exit_pool import ExitPool
from holdfast.risk.matrix import combinations
from holdfast.risk.parts import shared_slip_bps
from holdfast.risk.sweep import sweep
from tests.bench.table import Table

DEALS, SCENARIOS = 100_000, 1_000
_ROUNDS = 3
_SAMPLE = 20_000  # cells of the Decimal loop
_COPIED = 2**28  # bytes, far more than any cache holds
_RESULTS = 5  # numbers of a cell that a full table would keep: LTV, health, cover, sold, loss
_POOL = ExitPool(Usd8(10**13 * USD8), 500)
_COLUMNS = ("program", "deals x scenarios", "wall s", "CPU s", "million a CPU s", "ns of CPU each")


def measure(_, options):
    """The float64 and float32 passes, with a pool of their own and a common one, and the loop."""
    table = Table("stress", f"Stress of {DEALS:,} deals in {SCENARIOS:,} scenarios", _COLUMNS)
    table.head()
    deals, shocks = book(DEALS // 10 if options.quick else DEALS), scenarios(SCENARIOS)
    apart = np.zeros((1, SCENARIOS))
    rates = {
        "float64": _timed(table, "float64", deals, shocks, lambda d, s: sweep(d, s, apart)),
        "together": _timed(table, "float64, one exit pool", deals, shocks, _together),
    }
    rates["unlike"] = _timed(
        table,
        "float64, no shock shared",
        deals,
        unlike(SCENARIOS),
        lambda d, s: sweep(d, s, apart),
    )
    rates["float32"] = _timed(
        table,
        "float32",
        deals.as_type(np.float32),
        shocks.as_type(np.float32),
        lambda d, s: sweep(d, s, apart.astype(np.float32)),
    )
    rates["Decimal"] = _decimals(table, deals, shocks)
    limit = _bandwidth(table)
    table.ratios["float64 over the Decimal loop"] = rates["float64"] / rates["Decimal"]
    table.ratios["float64 over writing five float64 a cell to memory"] = rates["float64"] / limit
    table.tail()
    return table


def book(count):
    """Deals of $1M to $25M in both fundings, drawn once and always the same."""
    draw = np.random.default_rng(1)
    nav = draw.uniform(1e6, 25e6, (count, 1))
    ltv, is_borrowed = draw.uniform(0.05, 0.25, (count, 1)), draw.random((count, 1)) < 0.8
    debt, bucket = 0.3 * nav * ltv, 0.2 * nav
    spend = np.where(is_borrowed, debt, bucket * 0.9)
    columns = {
        "collateral": 0.3 * nav,
        "reserve_eth": np.where(is_borrowed, bucket, 0.0),
        "cash": np.where(is_borrowed, 0.0, bucket + debt - spend),
        "debt": debt,
        "token_cost": spend,
        "token_par": spend / 0.6,
        "paid": np.where(is_borrowed, 0.0, 0.005 * bucket),
        "gas_per_gwei": np.full_like(nav, 11.7),
        "costs": np.full_like(nav, 3_510.0),
        "gap": np.full_like(nav, 0.5),
        "slip_bps": (slip := draw.integers(100, 400, (count, 1)).astype(float)) + 200.0,
        "pool_slip_bps": slip,
        "most_slip_bps": np.full_like(nav, 1_200.0),
        "most_gas_gwei": np.full_like(nav, 1_000.0),
        "apr": draw.uniform(0.06, 0.09, (count, 1)),
        "days": draw.integers(30, 180, (count, 1)).astype(float),
        "threshold": np.full_like(nav, 0.83),
    }
    return DealColumns(**columns)


def scenarios(count):
    """All combinations of the standard shocks, then more of them at other falls of ETH."""
    shocks = [*combinations()]
    falls = (Bps(bps) for bps in range(500, 5_000, 500))
    while len(shocks) < count:
        fall = next(falls)
        shocks += [replace(one, eth_drop=fall) for one in combinations() if not one.eth_drop]
    assert len({replace(one, name="") for one in shocks[:count]}) == count, "the same twice"
    return shock_columns(shocks[:count])


def unlike(count):
    """Scenarios that share no shock with each other, so that nothing is worked out once for two."""
    draw = np.random.default_rng(2)

    def across(low, high):
        return draw.uniform(low, high, (1, count))

    return ShockColumns(
        eth_drop=across(0, 0.5),
        apr=across(0, 1),
        extra_days=across(0, 300),
        gas_gwei=across(0, 900),
        depth_left_bps=across(1_000, BPS),
        discount_bps=across(0, 500).round(),
        usdt_move=across(-0.05, 0.05),
        recovery=across(0, 0.3),
    )


def _together(deals, shocks):
    return sweep(deals, shocks, shared_slip_bps(deals, shocks, _POOL))


def _timed(table, name, deals, shocks, run):
    """Cells a second of CPU in the median of a few runs, after one that is not counted."""
    count = len(deals) * len(shocks)
    run(deals.rows(slice(0, 1_000)), shocks)
    gc.collect()
    taken = []
    for _ in range(_ROUNDS):
        wall, cpu = time.perf_counter(), time.process_time()
        run(deals, shocks)
        taken.append((time.perf_counter() - wall, time.process_time() - cpu))
    wall, cpu = median(one[0] for one in taken), median(one[1] for one in taken)
    return _tell(table, name, count, wall, cpu)


def _tell(table, name, count, wall, cpu):
    rate = count / cpu
    table.add(
        name,
        f"{count:,}",
        f"{wall:.2f}",
        f"{cpu:.2f}",
        f"{rate / 1e6:.3g}",
        f"{1e9 / rate:.1f}",
        program=name,
        cells=count,
        wall_seconds=round(wall, 4),
        cpu_seconds=round(cpu, 4),
        cells_per_cpu_second=round(rate),
    )
    return rate


def _bandwidth(table):
    """Cells a second of CPU if all that is done were to write five float64 of each to memory."""
    source, target = (np.ones(_COPIED // 8) for _ in range(2))
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(_ROUNDS):
        np.copyto(target, source)
    wall, cpu = (
        (now - then) / _ROUNDS
        for now, then in ((time.perf_counter(), wall), (time.process_time(), cpu))
    )
    count = _COPIED // (8 * _RESULTS)
    return _tell(table, f"limit: numpy copies {_COPIED / cpu / 1e9:.1f} GB/s", count, wall, cpu)


def _decimals(table, deals, shocks):
    """The same formulas for a part of the cells, one by one."""
    count = _SAMPLE // len(shocks)
    rows = [_decimal(deals, place, 0) for place in range(count)]
    columns = [_decimal(shocks, place, 1) for place in range(len(shocks))]
    with decimal.localcontext(prec=28):
        wall, cpu = time.perf_counter(), time.process_time()
        found = [plain(deal, shock) for deal in rows for shock in columns]
        taken = time.perf_counter() - wall, time.process_time() - cpu
    exact = sweep(deals.rows(slice(0, count)), shocks, np.zeros((1, len(shocks))))
    assert abs(float(sum(one[4] for one in found)) / exact.scenarios.loss.sum() - 1) < 1e-9
    return _tell(table, "plain loop over Decimals", len(found), *taken)


def _decimal(columns, place, axis):
    return {
        name: Decimal(float(np.take(getattr(columns, name), place, axis).item()))
        for name in columns.__slots__
    }


def plain(deal, shock):
    """LTV, health factor, cover, ETH sold and loss of one deal in one scenario, one by one."""
    scale, kept = 1 + shock["usdt_move"], 1 - min(shock["eth_drop"], deal["gap"])
    debt, cash = deal["debt"] * scale, deal["cash"] * scale
    years = (deal["days"] + shock["extra_days"]) / 365
    interest = debt * max(deal["apr"], shock["apr"]) * years
    costs = max(deal["costs"], deal["gas_per_gwei"] * shock["gas_gwei"])
    own = (deal["pool_slip_bps"] * BPS / shock["depth_left_bps"]).to_integral_value("ROUND_CEILING")
    sale = 1 - min(BPS - 1, max(deal["slip_bps"], own + shock["discount_bps"])) / BPS
    owed, left = debt + interest + costs, deal["collateral"] * kept
    missing = max(Decimal(0), owed - cash)
    cover = (cash + deal["reserve_eth"] * kept * sale) / owed
    health, ltv = left * deal["threshold"] / debt, debt / left
    sold = min(deal["reserve_eth"], missing / (kept * sale))
    dearer = (deal["debt"] - deal["cash"]) * shock["usdt_move"]
    loss = deal["token_cost"] + deal["paid"] + interest + costs + missing / sale - missing + dearer
    loss += debt / 20 if health < 1 else 0
    return ltv, health, cover, sold, max(0, loss - deal["token_par"] * shock["recovery"])
