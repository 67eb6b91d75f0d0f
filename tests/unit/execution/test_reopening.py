"""What somebody is told of a reorg that should not have been possible."""

import pytest

from holdfast.common.alerts import Severity
from holdfast.execution.reopening import Reopening
from holdfast.model.deal import DealStatus
from holdfast.model.leg import LegKind
from holdfast.transactions.model import IntentStatus, Place
from holdfast.transactions.unmined import Orphan
from tests.support.alarm import KeptAlarm
from tests.unit.execution import fakes
from tests.unit.execution.scene import deal, leg


class LockedDeals(fakes.Deals):
    async def load_locked(self, session, deal_id):
        return await self.load(session, deal_id)


@pytest.mark.parametrize(
    ("call", "said"),
    [("reopened", "the same bytes were sent again"), ("lost", "nothing was resent")],
)
async def test_the_alert_about_a_deal_that_is_over_says_what_became_of_the_bytes(call, said):
    record = deal(status=DealStatus.COMPLETED, legs=(leg(LegKind.RETURN_NATIVE),))
    journal, alarm = fakes.Journal(), KeptAlarm()
    reopening = Reopening(
        finality=4,
        deals=LockedDeals(journal, record),
        books=fakes.Books(journal),
        audit=fakes.Audit(journal),
        wakes=fakes.Wakes(journal),
        alarm=alarm,
        clock=fakes.Clock(),
    )
    gone = Orphan(
        intent_id=record.legs[0].leg_id,
        leg_id=record.legs[0].leg_id,
        deal_id=record.deal_id,
        status=IntentStatus.LANDED,
        tx_hash="0x" + "ab" * 32,
        block=Place(fakes.GONE, "0x" + "cd" * 32),
    )
    await getattr(reopening, call)("session", [gone])
    (alert,) = alarm.alerts
    assert (alert.code, alert.severity) == ("tx.final_reorged", Severity.CRITICAL)
    assert said in alert.text
    assert journal.pending == []  # the deal itself stays as it is
