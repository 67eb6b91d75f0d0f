"""A deal's ledger as rows, and the part of it that must be the same in every run of the deal."""

from collections import Counter
from dataclasses import dataclass

import psycopg

from holdfast.common.db import libpq_url

_ENTRIES = """
    SELECT l.step, coalesce(l.kind, e.kind), e.kind, p.account, p.symbol, p.units
    FROM ledger_entries e
    JOIN ledger_postings p USING (entry_id)
    LEFT JOIN legs l USING (leg_id)
    LEFT JOIN ledger_entries r ON r.reverses = e.entry_id
    WHERE e.deal_id = %s AND e.kind NOT IN ('accrual', 'reversal') AND r.entry_id IS NULL
    ORDER BY e.block_number, l.seq NULLS LAST, e.entry_id, p.position
"""
_TOTALS = """
    SELECT account, symbol, sum(units) FROM ledger_postings WHERE deal_id = %s
    GROUP BY account, symbol
"""
_GAS = "expense/gas"


@dataclass(frozen=True)
class Journal:
    """`lines` are (step, leg, entry, account, token, units) in the order of the chain.

    What a reorg made untrue, and the entries that took it back, are left out of them.
    """

    lines: list
    totals: dict
    mismatches: int
    reconciliations: int

    @classmethod
    def read(cls, database_url, deal_id):
        with psycopg.connect(libpq_url(database_url)) as connection:
            rows = connection.execute(_ENTRIES, (deal_id,)).fetchall()
            totals = connection.execute(_TOTALS, (deal_id,)).fetchall()
            compared, wrong = connection.execute(
                # Nobody sends gifts here: what was booked as one is a mismatch too.
                "SELECT count(*), count(*) FILTER (WHERE mismatch_units <> 0) + (SELECT count(*)"
                " FROM ledger_entries WHERE deal_id = %s AND kind = 'unsolicited') "
                "FROM ledger_reconciliations WHERE deal_id = %s",
                (deal_id, deal_id),
            ).fetchone()
        return cls(
            [(*row[:5], int(row[5])) for row in rows],
            {(account, symbol): int(units) for account, symbol, units in totals},
            wrong,
            compared,
        )

    @property
    def supply_interest(self):
        """What the collateral earned, in wei; income stands below zero."""
        return -self.totals.get(("income/supply_interest", "WETH"), 0)

    @property
    def borrow_interest(self):
        """What the loan cost, in base units of USDT."""
        return self.totals.get(("expense/borrow_interest", "USDT"), 0)

    @property
    def gas(self):
        """What all transactions cost, in wei."""
        return self.totals.get((_GAS, "ETH"), 0)

    def timeless(self):
        """The lines without gas, each amount less the interest and gas of this run that is in it.

        When blocks are mined differs between two runs, and with it interest and the price of gas.
        Taken out to the wei, the rest is equal to the wei.
        """
        gas_of_deal = self.gas - self._gas_of_float()
        earned, paid = self.supply_interest, self.borrow_interest
        drift = {
            "repay": paid,
            "withdraw": earned,
            "unwrap": earned,
            "return_token": -paid,
            "return_native": earned - gas_of_deal,
        }
        return [
            (*rest, units - _sign(units) * drift.get(rest[1], 0))
            for *rest, units in self._with_gas_as_zero()
        ]

    def _with_gas_as_zero(self):
        """Gas is booked in pairs: the expense, and the same amount out of who paid it."""
        before = None
        for line in self.lines:
            is_gas = line[3] == _GAS or (before is not None and before[3] == _GAS)
            yield (*line[:5], 0) if is_gas else line
            before = line

    def _gas_of_float(self):
        return sum(line[5] for line in self.lines if line[1] == "fund" and line[3] == _GAS)

    def trial(self):
        """The sum of all accounts of each token: zero in a ledger that is whole."""
        sums = Counter()
        for (_, symbol), units in self.totals.items():
            sums[symbol] += units
        return dict(sums)


def _sign(units):
    return (units > 0) - (units < 0)
