"""What a run left in the sandbox: the end state and the changes that were asked for."""

import collections
import itertools
import json
import os
import re

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# What controllers append to the names of what they make: the hash of a template, a chance suffix.
MADE = re.compile(r"(?<=[\"-])[bcdf-hj-np-tv-z2456789]{4,10}(-[bcdf-hj-np-tv-z2456789]{5})?"
                  r"(?=[\"\\ -]|$)")

# Says nothing about the end: identity, history, and where chance has put something.
DROP = {
    "uid", "resourceVersion", "creationTimestamp", "managedFields", "containerID", "podIP",
    "podIPs", "hostIP", "hostIPs", "nodeName", "startTime", "startedAt", "lastTransitionTime",
    "lastUpdateTime", "lastProbeTime", "lastScaleTime", "collisionCount",
    "volume.kubernetes.io/selected-node",
}
NOT_COMPARED = {"events", "events.events.k8s.io", "endpoints", "endpointslices.discovery.k8s.io",
                "nodes", "csinodes.storage.k8s.io"}

READS = ("/apiv2/login", "/api/v3/sql")
LEASES = "/apis/coordination.k8s.io/"


def _plain(value):
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items() if k not in DROP}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    return value


def _text(value):
    text = json.dumps(_plain(value), sort_keys=True)
    return MADE.sub("MADE", UUID.sub("UUID", TIME.sub("TIME", text)))


def end_state(path):
    """Returns the objects of a snapshot as a sorted list of texts that can be compared."""
    with open(path, encoding="utf-8") as file:
        models = json.load(file)["models"]
    state = []
    for kind, objects in models["kubernetes"]["objects"].items():
        if kind == "leases.coordination.k8s.io":
            state += ["lease %s: %s" % (name, o["spec"].get("holderIdentity") or "free")
                      for name, o in objects.items()]
        elif kind not in NOT_COMPARED:
            state += [_text(o) for o in objects.values()]
    state += ["dremio executor " + name for name in models["dremio"]["executors"]]
    return sorted(state)


def difference(want, got):
    """Returns what differs between two end states, for people; None if nothing does."""
    missing = collections.Counter(want) - collections.Counter(got)
    extra = collections.Counter(got) - collections.Counter(want)
    if not missing and not extra:
        return None
    lines = ["the end state differs from that of an undisturbed run:"]
    for before, after in itertools.zip_longest(sorted(missing)[:3], sorted(extra)[:3],
                                               fillvalue=""):
        at = max(0, len(os.path.commonprefix([before, after])) - 60)
        lines += ["  - %s ... %s" % (before[:120], before[at:at + 300]),
                  "  + %s ... %s" % (after[:120], after[at:at + 300])]
    return "\n".join(lines)


def _body(text):
    try:
        return _text(json.loads(text)) if text else ""
    except ValueError:
        return text


def changes(path, offset):
    """Counts the changes asked for behind an offset of world.log, by method, path and body."""
    count = collections.Counter()
    with open(path, "rb") as file:
        file.seek(offset)
        for line in file.read().split(b"\n"):
            entry = json.loads(line) if line.endswith(b"}") else {}
            url = entry.get("url", "")
            if "method" in entry and not url.startswith(READS) and not url.startswith(LEASES):
                count[(entry["method"], url.split("?")[0], _body(entry.get("body")))] += 1
    return count


def wire_problem(want, got):
    """Returns what is wrong with the changes of a resumed run; None if nothing is.

    Each change of the undisturbed run is there.  A create or a delete is there exactly as often;
    of the others one may be there once more: the one that was under way when the run was killed.
    """
    again = 0
    for key in sorted(set(want) | set(got)):
        method, more = key[0], got[key] - want[key]
        if key not in want:
            return "nobody asked for this change: %s %s %s" % key
        if more < 0:
            return "a change is missing: %s %s %s" % key
        if more > 0 and method in ("POST", "DELETE"):
            return "done twice: %s %s %s" % key
        again += more
    return "%d changes were repeated" % again if again > 1 else None
