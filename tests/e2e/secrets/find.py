"""Looks for secrets in files: find.py SECRETS_DIR FILE_OR_DIR...

Each file of SECRETS_DIR is a value. It is looked for as it is, in base64 (wherever it begins),
percent-escaped, JSON-escaped, and line by line. Prints "FILE: NAME as FORM" for each; exits 1 then.
"""

import base64
import json
import os
import re
import sys
import urllib.parse


def core64(value, shift):
    """The digits that the value alone decides behind `shift` other bytes."""
    digits = base64.b64encode(b"\0" * shift + value).decode().rstrip("=")
    first = -(-8 * shift // 6)
    return digits[first : 8 * (shift + len(value)) // 6]


def forms(value):
    text = value.decode()
    yield "itself", text
    for shift in range(3):
        digits = core64(value, shift)
        yield "base64+%d" % shift, digits
        yield "base64url+%d" % shift, digits.replace("+", "-").replace("/", "_")
    yield "percent", urllib.parse.quote(text, safe="")
    yield "percent, lower", re.sub("%..", lambda m: m[0].lower(), urllib.parse.quote(text, safe=""))
    yield "form", urllib.parse.quote_plus(text)
    yield "JSON", json.dumps(text)[1:-1]
    yield "JSON/", json.dumps(text)[1:-1].replace("/", "\\/")
    yield "JSON in JSON", json.dumps(json.dumps(text)[1:-1])[1:-1]
    for line in text.splitlines():
        if len(line) >= 6 and line != text:
            yield "a line", line
            yield "a line, JSON", json.dumps(line)[1:-1]


def files(paths):
    for path in paths:
        if not os.path.isdir(path):
            yield path
        for folder, _, names in os.walk(path):
            for name in names:
                yield os.path.join(folder, name)


def main():
    needles = []
    for name in sorted(os.listdir(sys.argv[1])):
        with open(os.path.join(sys.argv[1], name), "rb") as f:
            value = f.read().rstrip(b"\n")
        needles += [(name, form, text.encode()) for form, text in forms(value)]
    found, looked = False, 0
    for path in files(sys.argv[2:]):
        with open(path, "rb") as f:
            content = f.read()
        looked += len(content)
        for name, form, text in needles:
            if text in content:
                print("%s: %s as %s" % (path, name, form))
                found = True
    if not looked:
        print("nothing to look at")
    sys.exit(found or not looked)


main()
