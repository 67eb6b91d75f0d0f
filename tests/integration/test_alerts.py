import asyncio
import contextlib
import http.server
import json
import logging
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import structlog
from prometheus_client import CollectorRegistry

from holdfast.audit import store as audit_store
from holdfast.audit.service import DESK, AuditTrail
from holdfast.common.alerts import Alert, Ended, Severity
from holdfast.common.errors import Rejected, Transient
from holdfast.common.ids import BankId, ChainId, new_deal_id, principal_id
from holdfast.common.queue import ChoreQueue, Queue
from holdfast.common.secret import Secret
from holdfast.common.system_clock import SystemClock
from holdfast.entry.cli.main import run
from holdfast.execution.store.deals import DealStore
from holdfast.monitoring.alerts import Alerts, Delivery
from holdfast.monitoring.chores import ChoreRunner, Chores
from holdfast.monitoring.metrics import Counting, MonitoringMetrics
from holdfast.monitoring.model import ChoreState, Patience
from holdfast.monitoring.records import DeliveryState, KeptAlert
from holdfast.monitoring.store.alerts import DELIVERY
from holdfast.monitoring.targets import targets

AUDIT = AuditTrail(SystemClock())
FALL = Alert("core.fell", Severity.CRITICAL, "0xcore", "the core balance fell", ChainId(138))
_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_KEPT = KeptAlert(
    alert_id=1,
    code=FALL.code,
    severity=FALL.severity,
    subject=FALL.subject,
    text=FALL.text,
    fields={},
    chain_id=None,
    deal_id=None,
    bank_id=None,
    count=1,
    opened_at=_NOW,
    last_seen_at=_NOW,
    acknowledged_by=None,
    acknowledged_at=None,
    resolved_at=None,
    reached=frozenset(),
    delivery=DeliveryState.PENDING,
    error=None,
)
QUICK = Patience(first_seconds=0.2, most_seconds=0.4, attempts=50)


class Endpoint:
    """A webhook of this machine that counts what it is given, and can be switched off."""

    def __init__(self):
        self.taken = []
        self.calls = 0
        self.status = 200
        self.delay_seconds = 0.0
        self.is_let_through = threading.Event()  # until then a call waits
        self.is_let_through.set()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.calls, status = outer.calls + 1, outer.status
                outer.is_let_through.wait()
                time.sleep(outer.delay_seconds)
                if status == 200:
                    outer.taken.append(json.loads(body))
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    self.send_response(status)
                    self.end_headers()

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self):
        return Secret(f"json://127.0.0.1:{self._server.server_port}/a-token-of-ours")

    def close(self):
        self.is_let_through.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def endpoint():
    made = Endpoint()
    yield made
    made.close()


@pytest.fixture
def alarm(database_url):
    return Alerts(Chores(ChoreQueue(database_url)), AUDIT, DealStore())


@contextlib.asynccontextmanager
async def delivering(database, url, *urls, least=Severity.WARNING, patience=QUICK):
    """Run the chores of one worker around the block."""
    queue = ChoreQueue(url)
    work = {DELIVERY: Delivery(database, targets(urls, least))}
    async with running(queue.run(ChoreRunner(database, queue, work, patience))):
        yield


@contextlib.asynccontextmanager
async def running(part):
    """Run one part of a worker around the block."""
    task = asyncio.create_task(part)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, ExceptionGroup):
            await task


async def raise_(database, alarm, *alerts):
    async with database.begin() as session:
        await alarm.raised(session, *alerts)


async def known(database, alarm, **options):
    async with database.begin() as session:
        return await alarm.listed(session, **options)


async def until(condition, seconds=60):
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - rows change without telling
            await asyncio.sleep(0.05)


def delivered(database, alarm):
    async def condition():
        found = await known(database, alarm)
        return bool(found) and all(one.delivery is DeliveryState.DELIVERED for one in found)

    return condition


async def test_an_alert_is_kept_with_its_facts(database, alarm):
    deal = new_deal_id()
    alert = Alert(
        "account.outflow",
        Severity.CRITICAL,
        "tx 0x01",
        "tokens left",
        ChainId(138),
        deal,
        BankId("BANK001"),
        {"units": 2**70},
    )
    await raise_(database, alarm, alert)
    (kept,) = await known(database, alarm)
    assert (kept.code, kept.severity, kept.subject) == (alert.code, alert.severity, alert.subject)
    assert (kept.chain_id, kept.deal_id, kept.bank_id) == (138, deal, "BANK001")
    assert (kept.count, kept.delivery) == (1, DeliveryState.PENDING)
    assert kept.fields == {"units": 2**70}


async def test_an_alert_is_dropped_with_its_transaction(database, alarm):
    async def raise_and_fail():
        async with database.begin() as session:
            await alarm.raised(session, FALL)
            raise RuntimeError("planted")

    with pytest.raises(RuntimeError):
        await raise_and_fail()
    async with database.begin() as session:
        assert await alarm.listed(session) == []
        assert await alarm.chores.listed(session) == []


