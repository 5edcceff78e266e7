#!/usr/bin/env python3
"""A badly behaved HTTP/1.1 server on loopback for the tests of the HTTP client.

Prints "PORT\n" when it listens; ends when stdin ends.  The path chooses the behaviour.
Options: --tls CERT KEY, --client-ca CA (ask for client certificates), --unix PATH, --deaf (its queue
of connections is full, so nobody is answered).  It is a proxy too: CONNECT is relayed, an absolute
URL is echoed.
"""
import gzip
import json
import os
import socket
import ssl
import struct
import sys
import threading
import time

counts = {"connections": 0, "requests": 0, "gone": 0, "handshakes": 0}
lock = threading.Lock()


def count(what):
    with lock:
        counts[what] += 1


class Gone(Exception):
    pass


def read_line(f):
    line = f.readline(65537)
    if not line:
        raise Gone()
    return line.rstrip(b"\r\n").decode("latin-1")


def read_head(f):
    first = read_line(f)
    headers = {}
    while True:
        line = read_line(f)
        if not line:
            return first, headers
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()


def read_body(f, headers):
    if headers.get("transfer-encoding") == "chunked":
        body = b""
        while True:
            size = int(read_line(f), 16)
            if size == 0:
                read_line(f)
                return body
            body += f.read(size)
            read_line(f)
    return f.read(int(headers.get("content-length", 0)))


def answer(c, status=200, body=b"", headers=(), length=None):
    head = "HTTP/1.1 %d X\r\nContent-Length: %d\r\n" % (status, len(body) if length is None else length)
    c.sendall((head + "".join(h + "\r\n" for h in headers) + "\r\n").encode("latin-1") + body)


def reset(c):
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise Gone()


