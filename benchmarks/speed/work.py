"""One piece of work, done by us and by the installed stock implementations in turn."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

OURS = "ours"
SECONDS = 20.0
"""Of a work; more rounds than fit are left out, but two."""


@dataclass(frozen=True)
class Work:
    """The same work on the same inputs, by several implementations.

    Attributes:
        name: What is done, with its sizes; the key under which later runs compare.
        unit: What is counted, such as ``images``; the table prints it a second.
        amount: How many of them one call does.
        runs: A call of each implementation, :data:`OURS` among them.
        target: The ratio to reach against the fastest of ``against``.
        against: Names of the implementations that the ratio is taken to; default: all others.
        limit: Implementation that does only what cannot be avoided, such as decoding or the matrix
            products; its rate is the physical limit.
        threads: Threads of torch. One thread is measured in CPU time, which other programs on the
            machine hardly change; several threads or processes in wall time.
        cold: Whether each call starts a new process. There is nothing to warm up then, and the
            first round counts.
        equal: What was compared, and the largest difference; a function compares the results of
            the first round.
    """

    name: str
    unit: str
    amount: float
    runs: Mapping[str, Callable[[], object]]
    target: float
    against: tuple[str, ...] = ()
    limit: Callable[[], object] | None = None
    threads: int = 1
    wall: bool = False
    cold: bool = False
    equal: str | Callable[[], str] = ""

    def peers(self) -> tuple[str, ...]:
        """Names of the implementations that the ratio is taken to."""
        return self.against or tuple(name for name in self.runs if name != OURS)


Works = Callable[[bool], Iterator[Work]]
"""Makes the inputs of a family and yields its works; True asks for small ones, for tests."""


@dataclass(frozen=True)
class Measured:
    """Rates of a work, as they are stored.

    Attributes:
        rates: For each implementation the median amount a second.
        ratio: Median over the rounds of ours against the fastest peer, or None without peers.
        spread: First and third quartile of that ratio.
        share: Our rate divided by that of the limit, or None.
    """

    name: str
    unit: str
    rates: Mapping[str, float]
    peer: str | None
    ratio: float | None
    spread: tuple[float, float] | None
    target: float
    share: float | None
    threads: int
    clock: str
    rounds: int
    equal: str = ""
    seconds: Mapping[str, list[float]] = field(default_factory=dict)

    def json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def measure(work: Work, rounds: int, seconds: float = SECONDS) -> Measured:
    """Run all implementations in turn, once to warm up and then ``rounds`` times.

    Work whose calls start new processes (``cold``) has no warm-up round.

    Args:
        work: The work.
        rounds: Of all implementations, at least 1.
        seconds: For the rounds; so many of them as fit are run, and at least two.
    """
    import torch

    torch.set_num_threads(work.threads)
    wall = work.wall or work.threads > 1
    clock = time.perf_counter if wall else cpu_seconds
    runs = dict(work.runs)
    if work.limit is not None:
        runs["limit"] = work.limit
    spent: dict[str, list[float]] = {name: [] for name in runs}

    def run(name: str) -> None:
        start = clock()
        runs[name]()
        spent[name].append(clock() - start)

    begin = time.perf_counter()
    for name in runs:  # kernels are chosen and memory is reserved
        run(name)
    fitting = int(seconds / (time.perf_counter() - begin))
    equal = work.equal if isinstance(work.equal, str) else work.equal()
    if not work.cold:
        spent = {name: [] for name in runs}
    rounds = min(rounds, max(fitting, 2))
    for turn in range(int(work.cold), rounds):
        # the order changes, so that no implementation always follows the same one
        for name in list(runs) if turn % 2 == 0 else list(reversed(runs)):
            run(name)
    rates = {name: work.amount / statistics.median(times) for name, times in spent.items()}
    peer = max(work.peers(), key=rates.__getitem__, default=None)
    ratios = [] if peer is None else [
        theirs / mine for mine, theirs in zip(spent[OURS], spent[peer], strict=True)
    ]  # fmt: skip
    return Measured(
        name=work.name,
        unit=work.unit,
        rates=rates,
        peer=peer,
        ratio=statistics.median(ratios) if ratios else None,
        spread=quartiles(ratios) if ratios else None,
        target=work.target,
        share=rates[OURS] / rates["limit"] if work.limit is not None else None,
        threads=work.threads,
        clock="wall" if wall else "CPU",
        rounds=rounds,
        equal=equal,
        seconds=spent,
    )


def cpu_seconds() -> float:
    """CPU time of this process and of its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def quartiles(values: list[float]) -> tuple[float, float]:
    """First and third quartile."""
    if len(values) == 1:
        return values[0], values[0]
    first, _, third = statistics.quantiles(values, n=4, method="inclusive")
    return first, third
