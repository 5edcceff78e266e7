"""One trial: a run is killed at a point and resumed; and the rehearsal without a kill."""

import os
import shutil
import signal
import subprocess
import traceback

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

    def run(self):
        """Returns what went wrong, None if nothing did."""
        place = self.scene.open(self.path)
        try:
            return self._run(place)
        except (RuntimeError, ValueError, OSError, KeyError, subprocess.TimeoutExpired):
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

    def recover(self, place):
        """Goes on with the killed run until it has ended."""
        scene = self.scene
        records = place.records()
        if not records:  # it was killed before it had begun: nothing can have happened
            ended = place.platrun(scene.resume(place))
            if ended.status != 64:
                return "there is nothing to resume, and yet: %s" % ended, None
            return None, place.platrun(scene.command(place))
        if records[-1]["type"] == "end":
            ended = place.platrun(scene.resume(place))
            if ended.status != 64:
                return "the run had ended, and yet: %s" % ended, None
            ended.status = records[-1]["exit"]
            return None, ended
        for _ in range(RESUMES):
            written = scene.written(place)
            ended = place.platrun(scene.resume(place))
            if ended.status != 3:
                return None, ended
            problem, ended = scene.settle(place, ended, written)
            if problem or ended.status != 3:
                return problem, ended
        return "it still asks: %s" % ended, None
