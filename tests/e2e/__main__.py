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


def main(arguments, environment):
    """The exit code: 0 done or valid, 1 failed on chain, 2 refused."""
    if unknown := set(arguments) - {"--check"}:
        print(f"no such option: {', '.join(sorted(unknown))}. {__doc__}", file=sys.stderr)
        return 2
    try:
        settings = settings_of(environment)
        said = {
            "chain": settings.profile.name,
            "collateral_wei": settings.collateral_wei,
            "borrow_units": settings.borrow_units,
            "swap_wei": settings.swap_wei if settings.exchange else 0,
            "steps": {step: lacks or "covered" for step, lacks in settings.covered.items()},
        }
        print(json.dumps(said), file=sys.stderr)
        if "--check" not in arguments:
            print(json.dumps(asyncio.run(run(settings))))
    except HoldfastError as error:
        print(json.dumps(error.as_dict(), default=str), file=sys.stderr)
        return 2
    except Failed as error:
        print(f"failed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))  # noqa: TID251 - a program of its own