async def test_a_repeated_alert_is_counted_until_somebody_acknowledges_it(database, alarm):
    for _ in range(3):
        await raise_(database, alarm, FALL)
    (first,) = await known(database, alarm)
    assert first.count == 3
    async with database.begin() as session:
        closed = await alarm.acknowledge(session, first.alert_id, principal_id("alice"), "known")
    assert closed.acknowledged_by == "alice"
    await raise_(database, alarm, FALL)
    assert [one.count for one in await known(database, alarm)] == [1]
    assert sorted(one.count for one in await known(database, alarm, with_closed=True)) == [
        1,
        3,
    ]


@pytest.mark.parametrize("deal", [None, new_deal_id()])
async def test_who_acknowledged_and_why_goes_into_the_record(database, alarm, deal):
    await raise_(database, alarm, replace(FALL, deal_id=deal))
    await raise_(database, alarm, replace(FALL, deal_id=deal, subject="0xother"))
    for alert in await known(database, alarm):
        for who in ("alice", "bob"):  # the second changes nothing
            async with database.begin() as session:
                await alarm.acknowledge(session, alert.alert_id, principal_id(who), "a drill")
    async with database.begin() as session:
        await AUDIT.verify(session, deal or DESK)
        entries = await audit_store.entries_of(session, deal or DESK)
    assert [(one.actor, one.action) for one in entries] == [("alice", "alert.acknowledge")] * 2
    assert json.loads(entries[1].detail) == {
        "code": "core.fell",
        "subject": "0xcore",
        "reason": "a drill",
    }


async def test_without_a_reason_an_alert_stays_open(database, alarm):
    await raise_(database, alarm, FALL)
    (alert,) = await known(database, alarm)
    with pytest.raises(Rejected) as refused:
        async with database.begin() as session:
            await alarm.acknowledge(session, alert.alert_id, principal_id("alice"), " ")
    assert refused.value.code == "alert.reason"
    assert await known(database, alarm) == [alert]


async def test_what_ended_by_itself_is_closed_with_the_time_and_only_that(database, alarm):
    await raise_(database, alarm, FALL, replace(FALL, code="core.below_booked"))
    await raise_(database, alarm, replace(FALL, code="corexfell"), replace(FALL, subject="0xother"))
    async with database.begin() as session:
        await alarm.ended(session, Ended("core.", FALL.subject), Ended("none.", "nothing"))
    open_ = {(one.code, one.subject) for one in await known(database, alarm)}
    assert open_ == {("corexfell", FALL.subject), (FALL.code, "0xother")}
    over = [one for one in await known(database, alarm, with_closed=True) if one.resolved_at]
    assert {(one.code, one.acknowledged_by) for one in over} == {
        ("core.fell", None),
        ("core.below_booked", None),
    }
    await raise_(database, alarm, FALL)  # the next of its kind is a new one
    assert len(await known(database, alarm)) == 3


async def test_acknowledging_twice_keeps_who_was_first(database, alarm):
    await raise_(database, alarm, FALL)
    (alert,) = await known(database, alarm)
    for who in ("alice", "bob"):
        async with database.begin() as session:
            closed = await alarm.acknowledge(session, alert.alert_id, principal_id(who), "known")
    assert closed.acknowledged_by == "alice"


async def test_an_unknown_alert_cannot_be_acknowledged(database, alarm):
    with pytest.raises(Rejected, match="no alert 7"):
        async with database.begin() as session:
            await alarm.acknowledge(session, 7, principal_id("alice"), "known")


async def test_two_workers_that_raise_the_same_alert_make_one(database, alarm):
    await asyncio.gather(*(raise_(database, alarm, FALL) for _ in range(6)))
    assert [one.count for one in await known(database, alarm)] == [6]


async def test_an_alert_is_delivered_once(database, database_url, alarm, endpoint):
    async with delivering(database, database_url, endpoint.url):
        await raise_(database, alarm, FALL)
        await until(delivered(database, alarm))
        await raise_(database, alarm, FALL)
        await asyncio.sleep(1)
    (taken,) = endpoint.taken
    assert "core.fell" in taken["title"]
    assert "the core balance fell" in taken["message"]


async def test_an_alert_that_became_graver_is_delivered_again(
    database, database_url, alarm, endpoint
):
    mild = Alert(FALL.code, Severity.WARNING, FALL.subject, "a little")
    async with delivering(database, database_url, endpoint.url):
        await raise_(database, alarm, mild)
        await until(delivered(database, alarm))
        await raise_(database, alarm, FALL)
        await until(delivered(database, alarm))
        await raise_(database, alarm, mild)
        await asyncio.sleep(1)
    assert [one["title"] for one in endpoint.taken] == [
        "[warning] core.fell",
        "[critical] core.fell",
    ]
    assert [one.severity for one in await known(database, alarm)] == [Severity.CRITICAL]


