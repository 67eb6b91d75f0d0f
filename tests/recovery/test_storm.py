"""A short storm of every kind: what `make crash-test` does for longer, with the same judges."""

import asyncio
import json

import pytest

from tests.chaos.report import concluded
from tests.chaos.schedule import Kind, schedule
from tests.chaos.storm import Order, storm

ORDER = Order(kills=60, deals=24, seed=20_260)


@pytest.mark.slow
def test_sixty_kills_of_every_kind_lose_and_repeat_nothing(storm_stage, capsys):
    code = concluded(asyncio.run(storm(storm_stage, ORDER)))
    said = capsys.readouterr()
    figures = json.loads(said.out.splitlines()[-1])
    assert code == 0, f"{figures}\n{said.err}"
    assert figures["kills"] >= ORDER.kills
    assert figures["deals"] >= ORDER.deals
    assert figures["legs"] == 20 * figures["deals"]
    assert set(figures["blows"]) == set(Kind)
    assert figures["workers_ended"]["boundary"] > 0
    assert figures["recovery_seconds"]["p50"] > 0


def test_a_seed_stands_for_one_schedule():
    def first(seed):
        blows = schedule(seed)
        return [next(blows) for _ in range(100)]

    assert first(1) == first(1) != first(2)
    assert {blow.kind for blow in first(3)[: len(Kind)]} == set(Kind)
