"""Launching the page behind its guard, keeping it up, and stopping it without losing work."""

import ctypes
import logging
import os
import platform
import shutil
import signal
import sys
import tempfile
import threading
import time
from contextlib import suppress
from queue import SimpleQueue

import gradio as gr
from starlette.middleware import Middleware

from ..engine import choose_device
from . import LAUNCH, tools
from .guard import Door, Guard
from .parts import DEFAULT_MODEL
from .results import CLOSING
from .work import LOADED

log = logging.getLogger("restore.page")

PR_SET_PDEATHSIG = 1
"""As in linux/prctl.h: which signal a process gets when its parent dies."""
MOST_DEATHS = 3
"""A page that is killed more often than this within a minute stays down."""
MALLOC = {-1: 32_000_000, -3: 32_000_000}
"""As in malloc.h: free bytes from which they are returned (M_TRIM_THRESHOLD), and bytes from which
memory is mapped by itself (M_MMAP_THRESHOLD, here the most that glibc takes: what is mapped is
cleared page by page, and at 1 MB that took 7 s of the 18 that a photo of 12 megapixels took)."""
TRIM = 10
"""Seconds between two times that free memory is given back."""
GRACE = 20
"""Seconds that running work gets when the process is told to end."""
HANDOVER = 2
"""Seconds in which the last results are still fetched."""
PATIENCE = GRACE + HANDOVER + 6
"""Seconds after which a process that was told to end and has not is killed."""


def outlive() -> None:
    """Return in a child process, and again in a new one whenever a signal has killed the last.

    A process can run out of memory or break in native code at any time; visitors who come after
    that shall be served. The parent only waits, hands SIGTERM and Ctrl-C on, deletes the uploads
    and results that the child leaves, and ends as the child ends. Call it before anything starts
    threads; where there is no Linux it does nothing.
    """
    if sys.platform != "linux":
        return
    child, told, deaths = 0, False, []
    temporary = os.environ.get("GRADIO_TEMP_DIR") or tempfile.gettempdir()
    os.makedirs(temporary, exist_ok=True)

    def tell(number: int, _: object) -> None:
        nonlocal told
        if not told:
            signal.alarm(PATIENCE)
        told = True
        if child:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL if number == signal.SIGALRM else signal.SIGTERM)

    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)
    before = {number: signal.signal(number, tell) for number in numbers}
    while True:
        uploads = os.environ["GRADIO_TEMP_DIR"] = tempfile.mkdtemp("", "restore-", temporary)
        if not (child := os.fork()):
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            for number, handler in before.items():
                signal.signal(number, handler)
            return
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        child, now = 0, time.monotonic()
        shutil.rmtree(uploads, ignore_errors=True)
        deaths = [death for death in deaths if now - death < 60] + [now]
        if code >= 0 or told or len(deaths) > MOST_DEATHS:
            os._exit(code if code >= 0 else 128 - code)  # unloading torch would take seconds
        log.error("Signal %d has killed the page. It starts again.", -code)


def serve(
    page: gr.Blocks,
    host: str | None = None,
    port: int | None = None,
    share: bool = False,
    auth: tuple[str, str] | None = None,
) -> None:
    """Serve the page until SIGTERM or Ctrl-C; running work is then finished, within GRACE.

    `auth` is one pair of user and password.
    """
    told: SimpleQueue[int] = SimpleQueue()  # a signal may come while another is being handled
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: told.put(number))
    door = launch(page, host, port, share, auth)
    told.get()
    wind_up(page, door)
    if sys.platform != "linux":  # where a parent deletes what visitors sent
        page.close(verbose=False)
    os._exit(0)  # the interpreter would wait for threads, or abort under a network at work


def launch(
    page: gr.Blocks,
    host: str | None = None,
    port: int | None = None,
    share: bool = False,
    auth: tuple[str, str] | None = None,
) -> Door:
    """Begin to serve the page, in threads of its own, and return."""
    door = Door(lambda: health(page, door))
    host, port = address(host, port)
    page.launch(
        server_name=host,
        server_port=port,
        share=share,
        auth=auth,
        prevent_thread_lock=True,
        app_kwargs={"middleware": [Middleware(Guard, door=door)]},
        enable_monitoring=False,
        mcp_server=tools.are_possible() and not auth,
        ssr_mode=False,
        _frontend=False,  # else a machine so busy that it does not answer itself in 3 s gives up
        **LAUNCH,
    )
    return door


def keep_memory_flat() -> None:
    """Before the first photo: give freed memory back, and keep few compiled kernels.

    Photos come in ever new sizes. oneDNN keeps the kernels of the last 1024 shapes, and glibc keeps
    what was freed: without this a process of 0.6 GB grew by 0.2 GB over 120 small photos, with it
    by 3 MB.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "8")
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        for parameter, size in MALLOC.items():
            libc.mallopt(parameter, size)
        threading.Thread(target=_trim, args=(libc,), daemon=True).start()


def _trim(libc: ctypes.CDLL) -> None:
    """Again and again give back what is free between pieces in use, which glibc never does."""
    while True:
        time.sleep(TRIM)
        libc.malloc_trim(0)


def wind_up(page: gr.Blocks, door: Door) -> None:
    """Take nothing new, finish what runs and waits, and tell the others."""
    door.closing = True
    until = time.monotonic() + GRACE
    while busy(page) and time.monotonic() < until:
        time.sleep(0.1)
    CLOSING.set()
    time.sleep(HANDOVER)


def address(host: str | None, port: int | None) -> tuple[str | None, int | None]:
    """Where to listen: where one says, else where a Space is asked for, else Gradio's default.

    GRADIO_SERVER_NAME and GRADIO_SERVER_PORT come before both defaults.
    """
    if os.environ.get("SYSTEM") == "spaces":
        host = host or os.environ.get("GRADIO_SERVER_NAME") or "0.0.0.0"
        port = port or int(os.environ.get("GRADIO_SERVER_PORT") or 7860)
    return host, port


def busy(page: gr.Blocks) -> int:
    """How many photos are being restored or wait for it."""
    running = sum(job is not None for job in page._queue.active_jobs)
    return running + len(page._queue)


def health(page: gr.Blocks, door: Door) -> dict:
    """What GET /health answers."""
    return {
        "ready": not door.closing and bool(LOADED),
        "model": DEFAULT_MODEL,
        "device": choose_device().type,
        "queue": busy(page),
    }
