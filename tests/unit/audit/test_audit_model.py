import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest

from holdfast.audit.model import Act, Link, sealed, start, verified
from holdfast.common.errors import Broken
from holdfast.common.ids import BankId, ChainId, DealId

DEAL = DealId(UUID(int=1))
OTHER = DealId(UUID(int=2))
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def act(action, **detail):
    return Act(DEAL, BankId("BANK001"), ChainId(138), "alice", action, "deal", detail)


def chain(*acts):
    entries, link = [], start(DEAL)
    for one in acts:
        entries.append(sealed(one, NOON, link))
        link = entries[-1].link
    return entries


THREE = chain(act("plan", size=10**30), act("approve", by="bob"), act("start"))


def test_digest_is_sha256_over_the_previous_digest_and_the_canonical_fields():
    first = THREE[0]
    fields = [
        "00000000-0000-0000-0000-000000000001",
        1,
        "BANK001",
        138,
        "alice",
        "plan",
        "deal",
        '{"size":1000000000000000000000000000000}',
        "2026-01-02T12:00:00+00:00",
    ]
    text = (
        b"holdfast.audit.1\n"
        + start(DEAL).digest
        + json.dumps(fields, separators=(",", ":")).encode()
    )
    assert hashlib.sha256(text).digest() == first.digest


def test_an_untouched_chain_ends_at_its_last_entry():
    assert verified(DEAL, THREE) == Link(3, THREE[2].digest)


def test_a_deal_without_entries_is_at_its_start():
    assert verified(DEAL, []) == start(DEAL) != start(OTHER)


@pytest.mark.parametrize(
    "change",
    [
        {"actor": "mallory"},
        {"action": "reject"},
        {"subject": "plan"},
        {"detail": '{"by":"mallory"}'},
        {"at": NOON + timedelta(microseconds=1)},
        {"bank": BankId("BANK002")},
        {"chain_id": ChainId(1)},
        {"previous": bytes(32)},
        {"digest": bytes(32)},
    ],
)
def test_any_changed_field_breaks_the_chain_where_it_stands(change):
    changed = [THREE[0], replace(THREE[1], **change), THREE[2]]
    with pytest.raises(Broken) as caught:
        verified(DEAL, changed)
    assert (caught.value.code, caught.value.fields["seq"]) == ("audit.chain", 2)


@pytest.mark.parametrize(
    "entries",
    [THREE[1:], [THREE[0], THREE[2]], [THREE[1], THREE[0], THREE[2]], [THREE[0], THREE[0]]],
    ids=["first removed", "middle removed", "moved", "doubled"],
)
def test_removed_moved_and_doubled_entries_break_the_chain(entries):
    with pytest.raises(Broken, match="does not hold"):
        verified(DEAL, entries)


def test_another_deals_entries_are_not_this_deals_record():
    with pytest.raises(Broken):
        verified(OTHER, THREE)


def test_the_zone_of_the_same_moment_does_not_matter():
    elsewhere = NOON.astimezone(timezone(timedelta(hours=5)))
    assert verified(DEAL, [replace(THREE[0], at=elsewhere)]).length == 1


def test_detail_is_written_one_way_whatever_the_order_of_its_keys():
    assert act("x", b=1, a=2).detail_text == act("x", a=2, b=1).detail_text == '{"a":2,"b":1}'
