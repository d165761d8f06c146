"""Threads that compute on one core each: blocks of a picture side by side, not parts of a layer."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import Barrier

import torch


class Workers:
    """So many threads, in each of which torch computes on one core.

    Between two layers they need not wait for each other, as threads that share a layer must.
    """

    def __init__(self, count: int):
        self.count = count
        self._pool: ThreadPoolExecutor | None = None
        if count > 1:
            started = Barrier(count + 1)
            self._pool = ThreadPoolExecutor(count, "worker", self._alone, (started,))
            for _ in range(count):
                self._pool.submit(int)
            started.wait()
            torch.set_num_threads(count)  # each worker's 1 had become the default for new threads

    @staticmethod
    def _alone(started: Barrier) -> None:
        torch.get_num_threads()  # torch's first look in a thread would undo what was set before it
        torch.set_num_threads(1)
        started.wait()

    def each(self, function: Callable, items: Iterable) -> None:
        """Call `function`, which must not need gradients, with each item; raises what it raises."""
        if self._pool is None:
            for item in items:
                function(item)
            return
        for _ in self._pool.map(torch.inference_mode()(function), items):
            pass


ALONE = Workers(1)
"""The calling thread, where torch computes on as many cores as it was told to."""


@cache
def workers() -> Workers:
    """One for each core that torch may use; started once for all models of this process."""
    return Workers(torch.get_num_threads())
