"""What a worker tells of its nodes: each change once, and nothing of what ends by itself."""

import pytest
from structlog.testing import capture_logs

from holdfast.chain import inspection
from holdfast.chain.endpoint import Request
from holdfast.chain.transport import NotSentError
from holdfast.chain.watch import Watch
from holdfast.common.alerts import Alert, Ended, Severity
from holdfast.common.errors import Transient
from tests.support.endpoints import ModelNode, pool_of
from tests.unit.chain.test_pool import PROFILE


class KeptHerald:
    """Keeps what it is told; `refuses` first when there is something to raise."""

    def __init__(self):
        self.alerts = []
        self.ended = []
        self.refuses = None

    async def tell(self, *news):
        if self.refuses is not None:
            raise self.refuses
        self.alerts += [one for one in news if isinstance(one, Alert)]
        self.ended += [(one.codes, one.subject) for one in news if isinstance(one, Ended)]


class Scene:
    def __init__(self, nodes, private=()):
        self.nodes = nodes
        self.pool, self.clock, _ = pool_of(PROFILE, nodes, private)
        self.herald = KeptHerald()
        self.watch = Watch(PROFILE.chain_id, self.pool, self.herald, self.clock)

    async def steps(self, seconds):
        """What is logged by the watch itself in so many seconds."""
        with capture_logs() as logs:
            for _ in range(int(2 * seconds)):
                self.clock.seconds += 0.5
                await self.watch.step()
        return [
            one["event"]
            for one in logs
            if one["event"] not in ("chain.endpoint_in", "chain.endpoint_out")
        ]

    def fail(self, failure):
        for node in self.nodes:
            node.fails_with = failure


@pytest.fixture
def scene(monkeypatch):
    monkeypatch.setattr(inspection, "AGAIN_SECONDS", 0)
    return Scene([ModelNode("n1"), ModelNode("n2"), ModelNode("n3")])


async def test_while_all_is_well_nothing_is_told(scene):
    assert await scene.steps(60) == []
    assert scene.herald.alerts == []


async def test_without_a_node_it_is_told_once_and_once_more_when_one_is_back(scene):
    await scene.steps(1)
    scene.fail(NotSentError("refused"))
    assert await scene.steps(60) == ["chain.read_only"]
    (alert,) = scene.herald.alerts
    assert (alert.code, alert.severity, alert.subject) == (
        "chain.read_only",
        Severity.CRITICAL,
        "chain:138",
    )
    assert len(alert.fields["endpoints"]) == 3
    scene.nodes[1].fails_with = None
    scene.herald.ended.clear()
    assert await scene.steps(10) == ["chain.writable_again"]
    assert len(scene.herald.alerts) == 1
    assert scene.herald.ended == [("chain.read_only", "chain:138")]


async def test_what_a_worker_before_told_is_over_once_all_is_well(scene):
    await scene.steps(60)
    assert sorted(scene.herald.ended) == [
        *(("chain.endpoint_", f"http://n{number}") for number in (1, 2, 3)),
        ("chain.read_only", "chain:138"),
    ]


async def test_without_a_private_node_nothing_is_sent_and_that_is_told(scene):
    private = ModelNode("p1")
    scene = Scene(scene.nodes, [private])
    await scene.steps(1)
    private.fails_with = NotSentError("refused")
    with pytest.raises(Transient):
        await scene.pool.submit([Request("eth_sendRawTransaction", ("0x00",))])
    assert await scene.steps(60) == ["chain.read_only"]
    (alert,) = scene.herald.alerts
    assert alert.severity is Severity.CRITICAL
    assert "HOLDFAST_PRIVATE_RPC_URL" in alert.text
    assert alert.fields["endpoints"] == ["http://p1: no usable answer: refused"]
    private.fails_with = None
    assert await scene.steps(10) == ["chain.writable_again"]


async def test_losing_the_public_nodes_while_the_private_ones_are_out_is_told_as_well(scene):
    private = ModelNode("p1")
    scene = Scene(scene.nodes, [private])
    await scene.steps(1)
    private.fails_with = NotSentError("refused")
    with pytest.raises(Transient):
        await scene.pool.submit([Request("eth_sendRawTransaction", ("0x00",))])
    await scene.steps(10)
    scene.fail(NotSentError("refused"))
    assert await scene.steps(60) == ["chain.read_only"]
    first, second = scene.herald.alerts
    assert first.code == "chain.read_only_private"  # while open it does not hide the other
    assert (second.code, second.severity) == ("chain.read_only", Severity.CRITICAL)
    assert len(second.fields["endpoints"]) == 4
    private.fails_with = None
    scene.fail(None)
    scene.herald.ended.clear()
    assert (await scene.steps(20))[-1] == "chain.writable_again"
    assert scene.herald.ended == [("chain.read_only", "chain:138")]  # with all that begin so


async def test_a_gap_of_less_than_two_seconds_is_not_worth_a_word(scene):
    await scene.steps(1)
    scene.fail(NotSentError("refused"))
    assert await scene.steps(1.5) == []
    scene.fail(None)
    assert await scene.steps(10) == []


async def test_a_worker_that_starts_without_nodes_says_so(scene):
    scene.fail(NotSentError("refused"))
    assert await scene.steps(10) == ["chain.read_only"]


async def test_an_alert_that_could_not_be_raised_is_raised_later_and_logged_no_second_time(scene):
    scene.herald.refuses = Transient("database.unavailable", "away")
    scene.fail(NotSentError("refused"))
    assert await scene.steps(10) == ["chain.read_only"]
    assert scene.herald.alerts == []
    scene.herald.refuses = None
    assert await scene.steps(10) == []
    assert [alert.code for alert in scene.herald.alerts] == ["chain.read_only"]


async def test_a_node_that_lies_is_raised_once_until_it_lies_again(scene):
    scene.nodes[0].chain = "0x1"
    await scene.steps(60)
    (alert,) = scene.herald.alerts
    assert (alert.code, alert.subject) == ("chain.endpoint_refused", "http://n1")
    scene.nodes[0].chain = "0x8a"
    await scene.steps(70)
    scene.nodes[0].branch = "c"
    await scene.steps(10)
    assert [alert.code for alert in scene.herald.alerts] == [
        "chain.endpoint_refused",
        "chain.endpoint_disagrees",
    ]
