#!/usr/bin/env python3
"""Answers what PyYAML (dialect ansible) or ruamel.yaml (dialect core) reads from YAML.

usage: yaml_python.py ansible|core < LIST    what they read
       yaml_python.py plain < ANSWERS        the answers of another program, in the same form
       yaml_python.py texts < yaml_inputs.json > LIST
       yaml_python.py merge DIRECTORY        of texts and answers to yaml_cases.json

LIST is a JSON list of YAML texts; an answer is {"ok": VALUE} or {"error": MESSAGE}.  JSON cannot say
everything: {"$float": "inf"} stands for a float that it lacks, {"$big": "..."} for an integer beyond
64 bits.  Timestamps stay text, as they do in platrun.
"""

import json
import math
import os
import sys


def plain(value):
    """Returns value as JSON can carry it, keys as json.dumps writes them."""
    if isinstance(value, dict):
        return {json.loads(json.dumps({key: 0}, default=str)).popitem()[0]: plain(item)
                for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, str):
        value.encode()  # raises for lone surrogates, which Python alone takes for text
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$float": str(value)}
    if isinstance(value, int):
        return value if -2**63 <= value < 2**63 else {"$big": str(value)}
    raise TypeError("a value of type %s" % type(value).__name__)


def ansible_loader():
    """Returns a function text -> value: PyYAML with the tags that Ansible adds."""
    import yaml

    class Loader(yaml.SafeLoader):
        pass

    def vault(loader, node):
        return {"__tag": "!vault", "value": loader.construct_scalar(node)}

    def unsafe(loader, node):
        construct = getattr(loader, "construct_" + node.id)
        value = construct(node) if node.id == "scalar" else construct(node, deep=True)
        return {"__tag": "!unsafe", "value": value}

    Loader.add_constructor("tag:yaml.org,2002:timestamp", yaml.SafeLoader.construct_scalar)
    Loader.add_constructor("!vault", vault)
    Loader.add_constructor("!unsafe", unsafe)
    return lambda text: yaml.load(text, Loader)


def core_loader():
    """Returns a function text -> value: ruamel.yaml reading YAML 1.2."""
    import ruamel.yaml

    class Constructor(ruamel.yaml.constructor.SafeConstructor):
        pass

    Constructor.add_constructor("tag:yaml.org,2002:timestamp",
                                lambda self, node: self.construct_scalar(node))
    loader = ruamel.yaml.YAML(typ="safe", pure=True)
    loader.Constructor = Constructor
    return loader.load


def read(load):
    """Answers for each text of standard input."""
    answers = []
    for text in json.load(sys.stdin):
        try:
            answers.append({"ok": plain(load(text))})
        except Exception as error:  # whatever a reader raises is its answer
            answers.append({"error": str(error) or type(error).__name__})
    return answers


def texts(inputs):
    """Returns the list of YAML texts: each plain scalar alone, in a list and as a key."""
    return [form % scalar for scalar in inputs["plain"] for form in ("%s", "- %s", "%s: key")
            ] + inputs["texts"]


def merge(directory):
    """Prints one case a line; of errors only that there is one."""
    def load(name):
        with open(os.path.join(directory, name), encoding="utf-8") as file:
            return json.load(file)

    dialects = ("ansible", "core", "kubernetes")
    answers = {dialect: load(dialect) for dialect in dialects}
    lines = []
    for i, text in enumerate(load("texts")):
        case = {"yaml": text}
        for dialect in dialects:
            answer = answers[dialect][i]
            case[dialect] = {"ok": answer["ok"]} if "ok" in answer else {"error": True}
        lines.append("  " + json.dumps(case, sort_keys=True))
    print("[\n%s\n]" % ",\n".join(lines))


def main():
    verb = sys.argv[1]
    if verb == "merge":
        merge(sys.argv[2])
        return
    if verb == "texts":
        result = texts(json.load(sys.stdin))
    elif verb == "plain":
        result = [{"ok": plain(answer["ok"])} if "ok" in answer else answer
                  for answer in json.load(sys.stdin)]
    else:
        result = read({"ansible": ansible_loader, "core": core_loader}[verb]())
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
