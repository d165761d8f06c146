"""Results that are kept for an hour, so that nothing is computed twice.

They lie in files that have no name and end with the process, however it ends. In memory they would
lie among what each photo takes for a moment, and none of that could be given back.
"""

import shutil
import tempfile
import threading
import time
from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
from cachetools import TTLCache

from ..working_size import Scale
from .guard import upload_folder

BYTES, FILES, LIFETIME = 1 << 30, 256, 3600
"""How much is kept at most, in how many files, and for how long: as long as visitors' photos."""
SPARE = 1 << 30
"""Bytes of the disk that stay free for what visitors upload: twice the largest batch."""
SWEEP = 30
"""Seconds between two looks for what has been kept long enough."""


@dataclass(frozen=True)
class Restored:
    """What a model made of a photo, how long it took, and at which working size."""

    colours: np.ndarray
    seconds: float
    scale: Scale = 1.0
    notes: tuple[str, ...] = ()
    """What there is to say of it beside what the photo's own notes say."""


class _Filed:
    """A result whose colours lie in a file; the file ends with the last who holds it."""

    def __init__(self, result: Restored) -> None:
        """Raises OSError where the disk has no room."""
        colours = np.ascontiguousarray(result.colours)
        self._rest = result.seconds, result.scale, result.notes
        self._kind = {"dtype": colours.dtype, "shape": colours.shape}
        self.nbytes = colours.nbytes
        self._file = tempfile.TemporaryFile(dir=upload_folder())  # noqa: SIM115, it stays open
        self._file.write(colours.data)
        self._file.flush()

    def result(self) -> Restored:
        return Restored(np.memmap(self._file, mode="r", **self._kind), *self._rest)


class Kept:
    """Results by key, each for so many seconds; where there are too many, the least used go."""

    def __init__(self, size: int = BYTES, files: int = FILES, seconds: float = LIFETIME) -> None:
        smallest = size // files  # small ones count for more, or there would be too many files
        self._filed: TTLCache[Hashable, _Filed] = TTLCache(
            size, seconds, getsizeof=lambda filed: max(filed.nbytes, smallest)
        )
        self._lock = threading.Lock()
        self._sweeper: threading.Thread | None = None

    def find(self, key: Hashable) -> Restored | None:
        """The result; its colours are read as they are looked at, and cannot be changed."""
        with self._lock:
            filed = self._filed.get(key)
        return filed and filed.result()

    def keep(self, key: Hashable, result: Restored) -> None:
        """Keep it, if the disk has room for it and it is no larger than all that may be kept."""
        if result.colours.nbytes > self._filed.maxsize or not self._make_room(result):
            return
        try:
            filed = _Filed(result)
        except OSError:
            return
        with self._lock:
            self._filed[key] = filed
            if not self._sweeper:
                self._sweeper = threading.Thread(target=self._sweep, daemon=True)
                self._sweeper.start()

    def _make_room(self, result: Restored) -> bool:
        """Whether the disk has room; if need be, what was used least goes first."""
        needed, folder = result.colours.nbytes + SPARE, upload_folder()
        folder.mkdir(parents=True, exist_ok=True)
        with self._lock:
            while (full := shutil.disk_usage(folder).free < needed) and self._filed:
                self._filed.popitem()
        return not full

    def clear(self) -> None:
        with self._lock:
            self._filed.clear()

    def __len__(self) -> int:
        return len(self._filed)

    def _sweep(self) -> None:
        """Forget what is too old though nobody asks for it."""
        while True:
            time.sleep(SWEEP)
            with self._lock:
                self._filed.expire()
