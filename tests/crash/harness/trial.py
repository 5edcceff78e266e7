"""One trial: a run is killed at a point and resumed; and the rehearsal without a kill."""

import os
import shutil
import signal
import traceback

from harness.place import Ended

RESUMES = 4  # how often a run may be resumed until it has ended


def rehearse(scene, folder):
    """Sets the scene, runs it undisturbed, and returns the points at which it can be killed."""
    scene.set(folder)
    place = scene.open(os.path.join(folder, "undisturbed"))
    try:
        ended = place.platrun(scene.command(place), CRASH_LOG=place.log())
        calls = place.calls()
        scene.remember(place, ended)
    finally:
        scene.close(place)
    return scene.points(calls)


class Trial:
    """A run that is killed at a point."""

    def __init__(self, scene, point, path, keep=False):
        self.scene, self.point, self.path, self.keep = scene, point, path, keep
        self.killed_twice = False

    def run(self):
        """Returns what went wrong, None if nothing did."""
        place = self.scene.open(self.path)
        try:
            return self._run(place)
        except Exception:  # what breaks the trial is its result, and the others go on
            return traceback.format_exc()
        finally:
            self.scene.close(place)
            if not self.keep:
                shutil.rmtree(self.path)

    def _run(self, place):
        ended = place.platrun(self.scene.command(place), CRASH_LOG=place.log(),
                              CRASH_AT=str(self.point.number), CRASH_HOW=self.point.how)
        if ended.status != -signal.SIGKILL:
            return "it was not killed: %s" % ended
        problem, ended = self.recover(place)
        return problem or self.scene.problem(place, ended)

    def resume(self, place, at):
        kill = {"CRASH_LOG": place.log(), "CRASH_AT": str(at), "CRASH_HOW": "before"} if at else {}
        return place.platrun(self.scene.resume(place), **kill)

    def refused(self, place, end):
        """It was killed behind its end: nothing is left to go on with, unless to try anew."""
        ended = Ended(end["exit"], "", "")
        if ended.status == 3:
            return self.scene.settle(place, ended, self.scene.written(place))
        if end.get("resumable"):
            return None, ended
        ended = place.platrun(self.scene.resume(place))
        if ended.status != 64:
            return "the run had ended, and yet: %s" % ended, None
        ended.status = end["exit"]
        return None, ended

    def recover(self, place):
        """Goes on with the killed run until it has ended."""
        scene = self.scene
        records = place.records()
        if not records:  # it was killed before it had begun: nothing can have happened
            ended = place.platrun(scene.resume(place))
            if ended.status != 64:
                return "there is nothing to resume, and yet: %s" % ended, None
            ended = place.platrun(scene.command(place))
            return scene.settle(place, ended, None) if ended.status == 3 else (None, ended)
        if records[-1]["type"] == "end":
            return self.refused(place, records[-1])
        for attempt in range(RESUMES):
            written = scene.written(place)
            ended = self.resume(place, self.point.again if attempt == 0 else None)
            if ended.status == -signal.SIGKILL:
                self.killed_twice = True
                continue
            if ended.status != 3:
                return None, ended
            problem, ended = scene.settle(place, ended, written)
            if problem or ended.status != 3:
                return problem, ended
        return "it still asks: %s" % ended, None
