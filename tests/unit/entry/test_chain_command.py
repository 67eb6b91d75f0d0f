"""`holdfast chain status`: what is shown of each node, and the exit code."""

import contextlib
import json

import pytest

from holdfast.chain import inspection, pool
from holdfast.chain.transport import NotSentError
from holdfast.entry.cli import chain
from holdfast.entry.cli.main import run
from tests.support.endpoints import ModelNode, pool_of
from tests.support.fake_node import error
from tests.unit.chain.test_pool import PROFILE
from tests.unit.entry.test_cli_main import process_as_before

__all__ = ["process_as_before"]


@pytest.fixture
def private():
    """Private nodes: none, until a test adds one."""
    return []


@pytest.fixture
def nodes(monkeypatch, private):
    """Two nodes of which the second lags; each look is without a pause."""
    made, hidden = [ModelNode("n1"), ModelNode("n2", 90)], private

    @contextlib.asynccontextmanager
    async def opened(settings):
        yield pool_of(PROFILE, made, hidden)[0]

    monkeypatch.setenv("COLUMNS", "220")
    monkeypatch.setattr(chain, "opened_chain", opened)
    monkeypatch.setattr(pool, "SURVEY_SECONDS", 0)
    monkeypatch.setattr(inspection, "AGAIN_SECONDS", 0)
    return made


def test_each_node_is_shown_with_its_state_and_what_is_wrong(nodes, capsys):
    assert run(["chain", "status", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    good, late = document["endpoints"]
    assert (document["chain_id"], document["read_only"]) == (138, False)
    assert (good["state"], good["head"], good["lag_blocks"], good["error_rate"]) == (
        "used",
        100,
        0,
        0.0,
    )
    assert (late["state"], late["head"], late["lag_blocks"]) == ("lagging", 90, 10)
    assert late["reason"] == "its head 90 is behind; known is 100"


def test_without_a_node_that_can_be_used_the_exit_code_says_so(nodes, capsys):
    for node in nodes:
        node.fails_with = NotSentError("refused")
    assert run(["chain", "status"]) == 4
    out = capsys.readouterr().out
    assert "http://n1" in out
    assert "unreachable" in out
    assert "the desk is read-only" in out


def test_without_a_private_node_nothing_can_be_sent_and_the_exit_code_says_so(
    nodes, private, capsys
):
    private.append(ModelNode("p1"))
    private[0].fails_with = NotSentError("refused")
    assert run(["chain", "status"]) == 4
    assert "No private node can be used: the desk is read-only" in capsys.readouterr().out
    assert run(["chain", "status", "--json"]) == 4
    document = json.loads(capsys.readouterr().out)
    assert (document["can_read"], document["can_send"]) == (True, False)


def test_what_a_node_says_is_shown_letter_by_letter(nodes, capsys):
    nodes[1].methods["eth_getBlockByNumber"] = lambda *_: error(-32_000, "[/bold] in [red] :bug:")
    assert run(["chain", "status"]) == 0
    assert "[/bold] in [red] :bug:" in capsys.readouterr().out
