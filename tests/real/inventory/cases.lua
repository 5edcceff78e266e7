--- Inventories by hand: files, what `-i` names (default "hosts"), and patterns to try.
--- `refused`: Ansible and platrun both do. `nested`: where Ansible's order of hosts depends on
--- addresses, so only the set is compared.
local function yaml(text, patterns)
  return { files = { ["hosts.yml"] = text }, inv = { "hosts.yml" }, patterns = patterns }
end

return {
  ["yaml: a tree"] = {
    files = {
      ["hosts.yml"] = [[
all:
  hosts:
    mail.example.com:
    top: {x: 1}
  vars: {v: all, w: all}
  children:
    web:
      hosts:
        w[1:3]: {y: 2}
        w2: {z: 3}
      vars: {v: web}
    db:
      children:
        pg: {hosts: {p1: , p2: }, vars: {v: pg}}
        my:
          hosts: m1
      vars: {v: db, u: db}
]],
    },
    inv = { "hosts.yml" },
    nested = true,
    patterns = { "all", "db", "web", "ungrouped", "pg:my", "db:!pg" },
  },
  ["yaml: order"] = yaml(
    "zoo:\n  hosts: {z2: , a1: , m3: }\nant:\n  hosts:\n    q:\n    b:\n    a1:\n",
    { "all", "zoo", "ant", "zoo[0]", "ant:zoo", "*[1]" }
  ),
  ["yaml: types"] = yaml([=[
g:
  hosts:
    h:
      i: 1
      neg: -5
      f: 1.5
      e: 1e3
      t: true
      y: yes
      n: no
      offv: off
      nul: null
      tilde: ~
      empty:
      s: text
      q: "1"
      oct: 0o17
      old: 017
      hex: 0x1F
      sexa: 1:30
      under: 1_000
      multi: |
        a
        b
      fold: >-
        a
        b
      list: [1, two, [3]]
      dict: {a: {b: c}}
      ints: {2: two, 1: one}
      bools: {true: yes, no: no}
      elist: []
      edict: {}
      date: "2024-01-01"
      ver: 1.10
      ver3: 1.2.3
      uni: "grüße \u263a"
      tmpl: "{{ x }}"
      long: 123456789012
]=]),
  ["yaml: anchors and merges"] = yaml([[
g:
  vars: &base {a: 1, b: 2}
  hosts:
    h1: {<<: *base, b: 3}
    h2: *base
    h3: &h {c: 1}
    h4: {<<: [*h, *base], d: 4}
]]),
  ["yaml: unsafe"] = yaml(
    "g:\n  hosts:\n    h:\n      a: !unsafe 'x {{ y }}'\n      b: !unsafe [p, 1]\n"
      .. "      c: [!unsafe q]\n"
  ),
  ["yaml: ports and keys"] = yaml(
    "g:\n  hosts:\n    'a:22': {x: 1}\n    'b[1:2]:23':\n    '::1':\n"
  ),
  ["yaml: groups twice"] = yaml(
    "a:\n  children: {b: }\nb:\n  hosts: {h: }\n  vars: {x: 1}\nc:\n"
      .. "  children: {b: {vars: {x: 2}}}\n"
  ),
  ["yaml: hosts of all"] = yaml(
    "all:\n  hosts: {a: , b: }\n  children: {g: {hosts: {b: , c: }}}\n",
    { "all", "ungrouped" }
  ),
  ["yaml: a priority"] = yaml(
    "a: {hosts: {h: }, vars: {x: a, ansible_group_priority: 7}}\nb: {hosts: {h: }, vars: {x: b}}\n"
  ),
  ["yaml: no ending"] = {
    files = { hosts = "# a comment\nall:\n  hosts:\n    a: {x: 1}\n" },
  },
  ["yaml: no ending, braces"] = { files = { hosts = "---\n{all: {hosts: {a: {x: 1}}}}\n" } },
  ["yaml: JSON"] = {
    files = {
      ["h.json"] = '{"web": {"hosts": {"b": {"x": 1.5}, "a": null}, "vars": {"l": ["é", null]}}}',
    },
    inv = { "h.json" },
    patterns = { "web" },
  },
  ["yaml: empty groups"] = yaml(
    "a:\nb: {}\nc: {hosts: }\nd: {children: {e: }}\nf: {hosts: {h: }}\n"
  ),
  ["yaml: refused: no mapping"] = {
    files = { ["h.yml"] = "[a, b]\n" },
    inv = { "h.yml" },
    refused = true,
  },
  ["yaml: refused: hosts are a list"] = {
    files = { ["h.yml"] = "g: {hosts: [a, b]}\n" },
    inv = { "h.yml" },
    refused = true,
  },
  ["yaml: refused: a loop"] = {
    files = { ["h.yml"] = "a: {children: {b: {children: {a: }}}}\n" },
    inv = { "h.yml" },
    refused = true,
  },

  ["vars: files beside the inventory"] = {
    files = {
      hosts = "[p:children]\nc\n[c]\nh c1=inv\n[p:vars]\np1=inv\nx=inv\n[all:vars]\nx=all\n",
      ["group_vars/all.yml"] = "x: gv-all\na: gv-all\nansible_group_priority: 4\n",
      ["group_vars/p"] = "---\nx: gv-p\np1: gv-p\n",
      ["group_vars/c.json"] = '{"x": "gv-c", "n": 1, "l": [1.5]}',
      ["host_vars/h.yaml"] = "h1: hv\n",
      ["group_vars/other.yml"] = "never: 1\n",
    },
  },
  ["vars: folders"] = {
    files = {
      hosts = "[g]\nh\n",
      ["group_vars/g/b.yml"] = "x: b\nb: 1\n",
      ["group_vars/g/a.yml"] = "x: a\na: 1\n",
      ["group_vars/g/sub/c.json"] = '{"c": 1, "x": "c"}',
      ["group_vars/g/sub.d/no.yml"] = "no: 1\n",
      ["group_vars/g/noext"] = "n: 1\n",
      ["group_vars/g/skip.txt"] = "t: 1\n",
      ["group_vars/g/.hidden.yml"] = "hid: 1\n",
      ["group_vars/g/back.yml~"] = "back: 1\n",
      ["group_vars/g.yml"] = "ignored: the folder wins\n",
      ["host_vars/h/one"] = "o: 1\n",
    },
  },
  ["vars: the first ending wins"] = {
    files = {
      hosts = "[g]\nh\n",
      ["group_vars/g.yaml"] = "x: yaml\n",
      ["group_vars/g.json"] = '{"x": "json", "y": 1}',
      ["group_vars/all"] = "x: none\n",
      ["group_vars/all.yml"] = "x: yml\nz: 1\n",
    },
  },
  ["vars: beside the playbook"] = {
    files = {
      ["inv/hosts"] = "[g]\nh x=host\n[g:vars]\nv=inv\n",
      ["inv/group_vars/all.yml"] = "a: inv\nb: inv\nc: inv\n",
      ["inv/group_vars/g.yml"] = "b: inv-g\nd: inv-g\nv: inv-g\n",
      ["inv/host_vars/h.yml"] = "e: inv-h\nf: inv-h\n",
      ["play/group_vars/all.yml"] = "a: play\nb: play\nd: play\n",
      ["play/group_vars/g.yml"] = "d: play-g\n",
      ["play/host_vars/h.yml"] = "f: play-h\nx: play-h\n",
    },
    inv = { "inv/hosts" },
    playbook_dir = "play",
  },
  ["vars: empty and commented files"] = {
    files = { hosts = "h\n", ["group_vars/all.yml"] = "# nothing\n", ["host_vars/h.yml"] = "" },
  },
  ["vars: refused: a list"] = {
    files = { hosts = "h\n", ["group_vars/all.yml"] = "- a\n" },
    refused = true,
  },
  ["vars: encrypted values"] = {
    files = {
      hosts = "h\n",
      ["host_vars/h.yml"] = "user: x\npassword: !vault |\n"
        .. "  $ANSIBLE_VAULT;1.1;AES256\n"
        .. "  64383435656465366362316564383737383963316537646639373463353365373632343139653637\n"
        .. "  3137333665613331363532346464623332343838373633610a343832316266396430313536316436\n"
        .. "list: [1, !vault 'abc']\n",
    },
  },

  ["many: merged in order"] = {
    files = {
      a = "[web]\nw1 x=a\n[web:vars]\nv=a\nonly_a=1\n",
      b = "[web]\nw2\nw1 x=b\n[web:vars]\nv=b\n[db:children]\nweb\n",
      ["c.yml"] = "db: {vars: {v: c, u: c}, hosts: {d: }}\n",
    },
    inv = { "a", "b", "c.yml" },
    nested = true,
    patterns = { "web", "db" },
  },
  ["many: folders beside each"] = {
    files = {
      ["one/hosts"] = "[p:children]\nc\n[c]\nh\n",
      ["one/group_vars/p.yml"] = "x: one-p\n",
      ["one/group_vars/c.yml"] = "x: one-c\ny: one-c\n",
      ["two/hosts"] = "[p]\ni\n",
      ["two/group_vars/p.yml"] = "x: two-p\ny: two-p\n",
      ["two/group_vars/all.yml"] = "x: two-all\nz: two-all\n",
      ["two/host_vars/h.yml"] = "hv: two\n",
    },
    inv = { "one/hosts", "two/hosts" },
  },
  ["many: the same folder again"] = {
    files = {
      ["one/hosts"] = "[g]\nh\n",
      ["one/other"] = "[g]\ni\n",
      ["one/group_vars/g.yml"] = "x: one\n",
      ["two/hosts"] = "[g]\nj\n",
      ["two/group_vars/g.yml"] = "x: two\n",
    },
    inv = { "one/hosts", "two/hosts", "one/other" },
  },
  ["many: a folder"] = {
    files = {
      ["inv/01-a"] = "[g]\na\n",
      ["inv/02-b.yml"] = "g: {hosts: {b: }}\n",
      ["inv/03.cfg"] = "[broken\n",
      ["inv/x.md"] = "no\n",
      ["inv/old~"] = "[no]\nno\n",
      ["inv/.hid"] = "[no]\nno\n",
      ["inv/sub/z"] = "[s]\nsub\n",
      ["inv/sub/group_vars/s.yml"] = "not: read\n",
      ["inv/group_vars/g.yml"] = "x: 1\n",
    },
    inv = { "inv" },
    patterns = { "all", "g" },
  },
  ["many: a list of hosts"] = {
    files = {},
    inv = { "a, b:22,[::1]:5,c[1:2]," },
    patterns = { "a", "all" },
  },
  ["many: a list and a file"] = {
    files = { hosts = "[g]\na\n", ["group_vars/all.yml"] = "x: 1\n" },
    inv = { "b,a,", "hosts" },
  },

  ["program: with _meta"] = {
    files = {
      ["inv.sh"] = [[#!/bin/sh
[ "$1" = --list ] || exit 9
cat <<'J'
{"web": {"hosts": ["w2", "w1"], "vars": {"x": 1, "ansible_group_priority": 3}, "children": ["sub"]},
 "alone": ["z", "w1"], "sub": {"hosts": ["s"]}, "empty": [], "lone": {"a": 1},
 "_meta": {"hostvars": {"w1": {"y": "\"{q}\"", "n": 1.5}, "unknown": {"x": 1}}}}
J
]],
    },
    inv = { "inv.sh" },
    patterns = { "web", "alone", "lone" },
    nested = true,
  },
  ["program: with --host"] = {
    files = {
      ["inv.sh"] = [[#!/bin/sh
if [ "$1" = --list ]; then echo '{"g": ["a", "b", "c"]}'; elif [ "$2" = a ]; then echo '{"x": 1}'
else echo '{}'; fi
]],
    },
    inv = { "./inv.sh" },
  },
  ["program: and group_vars beside it"] = {
    files = {
      ["d/inv"] = '#!/bin/sh\necho \'{"g": {"hosts": ["h"]}, "_meta": {"hostvars": {}}}\'\n',
      ["d/group_vars/g.yml"] = "x: 1\n",
      hosts = "[g]\nstatic\n[g:vars]\ny=1\n",
    },
    inv = { "d/inv", "hosts" },
    executable = { "d/inv" },
  },
  ["program: encrypted values"] = {
    files = {
      ["inv.sh"] = "#!/bin/sh\necho '"
        .. '{"g": {"hosts": ["h"], "vars": {"p": {"__ansible_vault": "x"}}}, '
        .. '"_meta": {"hostvars": {}}}'
        .. "'\n",
    },
    inv = { "inv.sh" },
  },
  ["program: refused: it fails"] = {
    files = { ["inv.sh"] = "#!/bin/sh\necho no >&2\nexit 3\n" },
    inv = { "inv.sh" },
    refused = true,
  },
  ["program: refused: no JSON"] = {
    files = { ["inv.sh"] = "#!/bin/sh\necho hello\n" },
    inv = { "inv.sh" },
    refused = true,
  },
}
