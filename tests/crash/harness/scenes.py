"""The scenes of the crash test: how each starts, what runs, where it may be killed."""

import os
import shutil
import signal

from harness import world
from harness.place import ROOT, START, Place, Server

PLAYBOOKS = os.path.join(ROOT, "tests", "crash", "playbooks")
SCALE = "playbooks/scale-dremio.lua"
LOOK = os.path.join(PLAYBOOKS, "look.lua")


class Point:
    """Where a run is killed: at a counted call, and how."""

    def __init__(self, number, how, what="", again=None):
        self.number, self.how, self.what = number, how, what
        self.again = again  # where the run is killed once more when it is resumed

    def __str__(self):
        return "%d:%s%s" % (self.number, self.how, ":%d" % self.again if self.again else "")


class Scene:
    """A run on the sandbox inside platrun: world.log is the witness."""

    change = ("before", "torn", "after")

    def __init__(self, name, expect, words, before=(), again=(), status=0, twice=False):
        self.name, self.expect, self.status, self.twice = name, expect, status, twice
        self.words = list(words)  # of the command line of the run that is killed
        self.before = list(before)  # command lines that make the start
        self.again = list(again)  # words for `platrun resume`
        self.template = self.want = None

    # ---- the stage ----

    def set(self, path):
        """Makes the start state."""
        self.template = Place(os.path.join(path, "start"))
        self.template.must(["sandbox", "reset", "--sandbox-time", START])
        for words in self.before:
            self.template.must(words)
        shutil.rmtree(os.path.join(self.template.state, "platrun", "runs"), ignore_errors=True)

    def open(self, path):
        """Returns a place with the start state."""
        return Place(path, self.template)

    def command(self, _place):
        return ["run"] + self.words

    def resume(self, _place):
        return ["resume"] + self.again

    def close(self, _place):
        """Ends what the place holds."""

    # ---- where to kill ----

    def points(self, calls):
        """Returns the points of an undisturbed run."""
        found = []
        for call in calls:
            ways = self.cuts(call) if call.what == "journal" else ()
            if call.what == "wire" or (call.what == "world" and self.is_change(call)):
                ways = self.change
            found += [Point(call.number, how, str(call)) for how in ways]
        if (found[-1].number, found[-1].how) != (calls[-1].number, "after"):
            found.append(Point(calls[-1].number, "after", "the end"))
        if self.twice:
            found += [Point(p.number, p.how, p.what, 1 + p.number * 5 % 9)
                      for p in found if p.how == "before"]
        return found

    @staticmethod
    def cuts(call):
        """Where the write of a record is killed; what is cut looks the same wherever it stands."""
        return (("before", "torn"), ("before",), ("before", "unended"), ("before",))[
            call.number % 4]

    @staticmethod
    def is_change(call):
        return '"method"' in call.head and not any(r in call.head for r in world.READS)

    # ---- what came of it ----

    def remember(self, place, ended):
        """Keeps what the undisturbed run left."""
        if ended.status != self.status:
            raise RuntimeError("the undisturbed run: %s, want %d" % (ended, self.status))
        self.want = self.result(place)
        if not self.want[1]:
            raise RuntimeError("the undisturbed run changed nothing")

    def result(self, place):
        self.close(place)
        made = world.changes(place.sandbox("world.log"), self.template.log_size())
        Place.must(place, [LOOK, "--sandbox"])
        return world.end_state(place.sandbox("snapshot.json")), made

    def written(self, _place):
        return None

    def settle(self, _place, ended, _written):
        return "it asks, and everything here can be looked up: %s" % ended, None

    def problem(self, place, ended):
        """Returns what is wrong after the resumed run has ended; None if nothing is."""
        if ended.status != self.status:
            return "it ended otherwise than an undisturbed run, want %d: %s" % (self.status, ended)
        state, made = self.result(place)
        return world.wire_problem(self.want[1], made) or world.difference(self.want[0], state)


class Approved(Scene):
    """The run waits for an approval in the middle, wherever it is killed."""

    def remember(self, place, ended):
        problem, ended = self.settle(place, ended, None)
        if problem:
            raise RuntimeError(problem)
        super().remember(place, ended)

    def settle(self, place, ended, _written):
        if ended.status != 3:
            return "it does not wait for an approval: %s" % ended, None
        place.must(["approve"])
        return None, place.platrun(self.resume(place))


