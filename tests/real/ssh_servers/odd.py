"""Servers that do what they should not, and relays that make a good one look bad.

odd.py PORT MODE [ARGUMENT...]: listens on 127.0.0.1 until it is killed.
"""
import os
import socket
import subprocess
import sys
import threading
import time

BANNER = b"SSH-2.0-OpenSSH_9.2p1 odd\r\n"


def connect(port):
    back = socket.create_connection(("127.0.0.1", int(port)))
    back.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return back


def silent(client):
    while client.recv(65536):
        pass


def endless(client):  # a banner that never ends
    while True:
        client.sendall(b"x" * 4096)


def endless_lines(client):  # lines before the banner, for ever
    while True:
        client.sendall(b"please wait\r\n" * 100)


def garbage(client):
    client.sendall(os.urandom(4096))
    silent(client)


def http(client):
    client.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    client.close()


def old(client):
    client.sendall(b"SSH-1.5-old\r\n")
    silent(client)


def close_at_once(client):
    client.close()


def banner_close(client):
    client.sendall(BANNER)
    client.recv(65536)
    client.close()


def banner_silent(client):
    client.sendall(BANNER)
    silent(client)


def banner_garbage(client):
    client.sendall(BANNER + b"\x00\x00\x00\x2c\x06\x14" + os.urandom(38))
    silent(client)


def huge_packet(client):
    client.sendall(BANNER + b"\x7f\xff\xff\xff" + os.urandom(64))
    silent(client)


def full(client):  # as sshd beyond MaxStartups
    client.sendall(b"Exceeded MaxStartups\r\n")
    client.close()


def relay(client, port, change):
    """Carries bytes both ways; change(data, from_server) yields what is passed on, None ends all."""
    back = connect(port)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def carry(source, target, from_server):
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    break
                for piece in change(data, from_server):
                    if piece is None:
                        raise OSError("cut")
                    target.sendall(piece)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    other = threading.Thread(target=carry, args=(client, back, False), daemon=True)
    other.start()
    carry(back, client, True)
    other.join()


def delay(client, port, milliseconds):
    def change(data, _):
        time.sleep(int(milliseconds) / 2000)
        yield data

    relay(client, port, change)


def bytewise(client, port):
    def change(data, _):
        for i in range(len(data)):
            yield data[i : i + 1]

    relay(client, port, change)


def cut(client, port, count):
    """Ends the connection after so many bytes of the server."""
    left = [int(count)]

    def change(data, from_server):
        if from_server:
            yield data[: left[0]]
            left[0] -= len(data)
            if left[0] <= 0:
                yield None
        else:
            yield data

    relay(client, port, change)


def stall(client, port, count):
    """Passes nothing on after so many bytes of the server, and keeps the connection."""
    left = [int(count)]

    def change(data, from_server):
        if from_server:
            yield data[: max(left[0], 0)]
            left[0] -= len(data)
        else:
            yield data

    relay(client, port, change)


def flip(client, port, count):
    """Changes one bit of the byte with this number of the server."""
    seen = [0]

    def change(data, from_server):
        at = int(count) - seen[0]
        if from_server and 0 <= at < len(data):
            data = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        if from_server:
            seen[0] += len(data)
        yield data

    relay(client, port, change)


attempts = [0]


def refuse_first(client, port, count):
    """The first connections end as beyond MaxStartups."""
    attempts[0] += 1
    if attempts[0] <= int(count):
        full(client)
    else:
        relay(client, port, lambda data, _: [data])


def inetd(client, *command):
    """A server that wants its connection as standard input and output."""
    fd = client.fileno()
    subprocess.run(command, stdin=fd, stdout=fd, stderr=sys.stderr, check=False)


def main():
    mode = globals()[sys.argv[2]]
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("127.0.0.1", int(sys.argv[1])))
    server.listen(64)

    def handle(client):
        try:
            mode(client, *sys.argv[3:])
        except OSError:
            pass
        client.close()

    while True:
        client, _ = server.accept()
        threading.Thread(target=handle, args=(client,), daemon=True).start()


main()
