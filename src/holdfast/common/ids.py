"""Identifiers: plain strings and integers with a type, made only at the edge."""

from __future__ import annotations

import re
from typing import NewType
from uuid import UUID, uuid4

from holdfast.common.errors import Rejected

DealId = NewType("DealId", UUID)
LegId = NewType("LegId", UUID)
IntentId = NewType("IntentId", UUID)
GroupId = NewType("GroupId", UUID)
PlanHash = NewType("PlanHash", str)
PrincipalId = NewType("PrincipalId", str)
BankId = NewType("BankId", str)
ModuleId = NewType("ModuleId", str)
ChainId = NewType("ChainId", int)

_NAME = re.compile(r"[A-Z][A-Z0-9_-]{2,31}")
_PRINCIPAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_PLAN_HASH = re.compile(r"0x[0-9a-f]{64}")


def new_deal_id() -> DealId:
    """A fresh deal id."""
    return DealId(uuid4())


def new_leg_id() -> LegId:
    """A fresh leg id."""
    return LegId(uuid4())


def new_intent_id() -> IntentId:
    """A fresh intent id."""
    return IntentId(uuid4())


def new_group_id() -> GroupId:
    """A fresh id for legs that are sent together."""
    return GroupId(uuid4())


def deal_id(text: str) -> DealId:
    """The deal id written as `text`.

    Raises:
        Rejected: `id.deal` when `text` is not a UUID.
    """
    try:
        return DealId(UUID(text))
    except ValueError as error:
        raise Rejected(
            "id.deal", f"{text!r} is not a deal id: give the UUID that `deal list` shows"
        ) from error


def intent_id(text: str) -> IntentId:
    """The intent id written as `text`.

    Raises:
        Rejected: `id.intent` when `text` is not a UUID.
    """
    try:
        return IntentId(UUID(text))
    except ValueError as error:
        raise Rejected(
            "id.intent", f"{text!r} is not an intent id: give the UUID that `tx inbox` shows"
        ) from error


def bank_id(text: str) -> BankId:
    """The participant bank's id, such as BANK001; `id.bank` when malformed."""
    return BankId(_matching(_NAME, text, "id.bank", "a bank id such as BANK001"))


def module_id(text: str) -> ModuleId:
    """The module's id, such as MODULE001; `id.module` when malformed."""
    return ModuleId(_matching(_NAME, text, "id.module", "a module id such as MODULE001"))


def principal_id(text: str) -> PrincipalId:
    """The id of a person or service that acts; `id.principal` when malformed."""
    return PrincipalId(_matching(_PRINCIPAL, text, "id.principal", "a name such as alice@bank"))


def plan_hash(text: str) -> PlanHash:
    """The plan hash written as `text`; `id.plan_hash` when malformed."""
    return PlanHash(_matching(_PLAN_HASH, text, "id.plan_hash", "0x and 64 lower-case hex digits"))


def chain_id(number: int) -> ChainId:
    """The chain id `number`; `id.chain` when it is not positive."""
    if number <= 0:
        raise Rejected("id.chain", f"{number} is not a chain id: it is a positive number")
    return ChainId(number)


def _matching(pattern: re.Pattern[str], text: str, code: str, wanted: str) -> str:
    if pattern.fullmatch(text) is None:
        raise Rejected(code, f"{text!r} is not valid here: give {wanted}")
    return text
