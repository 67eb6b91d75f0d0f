"""Every `risk` and `report` command, and `deal`, keep to docs/json.md on a desk that works."""

import asyncio
import json

import pytest

from holdfast.entry.cli import main
from holdfast.monitoring.store import history
from tests.devnet.test_monitor import monitored
from tests.devnet.test_risk_exits import bought
from tests.devnet.test_tx_commands import environment
from tests.support.json_units import offences

__all__ = ["environment"]

PLAN = ("--total-eth-value", "10000000", "--bank", "BANK002", "--module", "MODULE001")
COMMANDS = (
    *("risk status", "risk market", "risk limits --prices {hours}", "risk gate", "risk stress"),
    *("risk stress --reverse", "risk stress --matrix", "risk stress --reverse --deal {deal}"),
    *("risk exits --deal {deal}", "risk replay --prices {hours}"),
    *(
        f"report {kind}"
        for kind in ("daily", "exposure", "history", "compliance", "stress", "runs")
    ),
    *("deal list", "deal show {deal}", "desk status"),
)
WORDS = {"falls"}
"""Tables whose columns are scenarios, with words in them."""


def hours(path):
    rows = [f"{n * 3600},100,{80 if n == 50 else 99},100" for n in range(100)]
    path.write_text("\n".join(["timestamp,high,low,close", *rows]))
    return str(path)


@pytest.fixture
def told(environment, capsys):
    async def run(*arguments):
        capsys.readouterr()
        code = await asyncio.to_thread(main.run, [*arguments, "--json"])
        return code, json.loads(capsys.readouterr().out)

    return run


async def looked(system):
    """The monitor's first look that has a deal."""
    while True:
        async with system.db.begin() as session:
            for chain_id in await history.chains(session):
                if (await history.newest(session, chain_id)).count:
                    return
        await asyncio.sleep(0.2)


async def test_what_every_command_prints_keeps_to_the_convention(
    told, devnet, database_url, tmp_path
):
    prices, broken = hours(tmp_path / "hours.csv"), {}
    async with bought(devnet, database_url, tmp_path) as (system, deal):
        async with asyncio.timeout(60), monitored(system):
            await looked(system)
        asked = [one.format(deal=deal.deal_id, hours=prices).split() for one in COMMANDS]
        for arguments in (*asked, ["deal", "plan", *PLAN]):
            code, document = await told(*arguments)
            assert (code, "error" in document) == (0, False), (arguments, document)
            for name in WORDS:
                document.get("tables", {}).pop(name, None)
            broken[" ".join(arguments)] = offences(document)
    assert broken == {key: [] for key in broken}
