"""The figures of a storm that is over, counted from the chain and compared with the ledger."""

from dataclasses import dataclass, field

from tests.support.auditor import deal_rows, due_totals, ledger_totals, mismatches
from tests.support.checker import SAME_SHAPE, judge_all
from tests.support.witness import Places

LEGS = (
    ("fund", 1),
    ("wrap", 1),
    ("approve", 5),
    ("supply", 1),
    ("borrow", 1),
    ("swap", 1),
    ("request_redemption", 2),
    ("claim_redemption", 2),
    ("repay", 1),
    ("revoke", 1),
    ("withdraw", 1),
    ("unwrap", 1),
    ("return_token", 1),
    ("return_native", 1),
)
"""What a deal of a million dollars does on chain: 20 legs, the discounted token in two tranches."""


@dataclass
class Judgement:
    """What the judges found; `problems` tells it in words, with what no other field counts."""

    deals: int = 0
    legs: int = 0
    lost: int = 0
    duplicated: int = 0
    mismatch_wei: int = 0
    stuck: int = 0
    reverted: int = 0
    no_ops: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def is_clean(self):
        return not (
            self.lost or self.duplicated or self.mismatch_wei or self.stuck or self.problems
        )


def judged(stage, start, expected, before=()):
    """The verdict on every deal approved after `start`; `before` are the ids of older ones."""
    rows = [row for row in deal_rows(stage.libpq_url) if row.deal_id not in before]
    places = [Places.of(stage.profile, row.account) for row in rows]
    made = Judgement(deals=len(rows), stuck=sum(row.status != "completed" for row in rows))
    if not rows:
        return made
    verdict = judge_all(stage.chain, start, places, expected, by=SAME_SHAPE)
    made.lost, made.duplicated = verdict.lost.total(), verdict.duplicated.total()
    made.problems = [
        *(f"lost: {times} x {leg}" for leg, times in verdict.lost.items()),
        *(f"duplicated: {times} x {leg}" for leg, times in verdict.duplicated.items()),
        *(f"stuck: {row.deal_id} is {row.status}" for row in rows if row.status != "completed"),
        *verdict.problems,
    ]
    _add_books(made, ledger_totals(stage.libpq_url), rows, verdict.seen)
    return made


def _add_books(made, totals, rows, observed):
    for row, (places, seen) in zip(rows, observed, strict=True):
        made.legs += len(seen.effects)
        made.reverted += len(seen.failed)
        made.no_ops += len(seen.silent)
        apart = mismatches(totals.get(row.deal_id, {}), due_totals(places, seen))
        made.mismatch_wei += sum(map(abs, apart.values()))
        made.problems += [
            f"ledger of {row.deal_id}: {account} {symbol} is off by {units}"
            for (account, symbol), units in apart.items()
        ]
