"""`python -m tests.exits`: executes the matrix freeze x step; one JSON line says what came home.

The exit code is 0 when every cell brought core and collateral home or is a disclosed case.
"""

import argparse
import asyncio
import json
import sys
import time
from pathlib import Path

from holdfast.common.log import LogLevel, configure_logging
from holdfast.common.redaction import Redactor
from tests.exits.cells import CELLS, At, Freeze, Made
from tests.exits.proof import Verdict, prove
from tests.exits.report import figures, page, row
from tests.exits.stage import stage


def main():
    """Execute the cells and print their line."""
    options = _options()
    configure_logging(Redactor(), level=LogLevel.ERROR)  # the line alone goes to standard output
    began = time.monotonic()
    with stage() as world:
        proofs = [_proved(cell, world) for cell in CELLS if _is_wanted(cell, options)]
    if options.into is not None:
        options.into.write_text(page(proofs, time.monotonic() - began))
    sys.stdout.write(f"{json.dumps(figures(proofs))}\n")
    return 1 if any(one.verdict is Verdict.BROKEN for one in proofs) else 0


def _proved(cell, world):
    proof = asyncio.run(prove(cell, world))
    told = "; ".join(proof.why)
    sys.stderr.write(f"{row(proof)}{' <- ' if told else ''}{told}\n")
    sys.stderr.flush()
    return proof


def _is_wanted(cell, options):
    wanted = {cell.freeze: options.freeze, cell.at: options.at, cell.made: options.deal}
    return all(name in {None, one.name.lower()} for one, name in wanted.items())


def _options():
    parser = argparse.ArgumentParser(prog="python -m tests.exits", description=__doc__)
    parser.add_argument("--into", type=Path, help="write the page to this file")
    parser.add_argument("--freeze", choices=[one.name.lower() for one in Freeze], help="only this")
    parser.add_argument("--at", choices=[one.name.lower() for one in At], help="only this step")
    parser.add_argument("--deal", choices=[one.name.lower() for one in Made], help="only this")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
