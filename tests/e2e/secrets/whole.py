"""Checks that every line of every journal and file of events below a folder is JSON."""

import json
import os
import sys

lines = 0
for folder, _, names in os.walk(sys.argv[1]):
    for name in names:
        if name.endswith(".jsonl"):
            with open(os.path.join(folder, name), encoding="utf-8") as f:
                lines += len([json.loads(line) for line in f])
print(lines, "lines")
sys.exit(lines < 100)
