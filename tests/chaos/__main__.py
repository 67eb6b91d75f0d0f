"""`python -m tests.chaos`: a storm of kills over many deals; one JSON line says what came of it.

The exit code is 0 when nothing was lost, repeated, stuck or booked wrongly, and 1 otherwise.
"""

import argparse
import asyncio
import sys

from holdfast.common.embedded_postgres import EmbeddedPostgres
from holdfast.common.log import LogLevel, configure_logging
from holdfast.common.redaction import Redactor
from tests.chaos.report import concluded
from tests.chaos.stage import alone, stage, storm_folder
from tests.chaos.storm import Order, storm
from tests.support.counts import at_least_one


def main():
    """Run the storm and print its line."""
    options = _options()
    configure_logging(Redactor(), level=LogLevel.ERROR)  # the line alone goes to standard output
    order = Order(options.kills, options.deals, options.seed)
    folder = storm_folder()
    with alone(folder), stage(folder, EmbeddedPostgres(folder)) as world:
        return concluded(asyncio.run(storm(world, order)))


def _options():
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--kills", type=at_least_one, default=1000, help="how many (default 1000)")
    parser.add_argument("--deals", type=at_least_one, default=500, help="how many (default 500)")
    parser.add_argument("--seed", type=int, default=1, help="of the schedule (default 1)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
