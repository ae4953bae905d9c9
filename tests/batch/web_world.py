# SPDX-License-Identifier: MIT
"""Web servers people really use, for tests about transfers: nginx, with TLS by a test authority if
wanted, and Python's own."""
import os
import socket
import subprocess
import sys

from world import Skip, need


def held_port(world):
    """One of 127.0.0.1 that nobody else is given meanwhile. It is bound but not listened at, so a server
    that reuses addresses, as each of these does, may have it."""
    holder = socket.socket()
    world.held.append(holder)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    return holder.getsockname()[1]


def answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def nginx_words(world, name, listen, more=""):
    """What starts an nginx of this user that serves world.www and keeps its files in a directory of that
    name; more: lines for its server block."""
    place = world.mkdir(name)
    config = world.write(f"{name}/conf", f"""
daemon off;
master_process off;
pid {place}/pid;
error_log {place}/error.log;
events {{ }}
http {{
    access_log {place}/access.log;
    client_body_temp_path {place}/body;
    proxy_temp_path {place}/proxy;
    fastcgi_temp_path {place}/fastcgi;
    uwsgi_temp_path {place}/uwsgi;
    scgi_temp_path {place}/scgi;
    server {{
        listen {listen};
        root {world.www};
        {more}
    }}
}}
""")
    return ["nginx", "-e", f"{place}/early.log", "-c", config]


def nginx(world, tls=""):
    """Serves world.www with nginx as this user; its port. tls: lines for its server block."""
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    need("nginx")
    port = held_port(world)
    tls_word = " ssl" if tls else ""
    words = nginx_words(world, f"nginx-{port}", f"127.0.0.1:{port}{tls_word}", tls)
    child = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    world.children.append(child)
    world.wait_until(lambda: child.poll() is not None or answers(port), "nginx answers")
    if child.poll() is not None:
        raise Skip("nginx does not run as this user")
    return port


def asked(world, port):
    """Paths that this nginx was asked for."""
    with open(world.path(f"nginx-{port}", "access.log"), encoding="utf-8") as file:
        return [line.split('"')[1].split()[1] for line in file if '"' in line]


def plain_server(world):
    """Python's own web server: no ranges, no ETags."""
    port = held_port(world)
    child = subprocess.Popen(
        [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "--directory", world.www,
         str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    world.children.append(child)
    world.wait_until(lambda: answers(port), "the server answers")
    return f"http://127.0.0.1:{port}"


class Authority:
    """A certificate authority of the test's own, made by openssl."""

    def __init__(self, world):
        need("openssl")
        self.world = world
        self.folder = world.mkdir("ca")
        self.file = os.path.join(self.folder, "ca.pem")
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                     "-nodes", "-days", "2", "-subj", "/CN=test authority", "-keyout", "ca.key",
                     "-out", "ca.pem")

    def openssl(self, *words):
        subprocess.run(["openssl", *words], cwd=self.folder, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def certificate(self, name, alternative, days=2):
        """Lines for nginx with a certificate for subjectAltName `alternative`, signed by this one;
        days below zero: over already."""
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                     "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        self.world.write(f"ca/{name}.ext", f"subjectAltName={alternative}\n")
        self.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                     "-CAcreateserial", "-days", str(days), "-extfile", f"{name}.ext",
                     "-out", f"{name}.pem")
        return (f"ssl_certificate {self.folder}/{name}.pem;"
                f" ssl_certificate_key {self.folder}/{name}.key;")
