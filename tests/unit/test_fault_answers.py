"""What a node that is behind says, as the storms hand it out."""

from types import SimpleNamespace

from tests.support.fault_answers import answered
from tests.support.faults import Fault


def test_a_stale_node_has_no_logs_of_blocks_that_it_does_not_have():
    call = {"method": "eth_getLogs", "params": [{}]}
    logs = [{"blockNumber": "0x7"}, {"blockNumber": "0x8"}]
    shown = answered(call, {"result": logs}, {Fault.STALE}, SimpleNamespace(newest=7))
    assert shown["result"] == logs[:1]