def chunks(c, n, each=b"x" * 1000, pause=0.0):
    c.sendall(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(n):
        c.sendall(b"%x\r\n%s\r\n" % (len(each), each))
        time.sleep(pause)
    c.sendall(b"0\r\n\r\n")


def echo_raw(c, f):
    """After a 101: everything back; at the end of input say so and end."""
    while True:
        data = f.read1(65536)
        if not data:
            break
        c.sendall(data)
    c.sendall(b"[end of input]")
    raise Gone()


def wait_gone(c):
    c.settimeout(20)
    try:
        while c.recv(65536):
            pass
    except OSError:
        pass
    count("gone")
    raise Gone()


def p_echo(c, f, rest, req):
    answer(c, 200, json.dumps(req).encode(), ["Content-Type: application/json"])


def p_status(c, f, rest, req):
    extra = ["Retry-After: 1"] if rest[1:] == ["ra"] else []
    answer(c, int(rest[0]), b"status %s" % rest[0].encode(), extra)


def p_redirect(c, f, rest, req):
    answer(c, int(rest[0]), b"", ["Location: " + "/".join(rest[1:]).replace("|", "/")])


def p_upgrade(c, f, rest, req):
    if rest and rest[0] == "refuse":
        return answer(c, 403, b"not you")
    if rest and rest[0] == "ok":
        return answer(c, 200, b"an ordinary answer")
    head = "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nX-Body: %d\r\n\r\n"
    c.sendall((head % len(req["body"])).encode())
    if rest and rest[0] == "hello":
        c.sendall(b"early bytes")
        raise Gone()
    if rest and rest[0] == "silent":
        wait_gone(c)
    echo_raw(c, f)


def p_slow(c, f, rest, req):
    time.sleep(float(rest[0]))
    answer(c, 200, b"slept")


def p_endless(c, f, rest, req):
    c.sendall(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n")
    sent = 0
    try:
        while True:
            c.sendall(b"10000\r\n" + b"e" * 65536 + b"\r\n")
            sent += 65536
            with lock:
                counts["endless"] = sent
    except OSError:
        count("gone")
    raise Gone()


def p_trickle(c, f, rest, req):
    chunks(c, int(rest[0]), b"tick\n", float(rest[1]))


def p_raw(text):
    def run(c, f, rest, req):
        c.sendall(text)
        raise Gone()

    return run


def p_gzip(c, f, rest, req):
    answer(c, 200, gzip.compress(b"z" * int(rest[0])), ["Content-Encoding: gzip"])


def p_idle(c, f, rest, req):
    """Answers, then closes the kept connection without having said so."""
    answer(c, 200, b"closing soon")
    time.sleep(float(rest[0]))
    raise Gone()


def p_once(c, f, rest, req):
    """Answers the first request of a connection and drops it at the second."""
    answer(c, 200, b"once")
    read_head(f)
    count("requests")
    raise Gone()


PATHS = {
    "ok": lambda c, f, rest, req: answer(c, 200, b"ok"),
    "echo": p_echo,
    "status": p_status,
    "redirect": p_redirect,
    "upgrade": p_upgrade,
    "slow": p_slow,
    "endless": p_endless,
    "trickle": p_trickle,
    "gzip": p_gzip,
    "idle": p_idle,
    "once": p_once,
    "bytes": lambda c, f, rest, req: answer(c, 200, b"b" * int(rest[0])),
    "chunked": lambda c, f, rest, req: chunks(c, int(rest[0])),
    "cookies": lambda c, f, rest, req: answer(
        c, 200, b"", ["Set-Cookie: a=1", "Set-Cookie: b=2", "X-Two: 1", "x-two: 2", "X-Empty:"]
    ),
    "half": p_raw(b"HTTP/1.1 200 X\r\nContent-Length: 1000\r\n\r\n0123456789"),
    "halfchunk": p_raw(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\na\r\n01234"),
    "halfhead": p_raw(b"HTTP/1.1 200 X\r\nContent-Le"),
    "garbage": p_raw(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "badlength": p_raw(b"HTTP/1.1 200 X\r\nContent-Length: many\r\n\r\nx"),
    "badgzip": p_raw(b"HTTP/1.1 200 X\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello"),
    "bighead": p_raw(b"HTTP/1.1 200 X\r\n" + b"X-A: %s\r\n" % (b"a" * 60000) * 9 + b"\r\n"),
    "switch": p_raw(b"HTTP/1.1 101 X\r\nUpgrade: what\r\n\r\n"),
    "interim": p_raw(
        b"HTTP/1.1 103 X\r\nLink: </a>\r\n\r\nHTTP/1.1 200 X\r\nContent-Length: 2\r\n\r\nok"
    ),
    "close": p_raw(b""),
    "reset": lambda c, f, rest, req: reset(c),
    "hang": lambda c, f, rest, req: wait_gone(c),
    "stats": lambda c, f, rest, req: answer(c, 200, json.dumps(counts).encode()),
}


def relay(c, f, target):
    host, _, port = target.rpartition(":")
    # Names end in .test and mean this machine: the client must not need to resolve them.
    s = socket.create_connection(("127.0.0.1" if host.endswith(".test") else host, int(port)))
    c.sendall(b"HTTP/1.1 200 Connected\r\nX-Proxy: yes\r\n\r\n")

    def pump(a, b):
        try:
            while True:
                data = a.recv(65536)
                if not data:
                    break
                b.sendall(data)
            b.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    t = threading.Thread(target=pump, args=(s, c), daemon=True)
    t.start()
    pump(c, s)
    t.join()
    raise Gone()


def serve_one(c, f):
    first, headers = read_head(f)
    count("requests")
    method, target, _ = first.split(" ", 2)
    if method == "CONNECT":
        relay(c, f, target)
    lazy = target.startswith("/early")
    body = b"" if lazy else read_body(f, headers)
    if lazy:
        answer(c, 413, b"too large", ["Connection: close"])
        read_body(f, headers)
        raise Gone()
    req = {"method": method, "target": target, "headers": headers, "body": body.decode("latin-1")}
    if target.startswith("http://"):
        return p_echo(c, f, [], req)
    parts = target.partition("?")[0].strip("/").split("/")
    PATHS.get(parts[0], lambda *a: answer(c, 404, b"no such path"))(c, f, parts[1:], req)


def serve(c, context):
    count("connections")
    try:
        if context:
            c = context.wrap_socket(c, server_side=True)
            count("handshakes")
        f = c.makefile("rb")
        while True:
            serve_one(c, f)
    except (Gone, OSError, ValueError):
        pass
    finally:
        try:
            if context and isinstance(c, ssl.SSLSocket):
                c.settimeout(2)
                c.unwrap()
        except (OSError, ValueError):
            pass
        c.close()


def option(name, n):
    if name not in sys.argv:
        return None
    at = sys.argv.index(name) + 1
    return sys.argv[at : at + n]


def main():
    context, tls, path = None, option("--tls", 2), option("--unix", 1)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        ca = option("--client-ca", 1)
        if ca:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(ca[0])
    if path:
        s = socket.socket(socket.AF_UNIX)
        s.bind(path[0])
    else:
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.1", 0))
    s.listen(0 if "--deaf" in sys.argv else 128)
    print(0 if path else s.getsockname()[1], flush=True)

    if "--deaf" in sys.argv:
        fill = [socket.socket() for _ in range(4)]
        for one in fill:
            one.setblocking(False)
            one.connect_ex(s.getsockname())
        sys.stdin.read()
        os._exit(0)

    def accept():
        while True:
            c, _ = s.accept()
            if not path:
                c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=serve, args=(c, context), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()
    os._exit(0)


main()
