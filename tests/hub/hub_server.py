#!/usr/bin/env python3
"""A stand-in for the hub, for tests: its API on one port, its file store on another.

What it does depends on the name of the organisation that a repository is asked of:
  org      plain             wrong    other bytes than announced
  broken   breaks off often  stuck    never sends a byte of a large file
  flaky    503 at first      norange  ignores Range        nohead  knows no HEAD
  gated    403               private  401 without a token  moved   renamed to org
Prints its two ports, and serves until its standard input is closed. GET /log gives what came in.
"""
import hashlib
import http.server
import json
import os
import sys
import threading

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_secret"
LARGE = bytes(i * i % 251 for i in range(200000))
FILES = {
    "config.json": b'{"model_type": "llama"}',
    "empty.txt": b"",
    "model.safetensors": LARGE,
    "pytorch_model.bin": b"other weights",
    "sub dir/notes#1.txt": "Nö".encode(),
}
DATA = {"README.md": b"card", "data/train.jsonl": b'{"text": "What is ice? Ice is frozen water."}\n'}
log = []
seen = {}
lock = threading.Lock()


def is_large(name):
    return name.endswith(".safetensors")


def etag(name, body):
    if is_large(name):
        return hashlib.sha256(body).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.serve()

    def do_GET(self):
        self.serve()

    def serve(self):
        port = self.server.server_address[1]
        with lock:
            log.append({"store": port == store.server_address[1], "method": self.command,
                        "path": self.path, "token": self.headers.get("Authorization"),
                        "range": self.headers.get("Range")})
        if self.path == "/log":
            return self.answer(200, {}, json.dumps(log).encode())
        path = http.server.urllib.parse.unquote(self.path)
        parts = path.strip("/").split("/")
        if port == store.server_address[1]:
            return self.serve_blob(parts[0], parts[1])
        api = parts[0] == "api"
        if api:
            parts = parts[1:]
        kind = parts.pop(0) if parts[0] in ("models", "datasets") else "models"
        if len(parts) < 3:
            return self.answer(404, {})
        org, name, action = parts[:3]
        files = FILES if kind == "models" else DATA
        if self.refuse(org, name, "/".join(parts)):
            return None
        if org == "moved":
            return self.answer(307, {"Location": self.path.replace("moved/", "org/")})
        if name != "tiny":
            return self.answer(404, {"X-Error-Code": "RepoNotFound"})
        if api:
            if action != "revision" or "/".join(parts[3:]) not in ("main", "v/1", COMMIT):
                return self.answer(404, {"X-Error-Code": "RevisionNotFound"})
            siblings = [{"rfilename": f} for f in files]
            if org == "evil":
                siblings.append({"rfilename": "../../escaped"})
            return self.answer(200, {}, json.dumps(
                {"id": f"{org}/{name}", "sha": COMMIT, "siblings": siblings}).encode())
        file = "/".join(parts[4:])
        if action != "resolve" or file not in files:
            return self.answer(404, {"X-Error-Code": "EntryNotFound"})
        body = files[file]
        headers = {"X-Repo-Commit": COMMIT}
        if not is_large(file):
            headers["ETag"] = '"%s"' % etag(file, body)
            return self.answer(200, headers, body)
        headers.update({"X-Linked-Etag": '"%s"' % etag(file, body), "X-Linked-Size": len(body),
                        "Location": f"http://127.0.0.1:{store.server_address[1]}/{org}/{file}"})
        return self.answer(302, headers)

    def refuse(self, org, name, key):
        if org == "gated":
            self.answer(403, {"X-Error-Code": "GatedRepo", "X-Error-Message": "Ask first."})
        elif org == "private" and self.headers.get("Authorization") != "Bearer " + TOKEN:
            self.answer(401, {"X-Error-Code": "RepoNotFound"})
        elif org == "nohead" and self.command == "HEAD":
            self.answer(405, {})
        elif org == "flaky" and self.count(key) < 2:
            self.answer(503, {})
        else:
            return False
        return True

    def count(self, key):
        with lock:
            seen[key] = seen.get(key, 0) + 1
            return seen[key] - 1

    def serve_blob(self, org, file):
        body = FILES[file]
        if org == "wrong":
            body = body[:-1] + b"?"
        begin = 0
        if self.headers.get("Range") and org != "norange":
            begin = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
        if begin >= len(body):
            return self.answer(416, {"Content-Range": f"bytes */{len(body)}"})
        part = body[begin:]
        headers = {"ETag": '"of the store"'}
        if begin:
            headers["Content-Range"] = f"bytes {begin}-{len(body) - 1}/{len(body)}"
        if org in ("broken", "stuck"):
            sent = b"" if org == "stuck" else part[:70000]
            self.answer(206 if begin else 200, headers, sent, length=len(part))
            self.close_connection = True
            return None
        return self.answer(206 if begin else 200, headers, part)

    def answer(self, status, headers, body=b"", length=None):
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, str(value))
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


hub = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
store = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
for server in (hub, store):
    threading.Thread(target=server.serve_forever, daemon=True).start()
print(hub.server_address[1], store.server_address[1], flush=True)
sys.stdin.read()
os._exit(0)
