"""What a seed decides beforehand: the size of the run and which faults it has, and how many."""

from __future__ import annotations

from dataclasses import dataclass

GWEI = 10**9
BLOCK_SECONDS = 10.0

_FAULTS = {
    # a probability for each call of a process
    "crash": (0.002, 0.02),
    "freeze": (0.001, 0.01),
    "journal_error": (0.005, 0.08),
    "read_error": (0.005, 0.1),
    "slow": (0.01, 0.2),
    "wandering": (0.1, 1.0),  # the next call goes to another node
    # a probability for each send
    "lost_request": (0.05, 0.5),
    "lost_answer": (0.05, 0.5),
    "late_request": (0.05, 0.4),
    "double_request": (0.05, 0.5),
    "cut_batch": (0.05, 0.4),
    "wrong_refusal": (0.01, 0.1),
    "no_funds": (0.02, 0.2),
    "lost_gossip": (0.1, 0.8),
    # a probability for each block
    "reorg": (0.03, 0.3),
    "forgotten": (0.2, 1.0),  # for each transaction of a reorg: it is in no pool afterwards
    "eviction": (0.02, 0.2),
    "dropped_when_dear": (0.2, 1.0),
    "lagging_node": (0.02, 0.2),
    "dead_node": (0.02, 0.1),
    "restarted_node": (0.02, 0.1),
    "fee_spike": (0.02, 0.15),
    "full_blocks": (0.1, 0.8),
    "second_leader": (0.01, 0.08),
    "foreign": (0.01, 0.1),
    # a probability for each group or word
    "cancel": (0.05, 0.4),
    "lost_word": (0.1, 1.0),
    "hostile_call": (0.05, 0.3),
}


@dataclass(frozen=True, slots=True)
class Scenario:
    """One seed's run; `rates` has a probability for every fault, most of them 0."""

    nodes: int
    processes: int
    signers: int
    groups: int
    depth: int
    finality: int
    blocks: int
    broadcasts_to_all: bool
    is_fenced: bool
    latency_seconds: float
    base_fee: int
    ceiling: int
    rates: dict[str, float]

    @classmethod
    def plain(cls, *, processes, signers, depth, finality):
        """A world without faults of its own, and not fenced: somebody else disturbs it."""
        rates = dict.fromkeys(_FAULTS, 0.0)
        return cls(
            nodes=2,
            processes=processes,
            signers=signers,
            depth=depth,
            finality=finality,
            groups=0,
            blocks=0,
            broadcasts_to_all=False,
            is_fenced=False,
            latency_seconds=0.1,
            base_fee=GWEI,
            ceiling=500 * GWEI,
            rates=rates,
        )

    @classmethod
    def drawn(cls, rng):
        """A scenario with about a third of the faults; now and then all of them, or none."""
        share = rng.choice((0.0, 0.15, 0.3, 0.3, 0.5, 0.8))
        rates = {
            name: rng.uniform(*bounds) if rng.random() < share else 0.0
            for name, bounds in _FAULTS.items()
        }
        depth = rng.choice((1, 2, 3, 4))
        return cls(
            nodes=rng.choice((1, 2, 3)),
            processes=rng.choice((1, 2, 2, 3)),
            signers=rng.choice((1, 2, 3)),
            groups=rng.randint(2, 7),
            depth=depth,
            finality=depth + rng.choice((0, 0, 2, 5)),
            blocks=rng.randint(10, 24),
            broadcasts_to_all=rng.random() < 0.5,
            is_fenced=rng.random() < 0.5,
            latency_seconds=rng.choice((0.0, 0.02, 0.5)),
            base_fee=rng.choice((1, 5, 40)) * GWEI,
            ceiling=rng.choice((60, 200, 1_000)) * GWEI,
            rates=rates,
        )
