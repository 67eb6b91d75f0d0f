"""The proofs as a page and as one line of figures."""

from tests.exits.cells import DISCLOSED
from tests.exits.proof import Verdict

_USD8, _USDT = 10**8, 10**6

_PAGE = """# Exit proofs

Each row is one deal of $10M on a fresh devnet with real protocol bytecode. At the step named, after
its legs were built and tried and before any was sent, something freezes and stays frozen; at *4
return* it does when the debt is paid and nothing is returned yet. What came home is read from the
chain's logs and balances by a checker that shares no code with the product (`tests/exits/home.py`);
a test plants wrong cells and must see it object.

```console
make exit-proofs ARGS="--into docs/exit-proofs.md"    # {cells} cells, {seconds:.0f} s here
```

The product is left to itself first. Where the freeze does not make the deal turn round, it is run
again and a person orders `deal close --keep-claim` at that very moment ("ordered to close").

- **core**: the anchor's balance is to the wei what it was.
- **collateral**: all ether lent came back, and no more was sold than the bucket's.
- **loss**: dollars in less dollars out at the oracle's prices, gas included, **tokens at zero**;
  the plan's bound is {bounds}. A loss under zero is a profit.
- **claim**: tokens kept, in the account, in the desk's queue or at the treasury.

Three deals: `borrow` (the loan buys) at every step; `bucket` ($5M: the bucket is sold and buys half
as much again, the loan is a buffer) where that makes a difference; `ladder` (`--ladder position`,
`borrow` funding) in its second lot, after the first was bought, redeemed and paid.

| deal | freeze | step | what it did | core | collateral | debt left | loss | claim | verdict |
|---|---|---|---|---|---|---|---|---|---|
{rows}

`principal_home` {principal_home}, `disclosed` {disclosed} of {cells}; the worst loss beside its own
bound is ${worst_loss:,.2f} of ${bound:,.2f}; debt left in the end: {debt_left} USDT.
{disclosures}"""

_DISCLOSURE = """
## Disclosed: {freeze}

{why}

Meanwhile the deal tries again, each try refused by its simulation, so nothing is signed or paid;
interest accrues and core stays whole. `holdfast risk exits` and the alert `exit.failing` name the
leg. Once the token moves again the deal comes home by itself: in the rows *then home* the figures
before the arrow are while it lasts, those after it in the end.
"""


def figures(proofs):
    """What the last line says; dollars, and USDT for debt.

    The loss and the bound are those of the cell that comes nearest to its own bound.
    """
    worst = max(proofs, key=lambda one: one.end.loss_usd8 / one.bound)
    return {
        "cells": len(proofs),
        "principal_home": sum(one.verdict is Verdict.HOME for one in proofs),
        "disclosed": sum(one.verdict is Verdict.DISCLOSED for one in proofs),
        "debt_left": sum(one.end.debt for one in proofs) / _USDT,
        "worst_loss": round(worst.end.loss_usd8 / _USD8, 2),
        "bound": round(worst.bound / _USD8, 2),
    }


def page(proofs, seconds):
    """The page for the docs."""
    seen = {one.cell.freeze for one in proofs if one.verdict is Verdict.DISCLOSED}
    disclosures = [
        _DISCLOSURE.format(freeze=freeze, why=why)
        for freeze, why in DISCLOSED.items()
        if freeze in seen
    ]
    return _PAGE.format(
        rows="\n".join(row(one) for one in proofs),
        disclosures="".join(disclosures),
        seconds=seconds,
        bounds=_bounds(proofs),
        **figures(proofs),
    )


def _bounds(proofs):
    made = {one.cell.made: one.bound for one in proofs}
    return ", ".join(f"${bound / _USD8:,.0f} (`{name}`)" for name, bound in made.items())


def row(proof):
    """One line of the table."""
    during = proof.during
    verdict = str(proof.verdict)
    if proof.verdict is Verdict.DISCLOSED:
        verdict = "disclosed, *then home*"
    cells = [
        proof.cell.made,
        proof.cell.freeze,
        proof.cell.at,
        proof.did,
        "whole" if during.is_core_whole else "NOT whole",
        _then(_collateral(during), proof, _collateral),
        _then(f"{during.debt / _USDT:,.0f}", proof, lambda home: f"{home.debt / _USDT:,.0f}"),
        _then(_dollars(during), proof, _dollars),
        _then(_tokens(during), proof, _tokens),
        verdict,
    ]
    return f"| {' | '.join(cells)} |"


def _then(now, proof, told):
    if proof.after is None or told(proof.after) == now:
        return now
    return f"{now} -> {told(proof.after)}"


def _collateral(home):
    if home.is_collateral_whole:
        return "whole"
    return "at the venue" if home.collateral else "NOT whole"


def _dollars(home):
    return f"{home.loss_usd8 / _USD8:,.0f}"


def _tokens(home):
    return f"{home.claim / _USDT:,.0f}"
