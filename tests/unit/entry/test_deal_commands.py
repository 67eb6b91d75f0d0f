"""`holdfast deal`: what is typed, what reaches the desk, what is shown, and the exit code."""

import contextlib
import json
from types import SimpleNamespace

import pytest
import stamina

from holdfast.common.errors import Ambiguous, Broken, Paused, Rejected, Transient
from holdfast.common.money import USD8
from holdfast.entry.cli import deal as commands
from holdfast.entry.cli import deal_orders, session
from holdfast.entry.cli.main import run
from holdfast.execution.desk import Order
from holdfast.execution.script import Changed
from holdfast.model.deal import DealEvent, DealStatus, Funding, HoldReason, SplitBps
from holdfast.risk.dynamic import next_state
from holdfast.risk.limits import RiskLimits
from holdfast.risk.tightening import InForce
from tests.unit.entry.test_cli_main import process_as_before
from tests.unit.execution.scene import PLANS, deal
from tests.unit.risk.markets import market

__all__ = ["process_as_before"]

ASKED = ["--total-eth-value", "10000000", "--bank", "BANK001", "--module", "MODULE001"]
PLAN = PLANS[Funding.BORROW]
HASH = PLAN.plan_hash
DEAL = "8f2b3c44-6a1e-4d0b-9a57-2f3c1d5e7b90"


class Desk:
    """Records what it is asked; raises `refuses` instead when there is one."""

    def __init__(self):
        self.asked = []
        self.refuses = None
        self.reporter, self.pool, self.market = Reporter(), Pool(), Limits()
        self.record = deal(status=DealStatus.EXECUTING)

    def _note(self, *what):
        self.asked.append(what)
        if self.refuses is not None:
            raise self.refuses

    async def preview(self, request):
        self._note("preview", request)
        return PLAN

    async def create(self, request, *, author, approve_as):
        self._note("create", request, author, approve_as)
        return self.record

    async def approve(self, deal_id, principal, plan_hash):
        self._note("approve", deal_id, principal, plan_hash)
        return self.record

    async def find(self, deal_id):
        return self.record

    async def check(self, deal_id, order):
        self._note("check", deal_id, order)
        return Changed(order.event, DealStatus.EXECUTING, DealStatus.HOLDING, None)

    async def give(self, deal_id, order):
        self._note("give", deal_id, order)
        return self.record

    async def recent(self, *, status, bank, limit):
        self._note("recent", status, bank, limit)
        return [self.record, deal(status=DealStatus.HOLDING, hold_reason=HoldReason.OPERATOR)]


class Reporter:
    def __init__(self):
        self.refuses = None

    async def report(self, deal_id):
        if self.refuses is not None:
            raise self.refuses
        return {"deal_id": str(deal_id), "status": "completed"}

    async def stored(self, deal_id):
        return {"deal_id": str(deal_id), "status": "holding", "legs": []}


class Pool:
    """The chain's endpoints; `refuses` is why none can be used."""

    def __init__(self):
        self.refuses = None

    async def require(self):
        if self.refuses is not None:
            raise self.refuses


class Limits:
    """The limits in force, without a database."""

    def __init__(self):
        self.found = InForce(RiskLimits())

    @contextlib.asynccontextmanager
    async def begin(self):
        yield "session"

    async def in_force(self, session):
        assert session == "session"
        return self.found


@pytest.fixture
def desk(monkeypatch):
    """The desk of a system that needs neither node nor database."""
    made = Desk()

    @contextlib.asynccontextmanager
    async def opened(settings):
        profile = SimpleNamespace(chain_id=138)
        yield SimpleNamespace(
            desk=made,
            reporter=made.reporter,
            profile=profile,
            settings=settings,
            pool=made.pool,
            db=made.market,
            dynamic=made.market,
        )

    monkeypatch.setenv("COLUMNS", "220")  # wide enough that no table is folded
    monkeypatch.setattr(session, "opened", opened)
    monkeypatch.setattr(commands, "plan_view", lambda report: f"plan {report['plan_hash']}")
    return made


