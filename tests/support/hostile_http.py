#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A web server that serves files well, or as badly as its URL asks for.

    hostile_http.py [--root DIR] [--rate BYTES_PER_S] [--log FILE] [--cert PEM --key PEM]

Listens on a free port of 127.0.0.1 (and answers to any host name), prints the port number as its
first line of output and serves until its parent goes away or it gets a signal. Standard library
only. With --cert and --key it speaks TLS.

A URL is /PATH, for the file DIR/PATH served well: Content-Length, strong ETag, Accept-Ranges,
single ranges with If-Range, If-None-Match, HEAD; or /BEHAVIOURS/PATH, where BEHAVIOURS is one or
more of these joined with '+', each for that very request:

  ok                  as without
  slow                at --rate bytes a second (default 65536)
  rate=N              at N bytes a second
  rush                at a rate only until there is a file DIR/go
  first=N             the other behaviours only for the first N requests of this URL, then ok
  404, 500, 503 ...   this status and a short body
  retry-after=TEXT    that header
  cut=N               closes after N bytes of the body
  hang                takes the request and never answers
  hang-body=N         stops after N bytes of the body, without closing
  held=N              stops after N bytes of the body until there is a file DIR/go
  drip                one byte of the header a second
  close               closes without an answer
  garbage             answers in something that is not HTTP
  no-length           no Content-Length; the end of the connection ends the body
  length=N            Content-Length: N, whatever the body is
  chunked             Transfer-Encoding: chunked
  chunk-cut=N         the same, closed after N bytes without the last chunk
  endless             zeros without length; after 1 GiB, enough for any test, it hangs
  short=N             the file without its last N bytes, as if that was all
  flip=N              one bit of byte N is wrong
  no-range            the Range header is ignored
  bad-range           a 206 that begins one byte too late and says so
  short-range         a 206 of a file that ends halfway there, and says so
  lying-range         a 206 that says what was asked for and sends from the start
  force-range         a 206 although nobody asked
  etag=weak|none|changing|twice
  gzip                Content-Encoding: gzip, and the body is
  fake-gzip           Content-Encoding: gzip, and the body is not
  headers=KIB         so much of useless header fields
  redirect=loop       to itself
  redirect=N          N times, then to the file
  redirect=host       to the same file at another name of this host (localhost)
  redirect=http       to plain http at the same place
  redirect=file       to file:///etc/passwd
  redirect=userinfo   to a URL with user and password
  redirect=nowhere    without Location
  redirect=to:URL     to that URL (percent-encoded once)
  auth                401 with a challenge unless there is an Authorization header

--log appends one JSON object per request, before it is answered: method, target, headers (names
in lower case) and, for a POST, posted.
"""

import argparse
import gzip
import hashlib
import http.server
import json
import os
import ssl
import sys
import threading
import time
import urllib.parse

CHUNK = 65536
WITHOUT_VALUE = {
    "ok", "slow", "hang", "drip", "close", "garbage", "no-length", "chunked", "endless",
    "rush", "no-range", "bad-range", "short-range", "lying-range", "force-range", "gzip", "fake-gzip",
    "auth",
}
WITH_NUMBER = {
    "rate", "first", "cut", "hang-body", "held", "length", "chunk-cut", "short", "flip", "headers",
}
WITH_TEXT = {"retry-after", "etag", "redirect"}


def parse_behaviours(word):
    """The behaviours a path component names, or None when it is a file's."""
    found = {}
    for part in word.split("+"):
        name, _, value = part.partition("=")
        if part in WITHOUT_VALUE:
            found[part] = True
        elif name in WITH_NUMBER and value.isdigit():
            found[name] = int(value)
        elif name in WITH_TEXT and value:
            found[name] = urllib.parse.unquote(value)
        elif len(part) == 3 and part.isdigit():
            found["status"] = int(part)
        else:
            return None
    return found


