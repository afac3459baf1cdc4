"""A server on this machine that answers as the Hugging Face Hub does for one data set."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath
from typing import ClassVar
from urllib.parse import unquote, urlsplit

COMMIT = "a" * 40


class _Hub(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    files: ClassVar[dict[str, bytes]] = {}
    name = ""
    token = ""

    def log_message(self, *_):
        pass

    def _answer(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = unquote(urlsplit(self.path).path)
        if self.token and self.headers.get("Authorization") != f"Bearer {self.token}":
            self._send(401, headers={"X-Error-Code": "GatedRepo"})
        elif re.fullmatch(rf"/api/datasets/{self.name}(/revision/.*)?", path):
            siblings = [{"rfilename": file} for file in self.files]
            self._send_json({"id": self.name, "sha": COMMIT, "siblings": siblings})
        elif tree := re.fullmatch(rf"/api/datasets/{self.name}/tree/[^/]+/?(.*)", path):
            self._send_json([*self._entries(tree[1])])
        elif file := re.fullmatch(rf"/datasets/{self.name}/resolve/[^/]+/(.+)", path):
            self._send_file(file[1])
        else:
            self._send(404, headers={"X-Error-Code": "RepoNotFound"})

    do_GET = do_HEAD = do_POST = _answer  # noqa: N815

    def _entries(self, folder):
        for file, content in self.files.items():
            if str(PurePosixPath(file).parent) == (folder or "."):
                oid = hashlib.sha1(content).hexdigest()
                yield {"type": "file", "path": file, "size": len(content), "oid": oid}
        if not folder:
            for name in sorted({str(PurePosixPath(file).parent) for file in self.files} - {"."}):
                yield {"type": "directory", "path": name, "oid": "0" * 40}

    def _send_file(self, name):
        content = self.files.get(name)
        if content is None:
            self._send(404, headers={"X-Error-Code": "EntryNotFound"})
            return
        tag = hashlib.sha1(content).hexdigest()
        headers = {"ETag": f'"{tag}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if asked is None:
            self._send(200, content, headers)
            return
        start, end = int(asked[1]), min(int(asked[2] or len(content)), len(content) - 1)
        headers["Content-Range"] = f"bytes {start}-{end}/{len(content)}"
        self._send(206, content[start : end + 1], headers)

    def _send_json(self, value):
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _send(self, code, body=b"", headers=None):
        self.send_response(code)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@contextmanager
def hub(name, files, token=""):
    """Serve one data set; give the address for HF_ENDPOINT."""
    handler = type("Hub", (_Hub,), {"name": name, "files": files, "token": token})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
