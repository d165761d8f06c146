"""Who computes when: one run at a time, in the order in which they came."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """One turn at a time, so that each run has all of the machine."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._given = self._served = 0
        """Turns, since ever; the one after those that were served is on."""

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Within, nobody else has a turn."""
        with self._changed:
            self._await()
        try:
            yield
        finally:
            with self._changed:
                self._end()

    def give_way(self) -> float:
        """Within a turn: let those who wait by now go first. Returns the seconds that it took."""
        started = time.perf_counter()
        with self._changed:
            if self._given == self._served + 1:
                return 0.0
            self._end()
            self._await()
        return time.perf_counter() - started

    def _await(self) -> None:
        mine = self._given
        self._given += 1
        self._changed.wait_for(lambda: self._served == mine)

    def _end(self) -> None:
        self._served += 1
        self._changed.notify_all()