def said(capsys, *arguments):
    """The exit code, stdout and stderr of `holdfast deal ...`."""
    code = run(["deal", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def document(capsys, *arguments):
    code, out, _ = said(capsys, *arguments, "--json")
    return code, json.loads(out)


def test_a_plan_is_previewed_and_nothing_stored(desk, capsys):
    code, out, _ = said(capsys, "plan", *ASKED)
    assert (code, out.strip()) == (0, f"plan {PLAN.plan_hash}")
    ((what, request),) = desk.asked
    assert what == "preview"
    assert (request.total_eth_value, request.bank, request.chain_id) == (
        10_000_000 * USD8,
        "BANK001",
        138,
    )
    assert (request.funding, request.opening_ltv, request.slippage) == (Funding.BORROW, 2_000, 100)


def test_a_deal_that_does_not_say_opens_at_what_the_market_allows(desk, capsys):
    """Half the limits: the rule opens at 12.45 % instead of 24.9, under the default of 20."""
    desk.market.found = InForce(RiskLimits(), next_state(None, market(cash=0.95)))
    assert said(capsys, "plan", *ASKED)[0] == 0
    assert said(capsys, "run", *ASKED, "--opening-ltv", "0.2")[0] == 0
    assert [request.opening_ltv for _, request in desk.asked] == [1_245, 2_000]


def test_every_option_reaches_the_request(desk, capsys):
    options = [
        "--funding", "bucket", "--opening-ltv", "0.15", "--max-ltv", "0.25",
        "--max-exposure", "0.2", "--slippage-bps", "50", "--split", "60/20/20",
        "--horizon-days", "30",
    ]  # fmt: skip
    assert said(capsys, "plan", *ASKED, *options)[0] == 0
    ((_, request),) = desk.asked
    assert request.funding is Funding.BUCKET
    assert (request.opening_ltv, request.max_ltv, request.max_exposure) == (1_500, 2_500, 2_000)
    assert (request.slippage, request.horizon_days) == (50, 30)
    assert request.split == SplitBps(6_000, 2_000, 2_000)


def test_a_plan_as_json_is_the_report_and_its_hash(desk, capsys):
    code, report = document(capsys, "plan", *ASKED)
    assert (code, report) == (0, {"made": "here", "plan_hash": PLAN.plan_hash})


def test_a_run_without_execute_is_a_dry_run(desk, capsys):
    code, out, err = said(capsys, "run", *ASKED, "--approve-as", "bob")
    assert (code, out.strip()) == (0, f"plan {PLAN.plan_hash}")
    assert "Add --execute" in err
    assert [what for what, *_ in desk.asked] == ["preview"]
    _, report = document(capsys, "run", *ASKED)
    assert report["dry_run"] is True


def test_a_run_with_execute_creates_and_approves(desk, capsys):
    code, report = document(
        capsys, "run", *ASKED, "--execute", "--as", "alice", "--approve-as", "bob"
    )
    ((what, request, author, approver),) = desk.asked
    assert (code, what, author, approver) == (0, "create", "alice", "bob")
    assert request.total_eth_value == 10_000_000 * USD8
    assert report["deal_id"] == str(desk.record.deal_id)
    assert report["dry_run"] is False
    assert report["plan"] == {"made": "here"}


def test_a_run_without_an_approver_awaits_one(desk, capsys):
    assert said(capsys, "run", *ASKED, "--execute")[0] == 0
    assert desk.asked[0][2:] == ("operator", None)


ORDERS = {
    "hold": Order(DealEvent.HOLD, "operator"),
    "resume": Order(DealEvent.RESUME, "operator"),
    "close": Order(DealEvent.CLOSE, "operator"),
    "cancel": Order(DealEvent.CANCEL, "operator"),
}


@pytest.mark.parametrize(("name", "order"), ORDERS.items())
def test_an_order_is_shown_first_and_given_with_execute(desk, capsys, name, order):
    wanted = desk.record.deal_id
    code, out, err = said(capsys, name, str(wanted))
    assert code == 0
    assert "would go from executing to holding" in out
    assert "Dry run" in err
    assert desk.asked == [("check", wanted, order)]
    code, out, _ = said(capsys, name, str(wanted), "--execute")
    assert code == 0
    assert "went from executing to holding" in out
    assert desk.asked[1:] == [("check", wanted, order), ("give", wanted, order)]
    _, report = document(capsys, name, str(wanted))
    assert report == {
        "deal_id": str(wanted),
        "before": "executing",
        "after": "holding",
        "dry_run": True,
    }


def test_who_gives_an_order_and_what_becomes_of_the_claim_is_passed_on(desk, capsys):
    wanted = str(desk.record.deal_id)
    assert said(capsys, "close", wanted, "--keep-claim", "--as", "bob", "--execute")[0] == 0
    assert desk.asked[-1][2] == Order(DealEvent.CLOSE, "bob", keep_claim=True)


def test_an_approval_names_who_approves(desk, capsys):
    wanted = desk.record.deal_id
    assert said(capsys, "approve", str(wanted))[0] == 2  # nobody approves by default
    code, report = document(capsys, "approve", str(wanted), "--as", "bob")
    assert (code, report["dry_run"], report["plan_hash"]) == (0, True, HASH)
    assert desk.asked == [("check", wanted, Order(DealEvent.APPROVE, "bob"))]
    named = ["approve", str(wanted), "--as", "bob", "--plan-hash", HASH]
    code, report = document(capsys, *named, "--execute")
    assert (code, report["dry_run"], report["plan_hash"]) == (0, False, HASH)
    order = Order(DealEvent.APPROVE, "bob", plan_hash=HASH)
    assert desk.asked[1:] == [("check", wanted, order), ("approve", wanted, "bob", HASH)]


def test_an_approval_given_is_shown_to_a_person(desk, capsys):
    named = ["approve", str(desk.record.deal_id), "--as", "bob", "--plan-hash", HASH]
    code, out, err = said(capsys, *named, "--execute")
    assert (code, err) == (0, "")
    assert f"Deal {desk.record.deal_id} went from" in out
    assert f"Plan hash {HASH}" in out


def test_who_approves_the_own_plan_is_warned(desk, capsys, terminal):
    author = str(desk.record.author)
    order = ["approve", str(desk.record.deal_id), "--as"]
    named = ["--plan-hash", HASH, "--execute"]
    _, report = document(capsys, *order, author, *named)
    assert [one["code"] for one in report["warnings"]] == ["approval.own_plan"]
    warning = f"WARNING: no four eyes: {author} approves the own plan"
    assert warning in said(capsys, *order, author, *named)[2]
    assert document(capsys, *order, "bob", *named)[1]["warnings"] == []
    # once, before the question
    assert said(capsys, *order, author, "--execute")[2].count(warning) == 1
    terminal.answer = False
    assert warning in said(capsys, *order, author, "--execute")[2]


@pytest.mark.parametrize("execute", [[], ["--execute"]])
def test_who_runs_and_approves_the_own_plan_is_warned(desk, capsys, execute):
    own = ["run", *ASKED, *execute, "--as", "alice", "--approve-as"]
    _, report = document(capsys, *own, "alice")
    assert [one["code"] for one in report["warnings"]] == ["approval.own_plan"]
    assert "WARNING: no four eyes: alice approves" in said(capsys, *own, "alice")[2]
    assert document(capsys, *own, "bob")[1]["warnings"] == []


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_who_cannot_be_asked_must_name_the_plan(desk, capsys, options):
    wanted = str(desk.record.deal_id)
    code, out, err = said(capsys, "approve", wanted, "--as", "bob", "--execute", *options)
    assert code == 2
    assert "approval.unnamed" in (out if options else err)
    assert desk.asked == []


@pytest.fixture
def terminal(monkeypatch):
    """A person at a terminal; what they are asked, and what they answer."""
    person = SimpleNamespace(asked=[], answer=True)

    def confirm(question):
        person.asked.append(question)
        return person.answer

    monkeypatch.setattr(deal_orders.sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(deal_orders.typer, "confirm", confirm)
    monkeypatch.setattr(deal_orders, "plan_view", lambda report: f"plan {report['plan_hash']}")
    return person


def test_a_person_is_shown_the_plan_and_approves_what_was_shown(desk, capsys, terminal):
    code, out, _ = said(capsys, "approve", str(desk.record.deal_id), "--as", "bob", "--execute")
    assert code == 0
    assert f"plan {HASH}" in out
    assert terminal.asked == [f"Approve plan {HASH[:10]}, shown above?"]
    assert desk.asked[-1] == ("approve", desk.record.deal_id, "bob", HASH)


def test_a_person_who_declines_approves_nothing(desk, capsys, terminal):
    terminal.answer = False
    code, _, err = said(capsys, "approve", str(desk.record.deal_id), "--as", "bob", "--execute")
    assert code == 3
    assert "approval.declined" in err
    assert [what for what, *_ in desk.asked] == ["check"]


def test_deals_are_listed_and_filtered(desk, capsys):
    code, out, _ = said(capsys, "list", "--status", "holding", "--bank", "BANK001", "--limit", "5")
    assert code == 0
    assert desk.asked == [("recent", DealStatus.HOLDING, "BANK001", 5)]
    assert "holding: operator" in out
    _, report = document(capsys, "list")
    assert [one["status"] for one in report["deals"]] == ["executing", "holding"]
    assert desk.asked[-1] == ("recent", None, None, 50)


def test_one_deal_is_shown(desk, capsys):
    code, report = document(capsys, "show", str(desk.record.deal_id))
    assert (code, report["status"]) == (0, "completed")


FAMILIES = [
    (Rejected("plan.refused", "the plan breaks a rule"), 3),
    (Transient("rpc.unreachable", "the node is away"), 4),
    (Ambiguous("database.commit_unknown", "maybe"), 5),
    (Broken("plan.tampered", "no"), 6),
]


@pytest.fixture
def impatient():
    """One try and no more."""
    stamina.set_testing(True, attempts=1)
    yield
    stamina.set_testing(False)


def test_a_plan_is_asked_for_again_when_the_node_misses_a_beat(desk, capsys):
    desk.refuses = Transient("rpc.unreachable", "the node is away")
    honest = desk._note

    def once(*what):
        try:
            honest(*what)
        finally:
            desk.refuses = None

    desk._note = once
    assert document(capsys, "plan", *ASKED)[0] == 0
    assert [what for what, *_ in desk.asked] == ["preview", "preview"]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("error", "code"), FAMILIES, ids=lambda one: getattr(one, "code", one))
def test_the_exit_code_tells_what_happened(desk, capsys, error, code):
    desk.refuses = error
    found, report = document(capsys, "plan", *ASKED)
    assert found == code
    assert (report["error"]["code"], report["error"]["exit_code"]) == (error.code, code)
    found, out, err = said(capsys, "hold", str(desk.record.deal_id), "--execute")
    assert (found, out) == (code, "")
    assert error.code in err


def test_a_refused_order_is_not_given(desk, capsys):
    desk.refuses = Rejected("deal.transition", "no")
    assert said(capsys, "cancel", str(desk.record.deal_id), "--execute")[0] == 3
    assert [what for what, *_ in desk.asked] == ["check"]


WRONG = {
    "id.deal": ["show", "nonsense"],
    "id.bank": ["list", "--bank", "bank 1"],
    "id.plan_hash": ["approve", DEAL, "--as", "bob", "--plan-hash", HASH[:10]],
    "id.principal": ["hold", "3f0e7e0c-0000-0000-0000-000000000000", "--as", "no one"],
    "request.not_positive": ["plan", "--total-eth-value", "-1", *ASKED[2:]],
    "request.nan": ["plan", "--total-eth-value", "nan", *ASKED[2:]],
    "request.not_a_number": ["plan", "--total-eth-value", "ten", *ASKED[2:]],
    "request.too_many_decimals": ["plan", "--total-eth-value", "1.000000001", *ASKED[2:]],
    "request.above_maximum": ["plan", "--total-eth-value", "99999999999", *ASKED[2:]],
    "request.funding": ["plan", *ASKED, "--funding", "savings"],
    "split.not_whole": ["plan", *ASKED, "--split", "50/30/30"],
    "request.max_ltv_above_cap": ["plan", *ASKED, "--max-ltv", "0.31"],
}


@pytest.mark.parametrize(("code", "arguments"), WRONG.items())
def test_what_is_malformed_is_refused_by_name_before_the_desk_is_asked(
    desk, capsys, code, arguments
):
    found, report = document(capsys, *arguments)
    assert (found, report["error"]["code"]) == (3, code)
    assert desk.asked == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["plan"],
        ["plan", *ASKED, "--no-such-option"],
        ["list", "--status", "nonsense"],
        ["list", "--limit", "0"],
        ["show"],
    ],
)
def test_a_wrong_command_line_is_a_usage_error(desk, capsys, arguments):
    code, out, err = said(capsys, *arguments)
    assert (code, out) == (2, "")
    assert "usage" in err.lower()
    assert desk.asked == []


