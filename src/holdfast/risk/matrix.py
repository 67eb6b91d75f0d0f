"""Scenarios by name, and every combination of the standard shocks; pure."""

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from itertools import product
from typing import Any

from holdfast.common.errors import Rejected
from holdfast.common.money import BPS, RAY, Bps
from holdfast.risk.scenarios import DELAY_DAYS, STANDARD, VENUE_DISCOUNT, Shock

AXES: tuple[tuple[Shock, ...], ...] = (
    (
        Shock(""),
        Shock("eth_down_30", eth_drop=Bps(3_000)),
        Shock("eth_down_50", eth_drop=Bps(5_000)),
        Shock("eth_down_63.9", eth_drop=Bps(6_390)),
        Shock("eth_down_80", eth_drop=Bps(8_000)),
    ),
    (
        Shock("token_to_zero"),
        Shock("recovery_10", recovery=Bps(1_000)),
        Shock("recovery_30", recovery=Bps(3_000)),
        Shock("delay_7_months", extra_days=DELAY_DAYS, recovery=Bps(BPS)),
    ),
    (Shock(""), Shock("apr_80", apr_ray=RAY * 80 // 100)),
    (Shock(""), Shock("gas_700_gwei", gas_gwei=700)),
    (Shock(""), Shock("usdt_up_5", usdt_move=500), Shock("usdt_down_5", usdt_move=-500)),
    (
        Shock(""),
        Shock("exit_depth_down_80", depth_left=Bps(2_000)),
        Shock("single_venue_price", sale_discount=VENUE_DISCOUNT),
    ),
)
"""RISK.md's shocks, those that cannot be at once on one axis; an empty name is none of them."""


def combinations() -> tuple[Shock, ...]:
    """One scenario for each choice along all axes, 720 of them."""
    return tuple(_combined(parts) for parts in product(*AXES))


def named(names: Sequence[str]) -> tuple[Shock, ...]:
    """The scenarios with these names, standard ones or combinations; all standard ones for none.

    Raises:
        Rejected: `stress.scenario` with the known names.
    """
    if not names:
        return STANDARD
    known = {shock.name: shock for shock in (*combinations(), *STANDARD)}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise Rejected(
            "stress.scenario",
            f"there is no scenario {', '.join(unknown)}: choose standard ones, or combine the "
            "shocks of `--matrix` in its order with `_and_`",
            limit=[shock.name for shock in STANDARD],
            value=unknown,
        )
    return tuple(known[name] for name in names)


def _combined(parts: Sequence[Shock]) -> Shock:
    name = "_and_".join(part.name for part in parts if part.name)
    changes: dict[str, Any] = {}
    for part in parts:
        changes |= dict(_changes(part))
    return replace(Shock(name), **changes)


def _changes(part: Shock) -> Iterator[tuple[str, object]]:
    usual = Shock("")
    for one in fields(part):
        value = getattr(part, one.name)
        if one.name != "name" and value != getattr(usual, one.name):
            yield one.name, value