class Resumed(Scene):
    """A run that has waited and been approved: the process that goes on with it is killed."""

    def set(self, path):
        super().set(path)
        ended = self.template.platrun(["run"] + self.words)
        if ended.status != 3:
            raise RuntimeError("it does not wait for an approval: %s" % ended)
        self.template.must(["approve"])

    def command(self, place):
        return self.resume(place)


class Served(Scene):
    """The same against platrun sandbox serve in another process, with quick clocks."""

    def open(self, path):
        place = Place(path, self.template)
        place.server = Server(place)
        place.fast = True
        return place

    def command(self, place):
        return super().command(place) + ["-i", place.server.inventory]

    def remember(self, place, ended):
        super().remember(place, ended)
        on_disk = True
        for what, head in place.log_lines():
            if what == "journal" and '"type":"intent"' in head:
                on_disk = False
            elif what == "sync":
                on_disk = True
            elif what == "wire" and not on_disk:
                raise RuntimeError("sent before its intent was on the disk: " + head)

    def close(self, place):
        # Where a run is killed its server is too: what it had answered it must not forget.
        place.server.stop(signal.SIGKILL if self.want else signal.SIGTERM)
        place.fast = False


class Unknowable(Scene):
    """A command of which nobody can tell whether it ran: the file that it writes is the witness."""

    lines = ["first", "second", "third"]
    steps = ["append the first line", "append two more", "append two more"]

    def set(self, path):
        self.template = Place(os.path.join(path, "start"))

    @staticmethod
    def cuts(_call):
        return ("before", "torn", "unended", "after")

    def open(self, path):
        place = Place(path, self.template)
        place.playbook = os.path.join(path, "unknowable.lua")
        place.cwd = path  # where no platrun.conf chooses the sandbox
        place.file = os.path.join(path, "witness")
        shutil.copy(os.path.join(PLAYBOOKS, "unknowable.lua"), place.playbook)
        return place

    def command(self, place):
        return ["run", place.playbook, "file=" + place.file]

    def written(self, place):
        if not os.path.exists(place.file):
            return []
        with open(place.file, encoding="utf-8") as file:
            return file.read().split()

    def result(self, place):
        return None, self.written(place)

    def remember(self, place, ended):
        super().remember(place, ended)
        if self.want[1] != self.lines:
            raise RuntimeError("the undisturbed run wrote %s" % self.want[1])

    @staticmethod
    def dangling(records):
        """Returns the intents without an outcome."""
        open_ones = {}
        for record in records:
            if record["type"] == "intent":
                open_ones[record["key"]] = record
            elif record["type"] == "outcome":
                open_ones.pop(record["key"], None)
        return list(open_ones.values())

    def settle(self, place, ended, written):
        """The run asks: checks the question, answers it, and returns how the run ended then."""
        unknown = self.dangling(place.records())
        if len(unknown) != 1:
            return "it asks, and %d changes are unknown: %s" % (len(unknown), ended), None
        step, word = unknown[0]["step"], unknown[0]["args"]["argv"][-1]
        if step not in ended.err or word not in ended.err:
            return "the question names neither the step nor the command: %s" % ended, None
        if self.written(place) != written:
            return "it guessed: %s, was %s" % (self.written(place), written), None
        answer = "--done" if word in written else "--redo"
        return None, place.platrun(["resume", answer, step] + self.again)

    def problem(self, place, ended):
        if ended.status != 0:
            return "it ended otherwise than an undisturbed run: %s" % ended
        written = self.written(place)
        return "it wrote %s" % written if written != self.lines else None


class Closed(Unknowable):
    """The same; here a person says that the whole step is finished."""

    def settle(self, place, ended, written):
        unknown = self.dangling(place.records())
        return None, place.platrun(["resume", "--settle", unknown[0]["step"]] + self.again)

    def problem(self, place, ended):
        """Nothing was done twice, and what was closed by hand has stayed as it was."""
        if ended.status != 0:
            return "it did not end: %s" % ended
        written, closed = self.written(place), set()
        for record in place.records():
            if record["type"] == "settle":
                closed.add(record["step"])
        for line, step in zip(self.lines, self.steps):
            if written.count(line) > 1 or (not written.count(line) and step not in closed):
                return "it wrote %s" % written
        return None
