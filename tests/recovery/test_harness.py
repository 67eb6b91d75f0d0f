"""The harness of `make crash-test` can fail: each planted fault turns line and exit code red."""

import asyncio
import json
from dataclasses import replace

import psycopg
import pytest

from tests.chaos.report import concluded
from tests.chaos.storm import Order, storm
from tests.support.auditor import deal_rows
from tests.support.thief import Thief

ETHER = 10**18
DEPOSIT = "d0e30db0"


@pytest.fixture(scope="module")
def aftermath(storm_stage):
    """Two deals with nothing wrong; the stage stays for the tests to plant faults on."""
    return asyncio.run(storm(storm_stage, Order(kills=2, deals=2, seed=1)))


@pytest.fixture
def planted(aftermath, capsys):
    """Judges what a test has planted, then puts the chain back; the exit code and the figures."""
    control = aftermath.stage.devnet.control
    mark = control.snapshot()

    def conclude():
        code = concluded(aftermath)
        return code, json.loads(capsys.readouterr().out.splitlines()[-1])

    yield aftermath.stage, conclude
    control.revert(mark)


def faults(figures):
    names = ("lost", "duplicated", "mismatch_wei", "stuck")
    return {name: figures[name] for name in names if figures[name]}


def test_a_storm_with_nothing_wrong_is_green(planted):
    _, conclude = planted
    code, figures = conclude()
    assert code == 0
    assert figures["kills"] >= 2
    assert figures["legs"] == 20 * figures["deals"] >= 40
    assert not faults(figures)
    assert figures["problems"] == 0


def test_a_leg_that_was_sent_twice_is_red(planted):
    world, conclude = planted
    thief = Thief(world.devnet, 2)  # the first deal of the storm: number 1 was its model
    assert thief.address.lower() == deal_rows(world.libpq_url)[1].account
    thief.give_itself(200 * ETHER)
    thief.send(world.profile["tokens"]["WETH"]["address"], DEPOSIT, value=150 * ETHER)
    code, figures = conclude()
    assert code == 1
    assert figures["duplicated"] == 1
    assert figures["lost"] == 0


@pytest.mark.parametrize("account", ["expense/gas", "equity/treasury_returned", "trade/purchase"])
def test_a_wei_that_is_booked_wrongly_is_red(planted, account):
    world, conclude = planted
    deal = deal_rows(world.libpq_url)[1].deal_id
    add_to_ledger(world, deal, account, 1)
    try:
        code, figures = conclude()
    finally:
        add_to_ledger(world, deal, account, -1)
    assert code == 1
    assert faults(figures) == {"mismatch_wei": 1}


def test_a_deal_that_is_not_over_is_red(planted):
    world, conclude = planted
    deal = deal_rows(world.libpq_url)[1].deal_id
    set_status(world, deal, "closing")
    try:
        code, figures = conclude()
    finally:
        set_status(world, deal, "completed")
    assert code == 1
    assert faults(figures) == {"stuck": 1}


def test_fewer_kills_than_asked_for_are_red(aftermath, capsys):
    more = Order(kills=10**6, deals=2, seed=1)
    assert concluded(replace(aftermath, order=more)) == 1
    assert not faults(json.loads(capsys.readouterr().out.splitlines()[-1]))


def test_a_leg_that_is_no_longer_on_chain_is_red(aftermath, capsys):
    # The last test here: a chain that was rolled back cannot be put back as it was.
    aftermath.stage.devnet.control.rpc.call("anvil_rollback", 1)
    assert concluded(aftermath) == 1
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert figures["lost"] == 1
    assert figures["duplicated"] == 0


def add_to_ledger(world, deal, account, units):
    """Change one posting, which the database refuses to everybody but its owner."""
    with psycopg.connect(world.libpq_url) as connection:
        connection.execute("ALTER TABLE ledger_postings DISABLE TRIGGER USER")
        changed = connection.execute(
            "UPDATE ledger_postings SET units = units + %s WHERE (entry_id, position) = "
            "(SELECT entry_id, position FROM ledger_postings WHERE deal_id = %s AND account = %s "
            "ORDER BY entry_id, position LIMIT 1)",
            (units, deal, account),
        ).rowcount
        connection.execute("ALTER TABLE ledger_postings ENABLE TRIGGER USER")
    assert changed == 1


def set_status(world, deal, status):
    with psycopg.connect(world.libpq_url) as connection:
        connection.execute("UPDATE deals SET status = %s WHERE deal_id = %s", (status, deal))