async def test_below_the_threshold_only_the_log_hears_of_it(
    database, database_url, alarm, endpoint
):
    dust = Alert("account.dust", Severity.INFO, "tx 0x02", "somebody sent tokens")
    with structlog.testing.capture_logs() as logs:
        async with delivering(database, database_url, endpoint.url):
            await raise_(database, alarm, dust)
            await until(delivered(database, alarm))
    assert endpoint.calls == 0
    assert [(one["code"], one["log_level"]) for one in logs if one["event"] == "alert"] == [
        ("account.dust", "info")
    ]


async def test_while_the_endpoint_is_down_the_alert_waits_and_deals_move(
    database, database_url, alarm, endpoint
):
    endpoint.status = 503
    endpoint.is_let_through.clear()
    woken, deals = [], [new_deal_id() for _ in range(20)]

    async def wake(deal):
        woken.append(deal)

    async with (
        running(Queue(database_url).run(wake)),
        delivering(database, database_url, endpoint.url),
    ):
        for number in range(10):  # more than the chore workers can hold
            await raise_(database, alarm, Alert("a.b", Severity.CRITICAL, str(number), "x"))
        await until(lambda: asyncio.sleep(0, endpoint.calls >= 2))
        async with database.begin() as session:
            await Queue(database_url).wake(session, *deals)
        # every chore worker is inside a call that is not answered meanwhile
        await until(lambda: asyncio.sleep(0, len(woken) == 20))
        states = {one.delivery for one in await known(database, alarm)}
        assert states == {DeliveryState.PENDING}
        endpoint.status = 200
        endpoint.is_let_through.set()
        await until(delivered(database, alarm))
    assert len(endpoint.taken) == 10


async def test_a_target_that_has_an_alert_is_left_alone_while_another_is_down(
    database, database_url, alarm, endpoint
):
    other = Endpoint()
    other.status = 500
    async with delivering(database, database_url, endpoint.url, other.url):
        await raise_(database, alarm, FALL)
        await until(lambda: asyncio.sleep(0, other.calls >= 3))
        (kept,) = await known(database, alarm)
        assert kept.delivery is DeliveryState.PENDING
        assert "did not take it" in kept.error
        other.status = 200
        await until(delivered(database, alarm))
    other.close()
    assert (len(endpoint.taken), len(other.taken)) == (1, 1)


async def test_a_chore_is_given_up_at_last_and_can_be_retried(
    database, database_url, alarm, endpoint
):
    endpoint.status = 500
    few = Patience(first_seconds=0.05, most_seconds=0.1, attempts=3)
    async with delivering(database, database_url, endpoint.url, patience=few):
        await raise_(database, alarm, FALL)

        async def is_given_up():
            return (await known(database, alarm))[0].delivery is DeliveryState.FAILED

        await until(is_given_up)
        assert endpoint.calls == 3
        async with database.begin() as session:
            (chore,) = await alarm.chores.listed(session)
        assert (chore.state, chore.attempts) == (ChoreState.FAILED, 3)
        assert "did not take it" in chore.error
        endpoint.status = 200
        async with database.begin() as session:
            await alarm.chores.retry(session, chore.kind, chore.subject)
        await until(delivered(database, alarm))

        async def is_done():
            async with database.begin() as session:
                return await alarm.chores.listed(session) == []

        await until(is_done)


async def test_a_chore_whose_worker_died_is_due_again_and_given_up_in_the_end(
    database, database_url, alarm
):
    """The attempt is counted before it starts: what kills every worker is not tried for ever."""
    calls = []

    class Died(BaseException):
        """Nothing of ours runs after it, as after SIGKILL."""

    async def dies(subject):
        calls.append(subject)
        raise Died

    queue = ChoreQueue(database_url)
    patience = Patience(first_seconds=0.01, most_seconds=0.01, attempts=2)
    runner = ChoreRunner(database, queue, {"report": dies}, patience)
    async with database.begin() as session:
        await alarm.chores.later(session, "report", "1")
    for _ in range(2):
        with pytest.raises(Died):
            await runner.do("report", "1")
        await asyncio.sleep(0.05)
    await runner.do("report", "1")
    assert calls == ["1", "1"]
    async with database.begin() as session:
        (chore,) = await alarm.chores.listed(session)
    assert chore.state is ChoreState.FAILED


