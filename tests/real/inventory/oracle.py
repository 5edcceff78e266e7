"""Answers what Ansible makes of inventories: JSON in, JSON out.

In: [{"dir", "args": ["-i", ...], "patterns": [...], "limits": [...]}, ...].  Out, of each: {"error"} or
{"list", "export", "graph": texts, "patterns", "limits": lists of names or null}.  Each case is a fork of this
process, which has loaded Ansible, so nothing that Ansible remembers goes from case to case.
"""
import contextlib
import io
import json
import os
import sys

os.environ.update(
    ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED="true",
    ANSIBLE_HOST_PATTERN_MISMATCH="error",
    ANSIBLE_DEPRECATION_WARNINGS="false",
)
from ansible import context  # noqa: E402
from ansible.cli.inventory import InventoryCLI  # noqa: E402
from ansible.module_utils.common.collections import ImmutableDict  # noqa: E402
from ansible.plugins.loader import init_plugin_loader  # noqa: E402


def names(inventory, pattern, limit=None):
    try:
        inventory.subset(limit)
        return [host.name for host in inventory.get_hosts(pattern)]
    except Exception:
        return None


def answer(case):
    os.chdir(case["dir"])
    cli = InventoryCLI(["ansible-inventory", "--list"] + case["args"])
    cli.parse()
    cli.loader, cli.inventory, cli.vm = cli._play_prereqs()
    top = cli._get_group("all")
    out = {"list": cli.dump(cli.json_inventory(top)), "graph": cli.inventory_graph()}
    flags = dict(context.CLIARGS)
    context.CLIARGS = ImmutableDict(flags, export=True)
    out["export"] = cli.dump(cli.json_inventory(top))
    out["patterns"] = [names(cli.inventory, p) for p in case.get("patterns", [])]
    out["limits"] = [names(cli.inventory, "all", p) for p in case.get("limits", [])]
    return out


def forked(case):
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        with contextlib.redirect_stderr(io.StringIO()):
            try:
                out = answer(case)
            except BaseException as error:  # argparse and Ansible end by SystemExit, too
                out = {"error": str(error)}
        with os.fdopen(write, "w") as pipe:
            json.dump(out, pipe)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return json.loads(text)


init_plugin_loader()
json.dump([forked(case) for case in json.load(sys.stdin)], sys.stdout)
