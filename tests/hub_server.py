"""A Hub on loopback that speaks as much of the real one's API as its client uses here.

Repos live in memory, one commit each; files over 100 kB count as LFS. `fault` makes it misbehave.
"""

import base64
import hashlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

COMMIT = "c0ffee" + "0" * 34
LFS_SIZE = 100_000
TOKEN = "hf_known"


class HubServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repos: dict[str, dict[str, bytes]] = {}
        """ "models/org/repo" or "spaces/org/repo" -> path -> content."""
        self.private: set[str] = set()
        self.objects: dict[str, bytes] = {}
        """What was uploaded through LFS: SHA-256 -> content."""
        self.fault: str | None = None
        """None, "down" (503), "hang" (accepts, never answers), "half" (ends amid the tensors) or
        "slow" (hangs amid the tensors)."""
        self.calls: list[tuple[str, str]] = []
        self.commits: list[list[str]] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: HubServer
    protocol_version = "HTTP/1.1"

    def _handle(self):
        path = unquote(self.path.split("?")[0])
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.calls.append((self.command, path))
        if self.server.fault == "hang":
            time.sleep(60)
        if self.server.fault == "down":
            return self._answer(b"", 503)
        if self.command in ("GET", "HEAD"):
            return self._get(path)
        return self._write(path, body)

    do_GET = do_HEAD = do_POST = do_PUT = _handle  # noqa: N815

    def _get(self, path: str):
        parts = path.strip("/").split("/")
        if parts[0] == "api":
            repo, rest = "/".join(parts[1:4]), parts[4:]
        else:
            kind = parts.pop(0) if parts[0] == "spaces" else "models"
            repo, rest = "/".join([kind, *parts[:2]]), parts[2:]
        if repo not in self.server.repos or (
            repo in self.server.private and self.headers.get("Authorization") != f"Bearer {TOKEN}"
        ):
            return self._answer(b"{}", 401, {"X-Error-Code": "RepoNotFound"})
        files = self.server.repos[repo]
        revision = rest[1] if len(rest) > 1 else "main"
        if revision not in ("main", COMMIT):
            return self._answer(b"{}", 404, {"X-Error-Code": "RevisionNotFound"})
        if rest[:1] == ["tree"]:
            return self._json([_entry(name, data) for name, data in files.items()])
        if rest[:1] == ["resolve"]:
            name = "/".join(rest[2:])
            if name not in files:
                return self._answer(b"{}", 404, {"X-Error-Code": "EntryNotFound"})
            return self._file(files[name])
        siblings = [
            {**_entry(name, data), "rfilename": name, "blobId": _entry(name, data)["oid"]}
            for name, data in files.items()
        ]
        return self._json(
            {"id": "/".join(repo.split("/")[1:]), "sha": COMMIT, "siblings": siblings}
        )

    def _file(self, data: bytes):
        start = int((self.headers.get("Range") or "bytes=0-")[6:].split("-")[0])
        headers = {"ETag": f'"{hashlib.sha256(data).hexdigest()}"', "X-Repo-Commit": COMMIT}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        broken = self.server.fault in ("half", "slow") and len(data) > 10_000
        self._answer(data[start:], 206 if start else 200, headers, broken)

    def _write(self, path: str, body: bytes):
        parts = path.strip("/").split("/")
        sent = (
            json.loads(body)
            if body[:1] == b"{" and self.command == "POST" and (b"\n{" not in body)
            else {}
        )
        if path == "/api/validate-yaml":
            return self._json({"errors": [], "warnings": []})
        if self.headers.get("Authorization") != f"Bearer {TOKEN}" and parts[0] != "objects":
            return self._answer(b'{"error": "Invalid username or password."}', 401)
        if path == "/api/repos/create":
            repo = f"{sent.get('organization')}/{sent['name']}"
            self.server.repos.setdefault(f"{sent.get('type', 'model')}s/{repo}", {})
            return self._json({"url": f"{self.server.url}/{repo}"})
        if parts[-2:-1] == ["preupload"]:
            return self._json(
                {
                    "files": [
                        {
                            "path": file["path"],
                            "uploadMode": "lfs" if file["size"] > LFS_SIZE else "regular",
                            "shouldIgnore": False,
                        }
                        for file in sent["files"]
                    ]
                }
            )
        if path.endswith("/info/lfs/objects/batch"):
            return self._json(
                {
                    "transfer": "basic",
                    "objects": [
                        {
                            **wanted,
                            "actions": {
                                "upload": {"href": f"{self.server.url}/objects/{wanted['oid']}"}
                            },
                        }
                        for wanted in sent["objects"]
                    ],
                }
            )
        if parts[0] == "objects":
            assert hashlib.sha256(body).hexdigest() == parts[1]
            self.server.objects[parts[1]] = body
            return self._answer(b"")
        if parts[-2:-1] == ["commit"]:
            return self._commit("/".join(parts[1:4]), body)
        return self._answer(b"", 404)

    def _commit(self, repo: str, body: bytes):
        names = []
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                content = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                content = self.server.objects[value["oid"]]
            else:
                continue
            self.server.repos[repo][value["path"]] = content
            names.append(value["path"])
        self.server.commits.append(sorted(names))
        self._json({"commitUrl": f"{self.server.url}/{repo}/commit/{COMMIT}", "commitOid": COMMIT})

    def _json(self, value: object):
        self._answer(json.dumps(value).encode())

    def _answer(self, data: bytes, status: int = 200, headers=None, broken: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data[: len(data) // 2] if broken else data)
        if broken and self.command != "HEAD":
            self.wfile.flush()
            if self.server.fault == "slow":
                time.sleep(60)
            self.close_connection = True

    def log_message(self, *_):
        pass


def _entry(name: str, data: bytes) -> dict:
    """A file as the Hub's listings show it."""
    oid = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    entry = {"type": "file", "path": name, "size": len(data), "oid": oid}
    if len(data) > LFS_SIZE:
        digest = hashlib.sha256(data).hexdigest()
        entry["lfs"] = {"oid": digest, "sha256": digest, "size": len(data), "pointerSize": 130}
    return entry