async def test_a_chore_that_lost_its_job_is_found_by_the_sweep(database, database_url):
    rung = []

    class Bell:
        async def ring(self, session, kind, subject, *, at=None):
            rung.append((kind, subject))

    bell = Bell()
    async with database.begin() as session:
        await Chores(bell).later(session, "report", "1")
        await session.exec_driver_sql("UPDATE chores SET next_at = now() - interval '29 s'")
    runner = ChoreRunner(database, bell, {})
    await runner.sweep()
    assert len(rung) == 1
    async with database.begin() as session:
        await session.exec_driver_sql("UPDATE chores SET next_at = now() - interval '31 s'")
    await runner.sweep()
    assert len(rung) == 2


async def test_work_asked_for_again_while_it_runs_is_done_once_more(database, alarm, database_url):
    queue, done = ChoreQueue(database_url), []

    async def work(subject):
        done.append(subject)
        if len(done) == 1:
            async with database.begin() as session:
                await alarm.chores.later(session, "report", subject)

    runner = ChoreRunner(database, queue, {"report": work})
    async with database.begin() as session:
        await alarm.chores.later(session, "report", "1")
    await runner.do("report", "1")
    await runner.do("report", "1")
    assert done == ["1", "1"]
    async with database.begin() as session:
        assert await alarm.chores.listed(session) == []


async def test_a_chore_of_an_unknown_kind_waits_for_a_version_that_knows_it(
    database, database_url, alarm
):
    runner = ChoreRunner(database, ChoreQueue(database_url), {})
    async with database.begin() as session:
        await alarm.chores.later(session, "of.tomorrow", "1")
    await runner.do("of.tomorrow", "1")
    async with database.begin() as session:
        (chore,) = await alarm.chores.listed(session)
    assert chore.state is ChoreState.PENDING
    assert "does not know" in chore.error


def test_an_address_that_nobody_knows_is_refused_without_being_shown():
    with pytest.raises(Rejected) as refused:
        targets([Secret("nonsense-with-a-token")], Severity.INFO)
    assert refused.value.code == "config.alert_urls"
    assert "token" not in str(refused.value)


async def test_a_target_that_does_not_answer_is_undelivered(endpoint, monkeypatch):
    monkeypatch.setattr("holdfast.monitoring.targets._TIMEOUT_SECONDS", 0.2)
    endpoint.delay_seconds = 1.0
    _, target = targets([endpoint.url], Severity.INFO)
    with pytest.raises(Transient, match="did not answer"):
        await target.send(_KEPT)


@pytest.fixture
def holdfast(capsys, monkeypatch, database_url):
    """Run one command in its own loop; returns its exit code and its JSON."""
    monkeypatch.setenv("HOLDFAST_DATABASE_URL", database_url)
    root = logging.getLogger()
    handlers, level = root.handlers, root.level

    async def command(*arguments):
        code = await asyncio.to_thread(run, [*arguments, "--json"])
        return code, json.loads(capsys.readouterr().out)

    yield command
    root.handlers, root.level = handlers, level
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


async def test_the_commands_show_and_acknowledge_without_a_node(database, alarm, holdfast):
    await raise_(database, alarm, FALL)
    code, listed = await holdfast("alerts", "list")
    assert (code, [one["code"] for one in listed["alerts"]]) == (0, ["core.fell"])
    number = str(listed["alerts"][0]["alert_id"])
    assert (await holdfast("alerts", "show", number))[1]["severity"] == "critical"
    code, chores = await holdfast("chores", "list")
    assert [(one["kind"], one["subject"]) for one in chores["chores"]] == [("alert", number)]
    assert (await holdfast("chores", "retry", "alert", number))[1]["was"] == "pending"
    acknowledged = await holdfast("alerts", "ack", number, "--as", "alice", "--reason", "a drill")
    assert acknowledged[1]["acknowledged_by"] == "alice"
    assert await holdfast("alerts", "list") == (0, {"alerts": []})
    code, error = await holdfast("chores", "retry", "alert", "999")
    assert (code, error["error"]["code"]) == (3, "chore.not_found")


async def test_what_is_open_and_left_to_do_is_counted(database, alarm):
    registry = CollectorRegistry()
    counting = Counting(database, MonitoringMetrics(registry), SystemClock())
    await raise_(database, alarm, FALL, replace(FALL, subject="0xother"))
    await raise_(database, alarm, replace(FALL, subject="dust", severity=Severity.INFO))
    (*_, over) = await known(database, alarm)
    async with database.begin() as session:
        await alarm.ended(session, Ended(over.code, over.subject))
    await counting.once()
    counts = {one.labels["severity"]: one.value for one in samples(registry, "alerts_open")}
    assert counts == {"critical": 1, "warning": 0, "info": 1}
    (pending, failed) = samples(registry, "chores")
    assert (pending.value, failed.value) == (3, 0)
    (desk,) = samples(registry, "trading_state")
    assert (desk.labels, desk.value) == ({"scope": "desk"}, 0)


def samples(registry, name):
    return [one for each in registry.collect() for one in each.samples if one.name.endswith(name)]
