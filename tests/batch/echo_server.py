# SPDX-License-Identifier: MIT
"""A TCP server that stands for one of the guest's, and a client for it."""
import hashlib
import os
import socket
import threading

from world import PATIENCE_S


class Echo(threading.Thread):
    """A server of the guest's that sends back what comes, and then how much it was."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    @staticmethod
    def serve(client):
        total = 0
        with client:
            while data := client.recv(65536):
                total += len(data)
                client.sendall(data)
            client.sendall(b"%d" % total)


def exchange(port, data):
    """Sends it all, reads until the end; what came."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as client:
        writer = threading.Thread(
            target=lambda: (client.sendall(data), client.shutdown(socket.SHUT_WR)))
        writer.start()
        parts = []
        while part := client.recv(65536):
            parts.append(part)
        writer.join()
        return b"".join(parts)


def exchange_many(port):
    """Eight at once, eight MiB each way, byte for byte."""
    data = os.urandom(8 << 20)
    answers = {}
    threads = [threading.Thread(target=lambda n=n: answers.update({n: exchange(port, data)}))
               for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wanted = hashlib.sha256(data + b"%d" % len(data)).digest()
    assert [hashlib.sha256(answer).digest() for answer in answers.values()] == [wanted] * 8
