"""An SSH server by paramiko, to answer as OpenSSH does not.

para.py PORT HOST_KEY PASSWORD WAYS QUESTION: WAYS are the methods that it takes, with commas between;
QUESTION is asked after the password by keyboard-interactive ("-": nothing).  "none,forgets" wants no
proof, and closes each channel before it answers.
"""
import socket
import subprocess
import sys
import threading
import time

import paramiko

PASSWORD, WAYS, QUESTION = sys.argv[3:6]
FORGETS = WAYS == "none,forgets"


class Server(paramiko.ServerInterface):
    def __init__(self):
        self.asked = 0

    def get_allowed_auths(self, username):
        return WAYS

    def check_auth_none(self, username):
        return paramiko.AUTH_SUCCESSFUL if WAYS.startswith("none") else paramiko.AUTH_FAILED

    def check_auth_password(self, username, password):
        print("password", flush=True)
        right = "password" in WAYS and password == PASSWORD
        return paramiko.AUTH_SUCCESSFUL if right else paramiko.AUTH_FAILED

    def check_auth_interactive(self, username, submethods):
        query = paramiko.InteractiveQuery("Login", "Who goes there?")
        query.add_prompt("Password: ", False)
        return query

    def check_auth_interactive_response(self, responses):
        print("interactive", flush=True)
        self.asked += 1
        if self.asked == 1 and list(responses) != [PASSWORD]:
            return paramiko.AUTH_FAILED
        if self.asked == 1 and QUESTION != "-":
            query = paramiko.InteractiveQuery("", "")
            query.add_prompt(QUESTION, True)
            return query
        return paramiko.AUTH_SUCCESSFUL if self.asked == 1 else paramiko.AUTH_FAILED

    def check_channel_request(self, kind, chanid):
        return paramiko.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel, command):
        if FORGETS:
            channel.close()
            time.sleep(30)
        threading.Thread(target=perform, args=(channel, command), daemon=True).start()
        return True


def perform(channel, command):
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, shell=True, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
    ) as program:

        def feed():
            data = channel.recv(65536)
            while data:
                program.stdin.write(data)
                program.stdin.flush()
                data = channel.recv(65536)
            program.stdin.close()

        threading.Thread(target=feed, daemon=True).start()
        said, errors = program.stdout.read(), program.stderr.read()
        channel.sendall(said)
        channel.sendall_stderr(errors)
        channel.send_exit_status(program.wait())
    channel.close()


def serve(client):
    transport = paramiko.Transport(client)
    transport.add_server_key(paramiko.ECDSAKey(filename=sys.argv[2]))
    try:
        transport.start_server(server=Server())
        kept = []  # a channel that is forgotten gets closed
        while transport.is_active():
            kept.append(transport.accept(1))
    except (EOFError, paramiko.SSHException):
        pass


def main():
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("127.0.0.1", int(sys.argv[1])))
    server.listen(16)
    while True:
        client, _ = server.accept()
        threading.Thread(target=serve, args=(client,), daemon=True).start()


main()
