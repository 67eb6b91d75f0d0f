"""One measured run of one program."""

from dataclasses import dataclass, field
from statistics import median

from tests.bench.cpu import speed


@dataclass(frozen=True)
class Result:
    """`seconds` for all `deals`; `blocks` of each deal; `cpu` seconds of each kind of process.

    `speed` is that of the machine at the end of the run.
    """

    program: str
    block_time: int
    at_once: int
    deals: int
    seconds: float
    blocks: list[int]
    cpu: dict[str, float]
    notes: dict[str, float] = field(default_factory=dict)
    speed: float = field(default_factory=speed)

    @property
    def per_second(self):
        """Deals a second."""
        return self.deals / self.seconds

    @property
    def typical_blocks(self):
        """Blocks of the median deal."""
        return median(self.blocks)

    def cpu_ms(self):
        """Processor milliseconds a deal, by kind of process."""
        return {name: 1000 * seconds / self.deals for name, seconds in self.cpu.items()}

    def as_dict(self):
        """For the JSON line."""
        return {
            "program": self.program,
            "block_time_seconds": self.block_time,
            "at_once": self.at_once,
            "deals": self.deals,
            "seconds": round(self.seconds, 3),
            "deals_per_second": round(self.per_second, 3),
            "blocks_per_deal": self.typical_blocks,
            "most_blocks": max(self.blocks),
            "cpu_ms_per_deal": {name: round(ms, 1) for name, ms in self.cpu_ms().items()},
            "machine_ms": round(self.speed, 1),
            **{name: round(value, 1) for name, value in self.notes.items()},
        }