class Cut(Exception):
    """The connection is to be closed here."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "hostile"
    sys_version = ""
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def do_GET(self):
        self.server.note_request(self)
        try:
            self.answer()
        except (Cut, OSError):
            self.close_connection = True

    do_HEAD = do_GET

    def do_POST(self):
        self.posted = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        self.do_GET()

    def pick_behaviours(self):
        path = urllib.parse.urlsplit(self.path).path.lstrip("/")
        head, _, rest = path.partition("/")
        behaviours = parse_behaviours(head)
        if behaviours is None:
            return {}, path
        first = behaviours.pop("first", None)
        if first is not None and self.server.count_request(self.path) > first:
            behaviours = {}
        return behaviours, rest

    def answer(self):
        self.how, self.file = self.pick_behaviours()
        how = self.how
        if "hang" in how:
            self.wait_for_client()
        if "close" in how:
            raise Cut
        if "garbage" in how:
            self.wfile.write(b"220 ready when you are\r\n" * 100)
            raise Cut
        if "auth" in how and "Authorization" not in self.headers:
            return self.answer_short(401, [("WWW-Authenticate", 'Basic realm="test"')])
        if "redirect" in how:
            return self.answer_redirect(how["redirect"])
        if "status" in how:
            return self.answer_short(how["status"], [])
        if "endless" in how:
            return self.answer_endless()
        content = self.load()
        if content is None:
            return self.answer_short(404, [])
        return self.answer_file(content)

    def load(self):
        if self.server.root is None:
            return None
        name = urllib.parse.unquote(self.file)
        path = os.path.realpath(os.path.join(self.server.root, name))
        if not path.startswith(self.server.root + os.sep) or not os.path.isfile(path):
            return None
        with open(path, "rb") as file:
            content = file.read()
        if "flip" in self.how:
            changed = bytearray(content)
            changed[self.how["flip"]] ^= 1
            content = bytes(changed)
        if "short" in self.how:
            content = content[: len(content) - self.how["short"]]
        return content

    def etags(self, content):
        kind = self.how.get("etag", "strong")
        tag = '"%s"' % hashlib.sha256(content).hexdigest()[:32]
        return {
            "none": [],
            "weak": ["W/" + tag],
            "changing": ['"%d"' % self.server.count_request("etag")],
            "twice": [tag, '"other"'],
        }.get(kind, [tag])

    def wanted_range(self, etags, size):
        """First byte asked for by a range without end, or None."""
        value = self.headers.get("Range", "")
        condition = self.headers.get("If-Range")
        if "no-range" in self.how or not value.startswith("bytes="):
            return None
        if condition is not None and (len(etags) != 1 or condition != etags[0]):
            return None
        first, _, last = value[6:].partition("-")
        return int(first) if first.isdigit() and not last else None

    def answer_file(self, content):
        etags = self.etags(content)
        size = len(content)
        if self.headers.get("If-None-Match") in etags:
            return self.answer_head(304, [("ETag", etags[0])])
        first = self.wanted_range(etags, size)
        headers = [("ETag", tag) for tag in etags]
        if "no-range" not in self.how:
            headers.append(("Accept-Ranges", "bytes"))
        if "gzip" in self.how:
            content = gzip.compress(content)
        if "gzip" in self.how or "fake-gzip" in self.how:
            headers.append(("Content-Encoding", "gzip"))
        if first is None and "force-range" not in self.how:
            return self.answer_body(200, headers, content)
        first = first or 0
        if first >= size:
            headers.append(("Content-Range", "bytes */%d" % size))
            return self.answer_short(416, headers)
        if "bad-range" in self.how:
            first += 1
        if "short-range" in self.how:
            size = first + (size - first) // 2
            content = content[:size]
        headers.append(("Content-Range", "bytes %d-%d/%d" % (first, size - 1, size)))
        body = content[: size - first] if "lying-range" in self.how else content[first:]
        return self.answer_body(206, headers, body)

    def answer_body(self, status, headers, body):
        how = self.how
        is_chunked = "chunked" in how or "chunk-cut" in how
        if is_chunked:
            headers.append(("Transfer-Encoding", "chunked"))
        elif "no-length" in how:
            self.close_connection = True
            headers.append(("Connection", "close"))
        else:
            headers.append(("Content-Length", str(how.get("length", len(body)))))
        self.answer_head(status, headers)
        if self.command != "HEAD":
            self.send_body(body, is_chunked)
        if "length" in how:
            self.close_connection = True

    def answer_head(self, status, headers):
        lines = ["HTTP/1.1 %d %s" % (status, self.responses.get(status, ("Odd",))[0])]
        lines += ["%s: %s" % pair for pair in headers]
        if "retry-after" in self.how:
            lines.append("Retry-After: " + self.how["retry-after"])
        for i in range(self.how.get("headers", 0)):
            lines.append("X-Useless-%d: %s" % (i, "x" * 1000))
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        if "drip" not in self.how:
            self.wfile.write(head)
            return
        for byte in head:
            self.wfile.write(bytes([byte]))
            time.sleep(1)

    def answer_short(self, status, headers):
        text = b"status %d\n" % status
        has_body = self.command != "HEAD" and status not in (204, 304)
        self.answer_head(status, headers + [("Content-Length", str(len(text) if has_body else 0))])
        if has_body:
            self.wfile.write(text)

    def answer_endless(self):
        self.close_connection = True
        self.answer_head(200, [("ETag", '"endless"'), ("Connection", "close")])
        zeros = bytes(CHUNK)
        for _ in range((1 << 30) // CHUNK):
            self.wfile.write(zeros)
        self.wait_for_client()

    def answer_redirect(self, kind):
        scheme = "https" if self.server.is_tls else "http"
        port = self.server.server_address[1]
        host = self.headers.get("Host", "127.0.0.1").rsplit(":", 1)[0]
        target = {
            "loop": self.path,
            "host": "%s://localhost:%d/%s" % (scheme, port, self.file),
            "http": "http://%s:%d/%s" % (host, port, self.file),
            "file": "file:///etc/passwd",
            "userinfo": "%s://me:secret@%s:%d/%s" % (scheme, host, port, self.file),
        }.get(kind)
        if kind.isdigit():
            left = int(kind) - 1
            target = "/redirect=%d/%s" % (left, self.file) if left > 0 else "/" + self.file
        if kind.startswith("to:"):
            target = kind[3:]
        self.answer_short(302, [("Location", target)] if target else [])

    def send_body(self, body, is_chunked):
        stop = min(self.how.get(name, len(body)) for name in ("cut", "chunk-cut", "hang-body"))
        rate = self.how.get("rate", self.server.rate if "slow" in self.how else None)
        step = CHUNK if rate is None else max(1, min(CHUNK, rate // 20))
        began = time.monotonic()
        for at in range(0, stop, step):
            piece = body[at : min(at + step, stop)]
            before = self.how.get("held", -1) - at
            if 0 <= before < len(piece):
                self.send_piece(piece[:before], is_chunked)
                self.wait_for_go()
                piece = piece[before:]
            self.send_piece(piece, is_chunked)
            if rate is not None and not ("rush" in self.how and self.may_go()):
                pause = began + min(at + step, stop) / rate - time.monotonic()
                time.sleep(max(0, pause))
        if "hang-body" in self.how:
            self.wait_for_client()
        if stop < len(body) or "chunk-cut" in self.how:
            raise Cut
        if is_chunked:
            self.wfile.write(b"0\r\n\r\n")

    def send_piece(self, piece, is_chunked):
        if piece:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if is_chunked else piece)

    def may_go(self):
        return os.path.exists(os.path.join(self.server.root, "go"))

    def wait_for_go(self):
        while not self.may_go():
            time.sleep(0.01)

    def wait_for_client(self):
        """Until the other side closes."""
        try:
            while self.connection.recv(CHUNK):
                pass
        except OSError:
            pass
        raise Cut


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, options):
        super().__init__(("127.0.0.1", 0), Handler)
        self.root = os.path.realpath(options.root) if options.root else None
        self.rate = options.rate
        self.log = open(options.log, "a", encoding="utf-8") if options.log else None
        self.is_tls = options.cert is not None
        self.lock = threading.Lock()
        self.counts = {}
        if self.is_tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(options.cert, options.key)
            self.socket = context.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, request, client_address):
        pass

    def count_request(self, key):
        with self.lock:
            self.counts[key] = self.counts.get(key, 0) + 1
            return self.counts[key]

    def note_request(self, handler):
        if self.log is None:
            return
        record = {
            "method": handler.command,
            "target": handler.path,
            "headers": {name.lower(): value for name, value in handler.headers.items()},
        }
        if getattr(handler, "posted", None) is not None:
            record["posted"] = handler.posted
        with self.lock:
            self.log.write(json.dumps(record) + "\n")
            self.log.flush()


def leave_with_parent():
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(0)


def main():
    parser = argparse.ArgumentParser(description="a web server for tests; see the top of the file")
    parser.add_argument("--root")
    parser.add_argument("--rate", type=int, default=65536)
    parser.add_argument("--log")
    parser.add_argument("--cert")
    parser.add_argument("--key")
    server = Server(parser.parse_args())
    print(server.server_address[1], flush=True)
    threading.Thread(target=leave_with_parent, daemon=True).start()
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