def test_a_run_checks_names_before_it_opens_anything(desk, capsys):
    code, report = document(capsys, "run", *ASKED, "--approve-as", "no one", "--execute")
    assert (code, report["error"]["code"]) == (3, "id.principal")
    assert desk.asked == []


READ_ONLY = Paused(
    "chain.read_only",
    "no node of devnet can be used",
    endpoints=[{"endpoint": "http://n1", "trouble": "unreachable", "since": "2026-01-01"}],
)


@pytest.mark.parametrize(
    "arguments",
    [
        ["plan", *ASKED],
        ["run", *ASKED, "--execute"],
        ["approve", DEAL, "--as", "b", "--plan-hash", HASH, "--execute"],
    ],
    ids=["plan", "run", "approve"],
)
def test_what_needs_the_chain_is_refused_before_it_begins_while_there_is_none(
    desk, capsys, arguments
):
    desk.pool.refuses = READ_ONLY
    code, out, err = said(capsys, *arguments)
    assert (code, out, desk.asked) == (4, "", [])
    assert "chain.read_only" in err
    assert "endpoint http://n1, trouble unreachable, since 2026-01-01" in err


@pytest.mark.parametrize("arguments", [["list"], ["hold", DEAL, "--execute"]], ids=["list", "hold"])
def test_what_needs_the_database_alone_goes_on_without_the_chain(desk, capsys, arguments):
    desk.pool.refuses = READ_ONLY
    assert said(capsys, *arguments)[0] == 0
    assert desk.asked


def test_a_deal_is_shown_from_what_is_stored_while_there_is_no_chain(desk, capsys):
    desk.reporter.refuses = READ_ONLY
    code, shown = document(capsys, "show", DEAL)
    assert (code, shown["status"]) == (0, "holding")
    assert shown["read_only"]["code"] == "chain.read_only"
    assert "Only what is stored: no node of devnet can be used" in said(capsys, "show", DEAL)[1]
