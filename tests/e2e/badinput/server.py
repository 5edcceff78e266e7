#!/usr/bin/env python3
"""A server on loopback that misbehaves: what a wrong address, a broken proxy or a dying API
server sends.

    server.py LOG [CERT KEY]

Prints its port when it listens (with TLS if it is given a certificate) and ends with standard
input. The first segment of a request's path chooses the behaviour, so that one server plays them
all: http://127.0.0.1:PORT/html. Every request is written to LOG as "METHOD PATH" before its answer.
"""
import json
import socket
import ssl
import sys
import threading

MIB = 1 << 20


def answer(status, kind, body, *headers):
    """Returns a whole HTTP answer."""
    lines = ["HTTP/1.1 " + status, "Content-Type: " + kind, f"Content-Length: {len(body)}"]
    lines += ["Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def status(code, reason, message):
    """Returns the answer of an API server that says no."""
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code}
    body.update(reason=reason, message=message)
    return answer(f"{code} {reason}", "application/json", json.dumps(body).encode())


FORBIDDEN = (
    'statefulsets.apps "web" is forbidden: User "ada" cannot get resource "statefulsets" '
    'in API group "apps" in the namespace "data-platform"'
)
HTML = b"<html><head><title>Sign in</title></head><body>please</body></html>"
HALF = b'{"kind": "StatefulSet", "metadata": {"name": "web", "lab'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

ANSWERS = {
    "html": answer("200 OK", "text/html", HTML),
    "html503": answer("503 Service Unavailable", "text/html", HTML),
    "text404": answer("404 Not Found", "text/plain", b"404 page not found\n"),
    "array": answer("200 OK", "application/json", b"[1, 2]"),
    "other": answer("200 OK", "application/json", b'{"hello": "world"}'),
    "pod": answer("200 OK", "application/json", b'{"kind": "Pod", "metadata": {}}'),
    "empty": answer("200 OK", "application/json", b""),
    "half": answer("200 OK", "application/json", HALF),
    "deep": answer("200 OK", "application/json", b'{"a":' * 100000),
    "binary": answer("200 OK", "application/json", bytes(range(128, 256)) * 8),
    "short": HEAD + b"Content-Length: 4000\r\n\r\n" + HALF,
    "chunked": HEAD + b"Transfer-Encoding: chunked\r\n\r\n38\r\n" + HALF,
    "lying": HEAD + b"Content-Length: 99999999999999\r\n\r\n" + HALF,
    "garbage": b"\x00\x01\x02 no HTTP here\r\n\r\n",
    "ssh": b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
    "silent": b"",
    "headless": b"HTTP/1.1 200 OK\r\nContent-",
    "redirect": answer("302 Found", "text/html", b"", "Location: https://login.example.com/"),
    "401": status(401, "Unauthorized", "Unauthorized"),
    "403": status(403, "Forbidden", FORBIDDEN),
    "500": status(500, "InternalError", "etcdserver: request timed out"),
    "dremio401": answer(
        "401 Unauthorized", "application/json", b'{"errorMessage": "Login failed", "moreInfo": ""}'
    ),
    "dremio503": answer("503 Service Unavailable", "application/json", b'"MASTER_DOWN"'),
}


def read_head(conn):
    """Returns the first line of a request, "" when the client left."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = conn.recv(65536)
        if not more or len(data) > MIB:
            return ""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    text = head.decode("latin-1")
    for line in text.split("\r\n")[1:]:
        name, _, value = line.partition(":")
        missing = int(value) - len(body) if name.lower() == "content-length" else 0
        while missing > 0:
            missing -= len(conn.recv(65536)) or missing
    return text.split("\r\n")[0]


def pour(conn):
    """Sends a body without an end, as fast as the client takes it."""
    conn.sendall(HEAD + b'\r\n{"items": [')
    while True:
        conn.sendall(b'"0123456789abcdef",' * 65536)


def drip(conn, ended):
    """Sends a body without an end, a byte a tenth of a second."""
    conn.sendall(HEAD + b'\r\n{"items": [')
    while not ended.wait(0.1):
        conn.sendall(b" ")


def serve(conn, log, tls, ended):
    """Answers one connection."""
    try:
        conn = tls.wrap_socket(conn, server_side=True) if tls else conn
        with conn:
            words = read_head(conn).split(" ")
            if len(words) < 2:
                return
            log.write(f"{words[0]} {words[1]}\n")
            mode = words[1].split("/")[1]
            if mode == "endless":
                pour(conn)
            elif mode == "drip":
                drip(conn, ended)
            elif mode == "hang":
                conn.recv(1)  # until the client gives up
            else:
                conn.sendall(ANSWERS[mode])
    except OSError:
        pass  # the client had enough


def main():
    """Listens until standard input ends."""
    tls = None
    if len(sys.argv) > 2:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(sys.argv[2], sys.argv[3])
    ended = threading.Event()
    with open(sys.argv[1], "a", buffering=1, encoding="latin-1") as log:
        with socket.create_server(("127.0.0.1", 0)) as listener:

            def accept():
                while True:
                    conn, _ = listener.accept()
                    thread = threading.Thread(target=serve, args=(conn, log, tls, ended))
                    thread.daemon = True
                    thread.start()

            threading.Thread(target=accept, daemon=True).start()
            print(listener.getsockname()[1], flush=True)
            sys.stdin.read()
            ended.set()


main()
