"""How much gas a deal may use, and what is kept to pay for it; pure."""

from holdfast.common.money import BPS, mul_div
from holdfast.model.deal import DealRequest, Ladder
from holdfast.model.plan import Terms
from holdfast.planning.model import GasBudget, PlanPolicy
from holdfast.planning.snapshot import Gas


def gas_budget(request: DealRequest, policy: PlanPolicy, gas: Gas) -> GasBudget:
    """The most gas of a deal.

    The number of tranches is bounded by the deal's whole value, since what is spent is at most a
    quarter of it and a token costs more than a quarter of par.
    """
    is_bought_in_lots = request.ladder is Ladder.POSITION
    largest = policy.limits.loss_budget if is_bought_in_lots else policy.limits.in_flight
    tranches = len(policy.rungs) + -(-request.total_eth_value // largest)
    each = policy.tranche_gas + (policy.lot_gas if is_bought_in_lots else 0)
    units = policy.loop_gas + policy.unwinding_gas + tranches * each
    most = mul_div(units, policy.gas_margin, BPS, round_up=True)
    fee = most * gas.ceiling_wei
    homeward = mul_div(policy.homeward_gas, policy.gas_margin, BPS, round_up=True)
    return GasBudget(
        most=most,
        max_fee_wei=fee,
        reserve_wei=max(policy.min_gas_reserve_wei, fee),
        emergency_wei=homeward * max(0, gas.emergency_wei - gas.ceiling_wei),
    )


def expected_gas(terms: Terms, policy: PlanPolicy) -> int:
    """The gas of a deal that nothing disturbs."""
    tranches = len(terms.tranches) * policy.tranche_gas
    return policy.loop_gas + tranches + len(terms.lots) * policy.lot_gas
