"""Where alerts go, with a service that takes them, refuses them or says nothing."""

import asyncio
from dataclasses import replace

import apprise
import pytest
from structlog.testing import capture_logs

from holdfast.common.alerts import Severity
from holdfast.common.errors import Rejected, Transient
from holdfast.common.ids import new_deal_id
from holdfast.common.secret import Secret
from holdfast.monitoring import targets as module
from holdfast.monitoring.targets import AppriseTarget, LogTarget, targets
from tests.support.transactions import BANK, CHAIN
from tests.unit.monitoring.books import kept

DEAL = new_deal_id()
ALERT = replace(
    kept(7, Severity.CRITICAL),
    deal_id=DEAL,
    chain_id=CHAIN,
    bank_id=BANK,
    fields={"sender": "0xcore", "nonce": 3},
)
URL = "json://user:token@hooks.example/path"


class Service:
    """Answers as told, after it has kept what it was handed; None for no answer at all."""

    def __init__(self, answer):
        self.answer = answer
        self.taken = []

    async def async_notify(self, **what):
        self.taken.append(what)
        if self.answer is None:
            await asyncio.Event().wait()
        return self.answer


def named(*urls, least=Severity.WARNING):
    return targets([Secret(one) for one in urls], least)


def test_the_log_hears_of_everything_and_each_address_of_what_is_grave_enough():
    log, chat = named(URL)
    assert isinstance(log, LogTarget)
    assert (log.name, log.least) == ("log", Severity.INFO)
    assert chat.least is Severity.WARNING


def test_two_addresses_of_one_service_have_two_names_without_a_token_in_them():
    _, first, second = named(URL, URL.replace("path", "other"))
    assert first.name != second.name
    assert first.name.startswith("json-")
    assert "token" not in first.name + second.name
    assert named(URL)[1].name == first.name  # and the same one again: it is stored with alerts


def test_an_address_that_nobody_knows_is_named_by_its_number_and_not_shown():
    with pytest.raises(Rejected) as caught:
        named(URL, "nosuch://token@example")
    assert caught.value.code == "config.alert_urls"
    assert caught.value.fields == {"number": 2}
    assert "token" not in caught.value.message


@pytest.mark.parametrize(
    ("severity", "level"),
    [(Severity.INFO, "info"), (Severity.WARNING, "warning"), (Severity.CRITICAL, "critical")],
)
async def test_the_log_has_a_line_at_the_alerts_own_level(severity, level):
    with capture_logs() as lines:
        await LogTarget().send(replace(ALERT, severity=severity))
    (line,) = lines
    assert (line["log_level"], line["code"], line["deal"]) == (level, "core.fell", str(DEAL))
    assert line["fields"] == {"sender": "0xcore", "nonce": 3}


async def test_the_log_says_of_no_deal_that_there_is_none():
    with capture_logs() as lines:
        await LogTarget().send(kept())
    assert lines[0]["deal"] is None


async def test_a_service_is_handed_what_happened_and_all_facts():
    service = Service(answer=True)
    await AppriseTarget("chat", service, Severity.INFO).send(ALERT)
    (taken,) = service.taken
    assert taken["title"] == "[critical] core.fell"
    assert taken["notify_type"] is apprise.NotifyType.FAILURE
    assert taken["body"].splitlines() == [
        "the core balance fell",
        "",
        "subject: 0xcore",
        f"deal: {DEAL}",
        f"chain: {CHAIN}",
        "nonce: 3",
        "sender: 0xcore",
        "alert: 7",
    ]


async def test_an_alert_about_no_deal_or_chain_names_none():
    service = Service(answer=True)
    await AppriseTarget("chat", service, Severity.INFO).send(kept())
    assert service.taken[0]["body"].splitlines()[2:] == ["subject: 0xcore", "alert: 1"]


@pytest.mark.parametrize(("answer", "said"), [(False, "did not take it"), (None, "did not answer")])
async def test_what_no_service_took_in_time_is_delivered_again_later(monkeypatch, answer, said):
    monkeypatch.setattr(module, "_TIMEOUT_SECONDS", 0.01)
    with pytest.raises(Transient) as caught:
        await AppriseTarget("chat", Service(answer), Severity.INFO).send(ALERT)
    assert caught.value.code == "alert.undelivered"
    assert said in caught.value.message
    assert caught.value.fields == {"target": "chat"}
