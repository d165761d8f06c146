"""Who restores which photo, when several processes share a folder: files as claims.

A claim is a file beside the result, made so that only one process can make it. Its owner touches it
while it lives. A claim whose owner is dead may be taken over, so that the work of a process that
died is done by the next one that comes.
"""

import contextlib
import os
import socket
import threading
import time
import uuid
from pathlib import Path

import psutil

BEAT = 15
"""Seconds between two signs of life."""
STALE = 120
"""Seconds without a sign of life after which an owner on another machine counts as dead."""
NAMELESS = 3
"""Seconds after which a claim without its owner's name counts as that of one who died over it."""


class Claims:
    """The claims that this process holds; a context that gives back those still held at its end."""

    def __init__(self):
        self.held: set[Path] = set()
        self.owner = f"{socket.gethostname()} {os.getpid()} {uuid.uuid4().hex}"
        self._done = threading.Event()
        self._heart = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> "Claims":
        self._heart.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for target in list(self.held):
            self.release(target)

    def take(self, target: Path) -> bool:
        """Claim the right to make `target`; whether it worked. Raises OSError."""
        claim = _path(target)
        if not self._create(claim):
            stale = _stale_owner(claim)
            if stale is None or not _remove(claim, stale) or not self._create(claim):
                return False
        self.held.add(target)
        return True

    def release(self, target: Path) -> None:
        """Give a claim back."""
        self.held.discard(target)
        _path(target).unlink(missing_ok=True)

    def _create(self, claim: Path) -> bool:
        try:
            with claim.open("x") as file:
                file.write(self.owner)
        except FileExistsError:
            return False
        return True

    def _beat(self) -> None:
        while not self._done.wait(BEAT):
            for target in list(self.held):
                with contextlib.suppress(OSError):
                    os.utime(_path(target))


def _path(target: Path) -> Path:
    return target.with_name(f".{target.name}.claim")


def _stale_owner(claim: Path) -> str | None:
    """What a claim says, where its owner is dead; None where it lives or the claim is gone."""
    try:
        owner, silent = claim.read_text(), time.time() - claim.stat().st_mtime
    except OSError:
        return None
    if not owner:  # it is about to write its name, unless it died before it could
        return owner if silent > NAMELESS else None
    host, _, rest = owner.partition(" ")
    process = rest.partition(" ")[0]
    if host == socket.gethostname() and process.isdigit():
        return None if psutil.pid_exists(int(process)) else owner
    return owner if silent > STALE else None


def _remove(claim: Path, owner: str) -> bool:
    """Remove a dead owner's claim; of several processes that try, only one succeeds."""
    aside = claim.with_name(f"{claim.name}.{uuid.uuid4().hex}")
    try:
        claim.rename(aside)
        if aside.read_text() == owner:
            return True
        with contextlib.suppress(FileExistsError):  # another one was quicker: its claim stands
            os.link(aside, claim)
        return False
    except OSError:
        return False
    finally:
        aside.unlink(missing_ok=True)
