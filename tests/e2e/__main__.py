"""`make e2e-testnet`: a minimum-size position and swap on a public testnet, with one's own key.

`--check` validates the settings and says what a run would cover, and touches no network.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

from holdfast.common.errors import HoldfastError
from tests.e2e.position import Failed, run
from tests.e2e.settings import settings_of

_AGAIN = "What was sent is recorded: the next run settles it, then look at the account"


def main(arguments, environment):
    """The exit code: 0 done or valid, 1 failed on the way, 2 refused before anything was sent."""
    if unknown := set(arguments) - {"--check", "--help"}:
        print(f"no such option: {', '.join(sorted(unknown))}\n\n{__doc__}", file=sys.stderr)
        return 2
    if "--help" in arguments:
        print(__doc__)
        return 0
    try:
        settings = settings_of(environment)
    except HoldfastError as error:
        print(json.dumps(error.as_dict(), default=str), file=sys.stderr)
        return 2
    print(json.dumps(_said(settings)), file=sys.stderr)
    return 0 if "--check" in arguments else _run(settings)


def _said(settings):
    return {
        "chain": settings.profile.name,
        "collateral_wei": settings.collateral_wei,
        "borrow_units": settings.borrow_units,
        "swap_wei": settings.swap_wei if settings.exchange else 0,
        "steps": {step: lacks or "covered" for step, lacks in sorted(settings.covered.items())},
    }


def _run(settings):
    try:
        print(json.dumps(asyncio.run(run(settings))))
    except (HoldfastError, Failed) as error:
        print(f"failed: {error}. {_AGAIN}", file=sys.stderr)
        return 1
    except TimeoutError:
        print(f"failed: a transaction had no end in time. {_AGAIN}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))  # noqa: TID251 - a program of its own
