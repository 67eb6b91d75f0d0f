"""Which pool revisions this adapter's arithmetic is right for."""

from __future__ import annotations

from typing import Final

from holdfast.common.errors import Rejected

KNOWN_REVISIONS: Final = frozenset({1})
"""Revisions whose interest, rates and account data are tested to the wei.

Source: Pool.POOL_REVISION of core-v3 1.19.3, which is 3.0.x.
"""


def require_known(revision: int) -> None:
    """Check the pool's `POOL_REVISION`.

    Raises:
        Rejected: `aave.revision` for a revision whose arithmetic is not known here.
    """
    if revision not in KNOWN_REVISIONS:
        raise Rejected(
            "aave.revision",
            f"the pool is revision {revision}, whose interest and close factor may differ: only "
            f"{sorted(KNOWN_REVISIONS)} are supported",
            limit=sorted(KNOWN_REVISIONS),
            value=revision,
        )
