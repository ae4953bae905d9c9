#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A container registry for tests: well-behaved, or wrong in one named way.

Three servers in one process, as big registries are built: the registry on 127.0.0.1, its token
service on localhost (another host name), its storage on 127.0.0.2, which answers 400 to whoever
sends it an Authorization header. The port of the registry is written to standard output.

The repository's name says how it behaves: words joined by dots, as in "hub/token.redirect.index".
Every repository holds the image that image() makes. Each request is logged as a line of JSON."""

import argparse
import base64
import gzip
import hashlib
import http.server
import io
import json
import os
import sys
import tarfile
import threading
import time

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"

USER, PASSWORD = "user", "the-password"
IDENTITY = "the-identity-token"
TOKEN = "the-token-for-"


def digest_of(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def tar_of(name, size):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        member = tarfile.TarInfo(name)
        member.size = size
        tar.addfile(member, io.BytesIO((name.encode() + b"\n") * (size // len(name) + 1)))
    return out.getvalue()


def zstd_of(content):
    """One frame of raw blocks (RFC 8878): nothing is compressed, but it is zstd."""
    blocks = [content[i : i + 65536] for i in range(0, len(content), 65536)]
    out = b"\x28\xb5\x2f\xfd" + b"\xa0" + len(content).to_bytes(4, "little")
    for i, block in enumerate(blocks):
        is_last = i + 1 == len(blocks)
        out += ((len(block) << 3) | is_last).to_bytes(3, "little") + block
    return out


class Image:
    """The blobs and documents of one repository, as its words want them."""

    def __init__(self, words):
        self.words = words
        self.blobs = {}
        self.types = {}
        self.layers = []
        self.diff_ids = []
        is_docker = "docker" in words
        self.make_layers(is_docker)
        config = self.make_config()
        self.config = self.add(config, DOCKER_CONFIG if is_docker else CONFIG)
        self.manifest = self.make_manifest(is_docker)
        self.root = self.manifest
        for word in ("index", "nested", "deep"):
            depth = {"index": 1, "nested": 2, "deep": 3}[word]
            if word in words:
                for _ in range(depth):
                    self.root = self.make_index(self.root, is_docker)

    def add(self, content, media):
        digest = digest_of(content)
        self.blobs[digest] = content
        self.types[digest] = media
        return {"mediaType": media, "digest": digest, "size": len(content)}

    def make_layers(self, is_docker):
        first, second, third = tar_of("a", 300000), tar_of("b", 9), tar_of("c", 70000)
        gzipped = DOCKER_LAYER if is_docker else LAYER + "+gzip"
        stack = [
            (gzip.compress(first, mtime=0), gzipped, first),
            (second, LAYER, second),
            (zstd_of(third), LAYER + "+zstd", third),
        ]
        if "nozstd" in self.words:
            stack.pop()
        if "magic" in self.words:
            stack[1] = (second, LAYER + "+gzip", second)
        if "twice" in self.words:
            stack.append(stack[0])
        if "empty" in self.words:
            stack.append((b"", LAYER, b""))
        if "many" in self.words:
            for i in range(12):
                more = tar_of(f"m{i}", 100000 + i)
                stack.append((more, LAYER, more))
        for content, media, plain in stack:
            self.layers.append(self.add(content, media))
            self.diff_ids.append(digest_of(plain))
        if "nolayers" in self.words:
            self.layers, self.diff_ids = [], []
        if "unknownlayer" in self.words:
            self.layers[1]["mediaType"] = LAYER + "+bzip2"
        if "longsize" in self.words:
            self.layers[1]["size"] += 1
        if "shortsize" in self.words:
            self.layers[1]["size"] -= 1
        if "twosizes" in self.words:
            self.layers.append(dict(self.layers[0], size=self.layers[0]["size"] + 1))
            self.diff_ids.append(self.diff_ids[0])
        if "twosizesfirst" in self.words:
            self.layers.insert(0, dict(self.layers[0], size=self.layers[0]["size"] + 1))
            self.diff_ids.insert(0, self.diff_ids[0])
        if "emptylie" in self.words:
            self.layers[1]["size"] = 0
        self.lie_about_layers()

    def lie_about_layers(self):
        """Descriptors that no digest could ever prove."""
        second = self.layers[min(1, len(self.layers) - 1)] if self.layers else {}
        sizes = {"negsize": -1, "hugesize": 2**63, "textsize": "9", "fractionsize": 1.5,
                 "sumsize": 2**62}
        digests = {"upperdigest": lambda text: text.upper().replace("SHA256", "sha256"),
                   "shortdigest": lambda text: text[:-1], "longdigest": lambda text: text + "0",
                   "pathdigest": lambda text: "sha256:../../../../etc/passwd",
                   "algdigest": lambda text: "md5:" + text[7:39], "emptydigest": lambda text: ""}
        for word, size in sizes.items():
            if word in self.words:
                second["size"] = size
        if "sumsize" in self.words:
            self.layers[0]["size"] = 2**62
        if "nosize" in self.words:
            del second["size"]
        for word, change in digests.items():
            if word in self.words:
                second["digest"] = change(second["digest"])
        if "wrongid" in self.words:
            self.diff_ids[1] = digest_of(b"something else")
        if "uppercaseid" in self.words:
            self.diff_ids[1] = self.diff_ids[1].upper()
        if "foreign" in self.words:
            second["mediaType"] = LAYER.replace("layer.v1", "layer.nondistributable.v1")
            second["urls"] = ["http://169.254.169.254/layer", "https://foreign.invalid/layer"]
        if "thousands" in self.words:
            self.layers = [self.layers[0]] * 10000
            self.diff_ids = [self.diff_ids[0]] * 10000

    def make_config(self):
        config = {
            "architecture": "arm64" if "arm" in self.words else "amd64",
            "os": "linux",
            "config": {
                "Entrypoint": ["/bin/entry"],
                "Cmd": ["one", "two"],
                "Env": ["PATH=/bin", "EMPTY="],
                "WorkingDir": "/srv",
                "User": "4294967296" if "user" in self.words else "33:33",
            },
            "rootfs": {"type": "layers", "diff_ids": self.diff_ids},
        }
        run = config["config"]
        if "envnul" in self.words:
            run["Env"].append("A=b\0c")
        if "envbare" in self.words:
            run["Env"].append("no equals sign")
        if "relativedir" in self.words:
            run["WorkingDir"] = "../../etc"
        if "labels" in self.words:
            run["Labels"] = {"evil": "\x1b]52;c;aGk=\x07", "../../x": "`touch /tmp/owned`"}
        if "manylabels" in self.words:
            run["Labels"] = {f"label{i}": "x" for i in range(300000)}
        if "entrynul" in self.words:
            run["Entrypoint"] = ["/bin/sh\0-c"]
        if "windows" in self.words:
            config["os"] = "windows"
        if "fewids" in self.words:
            config["rootfs"]["diff_ids"] = self.diff_ids[:-1]
        return json.dumps(config).encode()

    def make_manifest(self, is_docker):
        media = DOCKER_MANIFEST if is_docker else MANIFEST
        document = {
            "schemaVersion": 1 if "schema" in self.words else 2,
            "mediaType": media,
            "config": self.config,
            "layers": self.layers,
        }
        if "both" in self.words:
            document["manifests"] = []
        content = json.dumps(document).encode()
        if "junk" in self.words:
            content += b"{}"
        if "twokeys" in self.words:
            content = content[:-1] + b',"layers":[]}'
        if "deepjson" in self.words:
            content = content[:-1] + b',"x":' + b"[" * 100000 + b"]" * 100000 + b"}"
        if "mark" in self.words:
            content = b"\xef\xbb\xbf" + content
        if "nul" in self.words:
            content = content.replace(b"vnd.oci", b"vnd\\u0000.oci", 1)
        if "badutf8" in self.words:
            content = content[:-1] + b',"x":"\xff\xfe"}'
        if "version1000" in self.words:
            content = content.replace(b'"schemaVersion": 2', b'"schemaVersion": 2e1000')
        if "big" in self.words:
            content = content[:-1] + b',"x":"' + b"x" * (5 << 20) + b'"}'
        return self.add(content, media)

    def make_index(self, entry, is_docker):
        media = DOCKER_LIST if is_docker else INDEX
        unknown = {"os": "unknown", "architecture": "unknown"}
        other = {"os": "linux", "architecture": "s390x"}
        ours = {"os": "linux", "architecture": "amd64"}
        nobody = entry if "same" in self.words else self.add(b'{"x":1}', MANIFEST)
        entries = [dict(nobody, platform=unknown), dict(nobody, platform=other)]
        if "noplatform" not in self.words:
            entries.append(dict(entry, platform=ours))
        if "armtoo" in self.words:
            arm = Image(["arm", *(word for word in self.words if word == "docker")])
            self.blobs.update(arm.blobs)
            self.types.update(arm.types)
            entries.append(dict(arm.manifest, platform={
                "os": "linux", "architecture": "arm64", "variant": "v8"}))
        if "attestations" in self.words:
            entries = entries[:1]
        document = {"schemaVersion": 2, "mediaType": media, "manifests": entries}
        return self.add(json.dumps(document).encode(), media)

    def spoil(self, digest, content):
        """What is really sent for a digest."""
        flipped = content[:-1] + bytes([content[-1] ^ 1]) if content else b"x"
        if "wrongmanifest" in self.words and digest == self.manifest["digest"]:
            return flipped
        if "wrongconfig" in self.words and digest == self.config["digest"]:
            return flipped
        if "wronglayer" in self.words and digest == self.layers[2]["digest"]:
            return flipped
        return content


def repository_is_without_blobs(path):
    """A mirror that knows manifests only, whatever the words behind it."""
    return path.startswith("/v2/noblobs/")


class Registry(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address, role, shared):
        super().__init__((address, 0), Handler)
        self.role = role
        self.shared = shared

    def handle_error(self, request, client_address):
        pass  # a client that hangs up is no news


class Shared:
    """What the three servers have in common."""

    def __init__(self, log, root):
        self.log = open(log, "a", encoding="utf-8")
        self.root = root
        self.lock = threading.Lock()
        self.images = {}
        self.counts = {}
        self.urls = {}

    def image(self, repository):
        with self.lock:
            if repository not in self.images:
                words = repository.split("/")[-1].split(".")
                self.images[repository] = Image(words)
            return self.images[repository]

    def count(self, key):
        with self.lock:
            self.counts[key] = self.counts.get(key, 0) + 1
            return self.counts[key]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        self.handle_request(b"")

    do_HEAD = do_GET

    def do_POST(self):
        self.handle_request(self.rfile.read(int(self.headers.get("Content-Length", "0"))))

    def handle_request(self, body):
        shared = self.server.shared
        line = {
            "role": self.server.role,
            "method": self.command,
            "path": self.path,
            "authorization": self.headers.get("Authorization"),
            "range": self.headers.get("Range"),
            "body": body.decode("latin-1"),
        }
        with shared.lock:
            shared.log.write(json.dumps(line) + "\n")
            shared.log.flush()
        self.path, _, self.query = self.path.partition("?")
        if self.server.role == "token" or self.path.startswith("/token"):
            self.answer_token(body.decode("latin-1"))
        elif self.server.role == "storage":
            self.answer_storage()
        else:
            self.answer_registry()

    def send(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    # The registry

    def challenge(self, words):
        urls = self.server.shared.urls
        realm = urls["token"] + "/token"
        for word, value in {
            "sametoken": urls["registry"] + "/token",
            "linklocal": "http://169.254.169.254/token",
            "inside": "http://10.0.0.1/token",
            "fileplace": "file:///etc/passwd",
            "userinfo": urls["token"].replace("//", "//a:b@") + "/token",
        }.items():
            if word in words:
                realm = value
        if "basic" in words:
            return 'Basic realm="here"'
        if "oddscheme" in words:
            return 'Negotiate abc=='
        if "brokenquote" in words:
            return f'Bearer realm="{realm}'
        path = "+".join(words)
        return (
            f'Negotiate abc=, Basic realm="x, Bearer realm=y", '
            f'BEARER  Realm="{realm}/{path}" , service="the \\"service\\"",'
            'scope="repository:other/secret:push,pull"'
        )

    def is_allowed(self, repository, words):
        sent = self.headers.get("Authorization", "")
        if "endless" in words:
            return False
        if "basic" in words:
            pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            return sent == "Basic " + pair
        wants_token = {"token", "sametoken", "linklocal", "inside", "fileplace", "userinfo",
            "oddscheme", "brokenquote"} & set(words)
        if not wants_token:
            return True
        token = "Bearer " + TOKEN + repository
        if "shortlived" in words:
            # The first one runs out between manifest and blobs.
            return sent.startswith(token) and (
                not sent.endswith("-1") or "/manifests/" in self.path
            )
        return sent == token

    def answer_registry(self):
        parts = self.path.split("/")
        if self.path == "/v2/":
            return self.send(200, b"{}")
        if len(parts) < 5 or parts[1] != "v2" or parts[-2] not in ("manifests", "blobs"):
            return self.send(404)
        repository, kind, version = "/".join(parts[2:-2]), parts[-2], parts[-1]
        words = repository.split("/")[-1].split(".")
        if "absent" in words:
            return self.send(404, b"{}")
        if not self.is_allowed(repository, words):
            return self.send(401, b"{}", [("WWW-Authenticate", self.challenge(words))])
        if "busy" in words and self.server.shared.count(self.path) == 1:
            return self.send(429, b"slow down", [("Retry-After", "0")])
        for word, later in (("late", "99999999999999999999"), ("date", "Fri, 31 Dec 9999 23:59:59 GMT"),
                            ("past", "Thu, 01 Jan 1970 00:00:00 GMT")):
            if word in words:
                return self.send(429, b"slow down", [("Retry-After", later)])
        if "unavailable" in words:
            return self.send(503, b"\x1b[2J" + b"x" * 100000)
        if "teapot" in words:
            return self.send(418, b"{}")
        if "forbidden" in words:
            return self.send(403, b'{"errors":[{"code":"DENIED","message":"\x1b[31mno"}]}')
        if "forever" in words:
            return self.send(429, b"slow down", [("Retry-After", "-5 lightyears")])
        image = self.server.shared.image(repository)
        digest = image.root["digest"] if version == "latest" else version
        if digest not in image.blobs:
            return self.send(404, b"{}")
        content = image.spoil(digest, image.blobs[digest])
        if kind == "manifests":
            return self.answer_manifest(image, words, digest, content)
        return self.answer_blob(image, words, digest, content)

    def answer_manifest(self, image, words, digest, content):
        media = image.types[digest]
        headers = [("Docker-Content-Digest", digest)]
        if "liedigest" in words:
            headers = [("Docker-Content-Digest", digest_of(b"another"))]
        if "nodigest" in words:
            headers = []
        if "lietype" in words:
            media = INDEX if media == MANIFEST else MANIFEST
        if "html" in words:
            media = "text/html"
        if "coded" in words:
            headers.append(("Content-Encoding", "gzip"))
        return self.send(200, content, headers + [("Content-Type", media + "; charset=utf-8")])

    def answer_blob(self, image, words, digest, content):
        if repository_is_without_blobs(self.path):
            return self.send(404)
        if "gone" in words and digest == image.layers[1]["digest"]:
            return self.send(404)
        storage = self.server.shared.urls["storage"]
        if "redirect" in words:
            repository = self.path.split("/blobs/")[0]
            target = f"{storage}{repository}/blobs/{digest}?signature=secret"
            return self.send(307, b"", [("Location", target)])
        if "loop" in words:
            return self.send(307, b"", [("Location", self.path)])
        elsewhere = {"toinside": "http://169.254.169.254/latest/meta-data", "toplain":
                     "http://registry.invalid/blob", "tonowhere": "gopher://127.0.0.1/x",
                     "touser": "http://a:b@127.0.0.1/x", "toempty": ""}
        for word, target in elsewhere.items():
            if word in words:
                return self.send(307, b"", [("Location", target)])
        if "tofile" in words:
            return self.send(307, b"", [("Location", "file:///etc/passwd")])
        return self.send_blob(image, words, digest, content)

    def send_blob(self, image, words, digest, content):
        etag = ("ETag", f'"{digest}"')
        wanted = self.headers.get("Range")
        if wanted and wanted.startswith("bytes=") and wanted.endswith("-"):
            first = int(wanted[6:-1])
            span = f"bytes {first}-{len(content) - 1}/{len(content)}"
            return self.send(206, content[first:], [etag, ("Content-Range", span)])
        if "cut" in words and self.server.shared.count("cut " + self.path) == 1:
            self.send_response(200)
            self.send_header(*etag)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2])
            self.wfile.flush()
            self.close_connection = True
            return None
        if "held" in words and digest == image.layers[0]["digest"]:
            # The oldest layer is kept back until the test puts that file there.
            for _ in range(6000):
                if os.path.exists(os.path.join(self.server.shared.root, "go")):
                    break
                time.sleep(0.01)
        if "slow" in words:
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[:1])
            self.wfile.flush()
            # Until the client hangs up.
            self.rfile.read(1)
            return None
        return self.send(200, content, [etag])

    # The other two

    def answer_storage(self):
        if self.headers.get("Authorization") is not None:
            return self.send(400, b"two kinds of authorization")
        repository, _, digest = self.path[len("/v2/") :].partition("/blobs/")
        image = self.server.shared.image(repository)
        return self.send_blob(image, image.words, digest, image.spoil(digest, image.blobs[digest]))

    def answer_token(self, form):
        words = self.path.split("/")[-1].split("+")
        asked = form if form else self.query
        fields = dict(pair.split("=", 1) for pair in asked.split("&") if "=" in pair)
        repository = fields.get("scope", "").replace("%3A", ":").replace("%2F", "/")
        repository = repository.removeprefix("repository:").removesuffix(":pull")
        if fields.get("service") != "the%20%22service%22":
            return self.send(400, b"which service?")
        pair = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        is_known = self.headers.get("Authorization") == pair or (
            fields.get("refresh_token") == IDENTITY
        )
        if "private" in words and not is_known:
            return self.send(401, b"{}")
        if "bounce" in words:
            return self.send(302, b"", [("Location", self.server.shared.urls["storage"])])
        answer = {"access_token": TOKEN + repository, "expires_in": 300}
        if "shortlived" in words:
            answer["access_token"] += f"-{self.server.shared.count(repository + ' tokens')}"
        if "notoken" in words:
            answer = {}
        if "bigtoken" in words:
            answer = {"token": "x" * 100000}
        if "hugetoken" in words:
            answer = {"token": "x" * (2 << 20)}
        if "linetoken" in words:
            answer = {"token": "x\r\nX-Evil: 1"}
        return self.send(200, json.dumps(answer).encode())


def leave_with_parent():
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(0)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", required=True)
    parser.add_argument("--log", required=True)
    options = parser.parse_args()
    shared = Shared(options.log, options.root)
    for role, address, name in (
        ("registry", "127.0.0.1", "127.0.0.1"),
        ("token", "127.0.0.1", "localhost"),
        ("storage", "127.0.0.2", "127.0.0.2"),
    ):
        server = Registry(address, role, shared)
        shared.urls[role] = f"http://{name}:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        if role == "registry":
            port = server.server_port
    print(port, flush=True)
    sys.stdout.close()
    leave_with_parent()


if __name__ == "__main__":
    main()
