"""Warns where a plan's author approves it, which the present rule allows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from holdfast.common.ids import PrincipalId


def own_plan(author: PrincipalId, approver: PrincipalId | None) -> list[dict[str, Any]]:
    """The warning that author and approver are one person, in the shape of a plan's warnings."""
    if author != approver:
        return []
    text = f"no four eyes: {author} approves the own plan, and the compliance report says so"
    return [{"code": "approval.own_plan", "text": text}]


def warn(warnings: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    """Tell a person; the document for machines has them."""
    if not as_json:
        for one in warnings:
            typer.echo(f"WARNING: {one['text']} [{one['code']}]", err=True)
