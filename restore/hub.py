"""Weights from a Hugging Face Hub repo, into the local cache and out of it.

The client library can hang on a server that accepts and never answers, so it runs in a process of
its own that is ended at a deadline. That process runs this file as a script, which is why nothing
of the package is imported here.
"""

import json
import logging
import re
import subprocess
import sys
from pathlib import Path

DEADLINE = 600
"""Seconds after which a download is given up."""
ANSWER = 15
"""Seconds within which the Hub must say what a repo holds."""
LARGEST = 500_000_000
"""Bytes; a larger file is not downloaded."""
FILES = ("config.json", "model.safetensors")
COMMIT = re.compile(r"[0-9a-f]{40}")

log = logging.getLogger("restore")


class HubError(Exception):
    """The Hub did not give what was asked for; the message is half a sentence that says why."""

    def __init__(self, reason: str, reachable: bool = True):
        super().__init__(reason)
        self.reachable = reachable


def fetch(repo: str, revision: str, name: str, again: bool = False) -> Path:
    """The local folder of one model of a repo.

    A commit comes from the cache without network; a branch or tag is looked up, and its cached
    commit serves where the Hub is out of reach. `again` replaces cached files. Raises HubError.
    """
    from huggingface_hub import constants

    cached = None if again else _cached(repo, revision, name, constants.HF_HUB_CACHE)
    if cached and COMMIT.fullmatch(revision):
        return cached
    try:
        if constants.HF_HUB_OFFLINE:
            raise HubError("HF_HUB_OFFLINE is set and they are not in the cache", reachable=False)
        folder = _download(repo, revision, name, constants.HF_HUB_CACHE, again)
    except HubError as error:
        if error.reachable or not cached:
            raise
        log.warning("The Hub is out of reach (%s): %s comes from the cache.", error, cached)
        return cached
    if not COMMIT.fullmatch(revision):
        log.info("%s is at commit %s.", repo, folder.parent.name)
    return folder


def _cached(repo: str, revision: str, name: str, cache: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        paths = [try_to_load_from_cache(repo, f"{name}/{file}", cache, revision) for file in FILES]
    except HFValidationError as error:
        raise HubError(str(error).splitlines()[0].rstrip(".")) from None
    return Path(paths[0]).parent if all(isinstance(path, str) for path in paths) else None


def _download(repo: str, revision: str, name: str, cache: str, again: bool) -> Path:
    """Run this file as a script, at most for DEADLINE seconds; its progress goes to stderr."""
    job = {"repo": repo, "revision": revision, "name": name, "cache": cache, "again": again}
    job |= {"answer": ANSWER, "largest": LARGEST}
    command = [sys.executable, "-P", __file__, json.dumps(job)]
    try:
        child = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=DEADLINE)
    except subprocess.TimeoutExpired:
        raise HubError(f"the Hub did not deliver within {DEADLINE} s", reachable=False) from None
    try:
        said = json.loads(child.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        raise HubError(f"the download ended with code {child.returncode}", False) from None
    if "error" in said:
        raise HubError(said["error"], said["reachable"])
    return Path(said["folder"])


def _work(
    repo: str, revision: str, name: str, cache: str, again: bool, answer: float, largest: int
) -> dict:
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        info = HfApi().model_info(repo, revision=revision, timeout=answer, files_metadata=True)
        sizes = {file.rfilename: file.size or 0 for file in info.siblings}
        for file in FILES:
            if f"{name}/{file}" not in sizes:
                return {"error": f"the repo holds no {name}/{file}", "reachable": True}
            if sizes[f"{name}/{file}"] > largest:
                return {"error": f"{name}/{file} is far too large", "reachable": True}
        folder = snapshot_download(
            repo,
            revision=revision,
            allow_patterns=[f"{name}/{file}" for file in (*FILES, "metrics.json", "history.csv")],
            cache_dir=cache,
            force_download=again,
        )
        return {"folder": str(Path(folder, name))}
    except RevisionNotFoundError:
        return {"error": f"the repo has no revision {revision}", "reachable": True}
    except GatedRepoError:
        return {"error": "the repo asks for consent first, on its own page", "reachable": True}
    except RepositoryNotFoundError:
        reason = "there is no such repo, or it is private and no token with access is set"
        return {"error": reason, "reachable": True}
    except LocalEntryNotFoundError:
        reason = "the Hub is out of reach and they are not in the cache"
    except Exception as error:  # the client raises those of httpx or httpx2, by its version
        line = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        reason = line if isinstance(error, HfHubHTTPError) else f"the Hub is out of reach ({line})"
    return {"error": reason, "reachable": False}


if __name__ == "__main__":
    print(json.dumps(_work(**json.loads(sys.argv[1]))))
