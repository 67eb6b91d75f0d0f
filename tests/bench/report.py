"""Prints the runs for people, the ratios that matter, and one JSON line for machines."""

import os
import platform

import orjson

_PEERS = {8: 0.36, 32: 1.45}
"""Deals a second at 1 s blocks of web3.py async, ethers and viem, which take 22 blocks a deal:
the number at once / 22. Source: the project's own side-by-side measurement."""

_COLUMNS = "{:20} {:>9} {:>8} {:>6} {:>9} {:>9} {:>8}   {}"


def head(load, processes):
    """The machine and the head of the table."""
    print(
        f"{os.cpu_count()} cores, Python {platform.python_version()}, "
        f"load {load[0]:.1f} before the run, {processes} worker processes"
    )
    print("one deal: four tranches; Holdfast sends 26 transactions for it, the others 22")
    print("machine: CPU time of a fixed piece of Python, which tells how fast it is just then\n")
    print(
        _COLUMNS.format(
            "program", "blocks", "at once", "deals", "deals/s", "blocks/d", "machine", "CPU ms/d"
        ),
        flush=True,
    )


def row(result):
    """One line."""
    mining = f"{result.block_time} s" if result.block_time else "automine"
    cpu = "  ".join(f"{name} {ms:.0f}" for name, ms in result.cpu_ms().items())
    print(
        _COLUMNS.format(
            result.program,
            mining,
            result.at_once,
            result.deals,
            f"{result.per_second:.2f}",
            f"{result.typical_blocks:g}",
            f"{result.speed:.0f} ms",
            cpu,
        ),
        flush=True,
    )


def tail(results, load, seconds):
    """The ratios and the JSON line."""
    compared = dict(_ratios(results))
    if compared:
        print()
    for name, ratio in compared.items():
        print(f"{name.replace('_', ' ')}: {ratio:.2f}")
    print(f"\nevery deal completed and shown by the chain's events; {seconds:.0f} s in all")
    document = {
        "cores": os.cpu_count(),
        "load_before": round(load[0], 2),
        "load_after": round(os.getloadavg()[0], 2),
        "seconds": round(seconds, 1),
        "runs": [result.as_dict() for result in results],
        "ratios": {name: round(ratio, 3) for name, ratio in compared.items()},
    }
    print(orjson.dumps(document).decode())


def _ratios(results):
    found = {(one.program, one.block_time, one.at_once): one.per_second for one in results}
    for block_time, mining in ((0, "automine"), (1, "1s_blocks")):
        naive = found.get(("web3.py sequential", block_time, 1))
        for at_once in (1, 8, 32):
            ours = found.get(("Holdfast", block_time, at_once))
            if ours is None:
                continue
            rivals = {
                "sequential": naive,
                "web3_async": found.get(("web3.py async", block_time, at_once)),
                "presigned": found.get(("presigned, raw", block_time, at_once)),
                "peers_of_CHAIN.md": _PEERS.get(at_once) if block_time else None,
            }
            for name, theirs in rivals.items():
                if theirs is not None:
                    yield f"{mining}_{at_once}_at_once_to_{name}", ours / theirs
