#!/usr/bin/env python3
"""A badly behaved HTTP/1.1 server on loopback for the tests of the HTTP client.

Prints "PORT\n" when it listens; ends when stdin ends.  The path chooses the behaviour.
Options: --tls CERT KEY, --client-ca CA (ask for client certificates), --unix PATH, --deaf (its queue
of connections is full, so nobody is answered).  It is a proxy too: CONNECT is relayed, an absolute
URL is echoed.
"""
import base64
import gzip
import hashlib
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


def p_refuse(c, f, rest, req):
    answer(c, int(rest[0]), json.dumps(req).encode(), ["Content-Type: application/json"])


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


def ws_frame(opcode, data, first=0x80):
    n = len(data)
    head = bytes([first | opcode, n if n < 126 else 126 if n < 65536 else 127])
    return head + (b"" if n < 126 else struct.pack(">H" if n < 65536 else ">Q", n)) + data


def ws_read(f):
    first, second = f.read(2)
    assert first & 0x80 and second & 0x80, "client frames are whole and masked"
    n = second & 0x7F
    if n > 125:
        n = struct.unpack(">H" if n == 126 else ">Q", f.read(2 if n == 126 else 8))[0]
    key = f.read(4)
    data = f.read(n)
    full = (key * (n // 4 + 1))[:n]
    return first & 15, (int.from_bytes(data, "big") ^ int.from_bytes(full, "big")).to_bytes(n, "big")


def p_ws(c, f, rest, req):
    """A WebSocket echo; the messages "ping", "pieces", "bye" and others do something special."""
    key = req["headers"]["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
    if rest == ["badaccept"]:
        accept = accept.swapcase()
    chosen = req["headers"].get("sec-websocket-protocol", "").split(",")[-1].strip()
    if rest == ["badprotocol"]:
        chosen = "never.offered"
    head = "HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Accept: %s\r\n"
    if chosen:
        head += "Sec-WebSocket-Protocol: %s\r\n" % chosen
    c.sendall((head % accept + "\r\n").encode() + ws_frame(1, b"welcome"))
    special = {
        b"ping": ws_frame(9, b"are you there"),
        b"pieces": ws_frame(1, b"one ", 0) + ws_frame(9, b"") + ws_frame(0, b"two", 0x80),
        b"masked": bytes([0x81, 0x81, 0, 0, 0, 0, 65]),
        b"reserved": ws_frame(1, b"x", 0xC0),
        b"lonely": ws_frame(0, b"x"),
        b"unknown": ws_frame(3, b"x"),
        b"huge": bytes([0x82, 127]) + struct.pack(">Q", 1 << 62),
        b"longping": ws_frame(9, b"x" * 126),
    }
    while True:
        opcode, data = ws_read(f)
        if opcode == 10:
            c.sendall(ws_frame(1, b"pong " + data))
        elif opcode == 9:
            c.sendall(ws_frame(10, data))
        elif opcode == 8:
            c.sendall(ws_frame(8, data))
            count("gone")
            raise Gone()
        elif data == b"bye":
            c.sendall(ws_frame(8, struct.pack(">H", 1001) + b"going away"))
            assert ws_read(f)[0] == 8
            count("gone")
            raise Gone()
        elif data == b"drop":
            raise Gone()
        else:
            c.sendall(special.get(data) or ws_frame(opcode, data))


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
    "refuse": p_refuse,
    "status": p_status,
    "redirect": p_redirect,
    "upgrade": p_upgrade,
    "ws": p_ws,
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
    "interim": lambda c, f, rest, req: c.sendall(
        b"HTTP/1.1 103 X\r\nLink: </a>\r\n\r\nHTTP/1.1 200 X\r\nContent-Length: 2\r\n\r\nok"
    ),
    "close": p_raw(b""),
    "reset": lambda c, f, rest, req: reset(c),
    "deaf": lambda c, f, rest, req: time.sleep(5),
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
    lazy = target.startswith(("/early", "/deaf"))
    body = b"" if lazy else read_body(f, headers)
    if target.startswith("/early"):
        answer(c, 413, b"too large", ["Connection: close"])
        read_body(f, headers)
        raise Gone()
    req = {"method": method, "target": target, "headers": headers, "body": body.decode("latin-1")}
    if target.startswith("http://"):
        return p_echo(c, f, [], req)
    parts = target.partition("?")[0].strip("/").split("/")
    PATHS.get(parts[0], lambda *a: answer(c, 404, b"no such path"))(c, f, parts[1:], req)


def handshake(c, context):
    tls = context.wrap_socket(c, server_side=True, do_handshake_on_connect=False)
    try:
        tls.do_handshake()
        return tls
    except ssl.SSLError:
        # Not closed with unread bytes: that would reset the connection and lose the alert.
        raw = socket.socket(fileno=tls.detach())
        raw.settimeout(2)
        raw.shutdown(socket.SHUT_WR)
        while raw.recv(65536):
            pass
        raw.close()
        raise Gone()


def serve(c, context):
    count("connections")
    try:
        if context:
            c = handshake(c, context)
            count("handshakes")
        elif c.recv(1, socket.MSG_PEEK) == b"\x16":  # a TLS hello
            answer(c, 400, b"this is not TLS")
            raise Gone()
        f = c.makefile("rb")
        while True:
            serve_one(c, f)
    except (Gone, OSError, ValueError):
        pass
    except AssertionError as e:
        with lock:
            counts["violations"] = counts.get("violations", []) + [str(e)]
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
    if "--deaf" in sys.argv:
        full = [socket.socket() for _ in range(4)]
        for one in full:
            one.setblocking(False)
            one.connect_ex(s.getsockname())
        time.sleep(0.05)
    print(0 if path else s.getsockname()[1], flush=True)

    def accept():
        while True:
            c, _ = s.accept()
            if not path:
                c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=serve, args=(c, context), daemon=True).start()

    if "--deaf" not in sys.argv:
        threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()
    os._exit(0)


main()
