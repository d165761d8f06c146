"""Who computes when: one run at a time, and long ones let others go first."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """One turn at a time, so that each run has all of the machine."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._taken = False
        self._waiting = 0

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Within, nobody else has a turn."""
        with self._changed:
            self._waiting += 1
            try:
                self._changed.wait_for(lambda: not self._taken)
            finally:
                self._waiting -= 1
            self._taken = True
        try:
            yield
        finally:
            self._free()

    def give_way(self) -> float:
        """Within a turn: let all who wait for one go first. Returns the seconds that it took."""
        started = time.perf_counter()
        with self._changed:
            if not self._waiting:
                return 0.0
            self._taken = False
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._taken and not self._waiting)
            self._taken = True
        return time.perf_counter() - started

    def _free(self) -> None:
        with self._changed:
            self._taken = False
            self._changed.notify_all()
