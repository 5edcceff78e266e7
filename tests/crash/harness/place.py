"""Places to run in: each point has a folder of its own with its own state."""

import json
import os
import shutil
import subprocess
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
PLATRUN = os.environ.get("PLATRUN", os.path.join(ROOT, "build", "platrun"))
LIBS = os.path.join(ROOT, "build", "test")
START = "2035-03-07T10:00:00Z"  # behind every real clock: sandbox time goes on by itself
SPEED = 20  # of clocks, against a server
TIMEOUT = 120
BEGAN = int(time.time())


def build():
    """Compiles the two libraries."""
    os.makedirs(LIBS, exist_ok=True)
    for name in ("kill_write", "fast_clock"):
        source = os.path.join(ROOT, "tests", "crash", name + ".c")
        target = os.path.join(LIBS, name + ".so")
        subprocess.run([os.environ.get("CC", "cc"), "-std=c11", "-Wall", "-Wextra", "-Wshadow",
                        "-O1", "-g", "-shared", "-fPIC", "-o", target, source], check=True)


class Call:
    """One counted call of a run: a write to the journal or to world.log, or a request sent."""

    def __init__(self, number, what, head):
        self.number, self.what, self.head = number, what, head

    def __str__(self):
        return "%s %s" % (self.what, self.head[:100])


class Ended:
    """How a process ended."""

    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    def __str__(self):
        return "exit status %d\n%s%s" % (self.status, self.out, self.err)


class Place:
    """A folder with the state of one run."""

    def __init__(self, path, template=None):
        self.path = path
        self.state = os.path.join(path, "state")
        self.fast = False
        self.cwd = ROOT
        if template:
            shutil.copytree(os.path.join(template.path, "state"), self.state)
        os.makedirs(self.state, exist_ok=True)

    def env(self, **more):
        env = {k: v for k, v in os.environ.items() if not k.startswith(("PLATRUN", "LD_PRELOAD"))}
        env.update(XDG_STATE_HOME=self.state, XDG_CONFIG_HOME=os.path.join(self.path, "config"),
                   NO_COLOR="1", LC_ALL="C.UTF-8")
        preload = [os.path.join(LIBS, "kill_write.so")] if "CRASH_LOG" in more else []
        if self.fast:
            preload.append(os.path.join(LIBS, "fast_clock.so"))
            env.update(FAST_CLOCK=str(SPEED), FAST_CLOCK_FROM=str(BEGAN))
        if preload:
            env["LD_PRELOAD"] = " ".join(preload)
        env.update(more)
        return env

    def platrun(self, args, **env):
        done = subprocess.run([PLATRUN] + args, cwd=self.cwd, env=self.env(**env), text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, errors="replace",
                              stderr=subprocess.PIPE, timeout=TIMEOUT, check=False)
        return Ended(done.returncode, done.stdout, done.stderr)

    def must(self, args):
        ended = self.platrun(args)
        if ended.status != 0:
            raise RuntimeError("platrun %s: %s" % (" ".join(args), ended))
        return ended

    def _rows(self):
        with open(self.log(), encoding="utf-8", errors="replace") as file:
            return [line.rstrip("\n").split(" ", 3) for line in file]

    def calls(self):
        """Returns what the last counted run did."""
        return [Call(int(n), what, head) for n, what, _, head in self._rows() if n != "-"]

    def log_lines(self):
        """Returns the same as pairs of kind and content, syncs included."""
        return [(what, head) for _, what, _, head in self._rows()]

    def log(self):
        return os.path.join(self.path, "calls")

    # ---- the sandbox ----

    def sandbox(self, name):
        return os.path.join(self.state, "platrun", "sandbox", name)

    def log_size(self):
        try:
            return os.path.getsize(self.sandbox("world.log"))
        except FileNotFoundError:
            return 0

    # ---- the journal ----

    def runs(self):
        """Returns the directories of the runs, oldest first."""
        path = os.path.join(self.state, "platrun", "runs")
        if not os.path.isdir(path):
            return []
        return [os.path.join(path, name) for name in sorted(os.listdir(path))]

    def records(self):
        """Returns the whole records of the newest run; an empty list when none was begun."""
        runs = self.runs()
        path = os.path.join(runs[-1], "journal.jsonl") if runs else ""
        if not os.path.exists(path):
            return []
        with open(path, "rb") as file:
            lines = file.read().split(b"\n")[:-1]
        return [json.loads(line) for line in lines]


class Server:
    """platrun sandbox serve on the state of a place, and an inventory that names it."""

    def __init__(self, place):
        self.place = place
        said = os.path.join(place.path, "serve.out")
        kubeconfig = os.path.join(place.path, "kubeconfig")
        with open(said, "w", encoding="utf-8") as out:
            self.process = subprocess.Popen(
                [PLATRUN, "sandbox", "serve", "--sandbox-speed", str(SPEED), "--kubeconfig",
                 kubeconfig], cwd=ROOT, env=Place.env(place), stdout=out, stderr=out,
                stdin=subprocess.DEVNULL)
        dremio = self._wait_for(said)
        self.inventory = os.path.join(place.path, "inventory")
        os.makedirs(self.inventory)
        password = os.path.join(place.path, "password")
        with open(os.open(password, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as f:
            f.write("platrun-sandbox\n")
        with open(os.path.join(self.inventory, "platform.yaml"), "w", encoding="utf-8") as f:
            f.write("platrun:\n  environment: development\n  clusters:\n    sandbox:\n"
                    "      kubernetes: {kubeconfig: %s}\n      namespace: data-platform\n"
                    "  dremio:\n    main: {url: '%s', user: platrun, password_file: %s, min: 1}\n"
                    % (kubeconfig, dremio, password))

    def _wait_for(self, said):
        until = time.time() + 30
        while time.time() < until and self.process.poll() is None:
            with open(said, encoding="utf-8") as file:
                lines = file.read().split("\n")
            if len(lines) > 3:
                return lines[1].split()[1]
            time.sleep(0.02)
        raise RuntimeError("platrun sandbox serve does not listen")

    def stop(self, how):
        if self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(30)
