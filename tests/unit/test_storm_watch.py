"""When a storm counts as standing still: deals that hold look again for ever, and move nothing."""

import pytest

from tests.chaos.watch import Watch


@pytest.mark.parametrize(
    ("before", "after", "moves"),
    [
        (("executing", 4), ("executing", 5), True),
        (("holding", 4), ("holding", 5), False),
        (("holding", 4), ("closing", 5), True),
        (("executing", 4), ("executing", 4), False),
    ],
)
def test_a_deal_that_only_looks_again_while_it_holds_does_not_move(before, after, moves):
    watch = Watch("postgresql://nowhere")
    watch._seen({"deal": before[::-1]})
    watch.moved_at = 0.0
    watch._seen({"deal": after[::-1]})
    assert (watch.moved_at > 0) is moves
