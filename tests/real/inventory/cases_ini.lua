--- INI inventories by hand: see cases.lua.
local function ini(text, patterns)
  return { files = { hosts = text }, patterns = patterns }
end

return {
  ["ini: hosts without a group"] = ini("a\nb\nc x=1\n", { "all", "ungrouped", "a", "a:b", "b,a" }),
  ["ini: groups"] = ini("z\n[web]\nw2\nw1\n[db]\nd1\nw1\n", { "web", "db", "web:db", "db:web" }),
  ["ini: an empty group"] = ini("[web]\n[db]\nd\n", { "web", "db", "all" }),
  ["ini: comments"] = ini(
    "# a\n; b\n  # c\na # d\nb x=1 # e\nc x=a#b\nd x='a#b'\n[web] # f\nw #g\n"
      .. "[web:vars]\n# h\nx=1 # i\ny=a # j\nz = # k\n"
  ),
  ["ini: numeric ranges"] = ini(
    "[a]\na[1:3]\n[b]\nb[01:12]\n[c]\nc[1:9:2]\n[d]\nd[001:003]x[1:2]\n[e]\n[1:3]e\n"
  ),
  ["ini: letters"] = ini("a[a:d]\nb[a:g:3]\nc[A:C]\nd[y:B]\n"),
  ["ini: a range from nothing"] = ini("a[:3]\n"),
  ["ini: ranges with ports"] = ini("a[1:2]:2222 x=1\nb[1:2].c:22\n"),
  ["ini: ports"] = ini(
    "a:22\n1.2.3.4:2200\n[::1]:2201\n::2\nfe80::1\nb-:22\n[c]:5\na:23\nd:1 ansible_port=2\n"
  ),
  ["ini: bare addresses"] = ini("2001:db8::[1:3]\n10.0.0.[1:2]\n[2001:db8::9]:22\n"),
  ["ini: words and quotes"] = ini(
    [[a x='a b' y="c d" z=e\ f u="\"q\"" v='it''s' w="a\b" p=a"b"c q='' r="1" s='"1"' t="'1'"]]
      .. "\n"
  ),
  ["ini: values of hosts"] = ini([[a i=1 f=1.5 neg=-3 t=True fl=False n=None
b tr=true yes=yes z=007 h=0x10 o=0o17 b=0b11 u=1_000 e=1e3
c l="[1, 'a']" d="{'a': 1, 'b': [2]}" tup=1,2 ip=1.2.3.4
d v=1.2 eq=a=b plus=+5 exp=1.5e-3]] .. "\n"),
  ["ini: values of groups"] = ini([=[
a
[ungrouped:vars]
i = 1
f=  2.50
s = some text here
q = "quoted text"
q2 = 'single'
mixed = "a" b
list = [1, 2, 'three', [4, None], True]
dict = {'a': {'b': 1}, 'b': []}
ints = {2: 'x', 1: 'y', 1.5: 0}
wordkey = {None: 'z'}
tuple = (1, 'two')
one = (1)
onetuple = (1,)
bare = 80, 443
trailing = 1,
words = a, b
concat = 'a' 'b'
raw = r'a\nb'
uni = u'x'
bytes = b'x'
esc = 'a\tb\x41\u00e4\101\q'
empty =
emptyq = ''
none = None
nothing = null
true = true
octal = 0o17
zeros = 000
date = 2024-01-01
time = 12:30
path = /a/b
hash = {'a': 1,}
broken = {'a': 1
tmpl = {{ something }}
tmpl2 = "{{ a }}-{{ b }}"
comment = 5 # five
comment2 = five # five
semi = 5 ; x
neg = - 5
neg2 = --5
sum = 1+2
big = 9007199254740993
under = 1__0
dot = .5
dot2 = 5.
inf = inf
triple = """a"b"""
spaces = a   b
equals = a=b=c
]=]),
  ["ini: names of variables"] = ini("a x.y=1 x-y=2 é=3\n[ungrouped:vars]\na b = 1\n"),
  ["ini: children"] = {
    files = {
      hosts = "[a]\n1\n[b]\n2\n[c:children]\na\nb\n[d:children]\nc\n[d:vars]\nx=1\n[a:vars]\nx=2\n",
    },
    patterns = { "c", "d", "all", "c:!a", "a:&c" },
    nested = true,
  },
  ["ini: children that come later"] = {
    files = {
      hosts = "[top:children]\nmid\n[mid:children]\nlow\nother\n[other]\no\n[low]\nl\n"
        .. "[top:vars]\nx=1\n",
    },
    patterns = { "top", "mid" },
    nested = true,
  },
  ["ini: a group of variables first"] = ini("[web:vars]\nx=1\n[web]\nw\n"),
  ["ini: sections twice"] = ini(
    "[web]\na\n[db]\nb\n[web]\nc\n[web:vars]\nx=1\n[web:vars]\nx=2\ny=1\n"
  ),
  ["ini: a host in many groups"] = ini("[b]\nh x=1\n[a]\nh y=2\n[b:vars]\nv=b\n[a:vars]\nv=a\n"),
  ["ini: a host declared again"] = ini("h x=1 y=1\nh x=2\n[g]\nh z=3\n"),
  ["ini: the group all"] = ini("a\n[all:vars]\nx=1\ny=1\n[g]\nb\n[g:vars]\nx=2\n"),
  ["ini: ungrouped by name"] = ini("[ungrouped]\na\nb\n[g]\nb\n"),
  ["ini: hosts of all"] = ini("[all]\na\nb\n[g]\nb\n", { "all", "ungrouped", "g" }),
  ["ini: odd names of groups"] = ini(
    "[a-b]\nx\n[c.d]\ny\n[1]\nz\n[a-b:vars]\nq=1\n",
    { "a-b", "c.d", "1" }
  ),
  ["ini: blanks and line ends"] = ini("  a  \n\tb x=1\t\n\n  [g]  \n\tc\n \t \n"),
  ["ini: refused: a blank in a section"] = { files = { hosts = "[ g]\nc\n" }, refused = true },
  ["ini: line ends of Windows"] = ini("a x=1\r\n[g]\r\nb\r\n[g:vars]\r\ny = z\r\n"),
  ["ini: priorities"] = ini(
    "[a]\nh\n[b]\nh\n[c]\nh\n[a:vars]\nx=a\nansible_group_priority=10\n[b:vars]\nx=b\n"
      .. "[c:vars]\nx=c\nansible_group_priority=5\n"
  ),
  ["ini: depth before priority"] = ini(
    "[p]\nh\n[p:vars]\nx=p\nansible_group_priority=99\n[c]\nh\n[q:children]\nc\n[c:vars]\nx=c\n"
  ),
  ["ini: a priority at a host"] = ini("h ansible_group_priority=3 x=1\n"),
  ["ini: internal names"] = ini("h groups=1 inventory_hostname=x role_name=y omit=z omitted=1\n"),
  ["ini: diamond"] = {
    files = {
      hosts = "[low]\nh\n[l:children]\nlow\n[r:children]\nlow\n[t:children]\nl\nr\n"
        .. "[l:vars]\nx=l\n[r:vars]\nx=r\n[t:vars]\nx=t\ny=t\n",
    },
    nested = true,
    patterns = { "t", "l:&r" },
  },
  ["ini: connection variables"] = ini(
    "h ansible_host=10.0.0.1 ansible_port=22 ansible_user=root ansible_connection=ssh "
      .. "ansible_become=true "
      .. "ansible_ssh_common_args='-o ProxyCommand=\"ssh -W %h:%p j\"' "
      .. "ansible_python_interpreter=/usr/bin/python3\n"
  ),
  ["ini: refused: a loop"] = {
    files = { hosts = "[a:children]\nb\n[b:children]\na\n" },
    refused = true,
  },
  ["ini: refused: a child that is not there"] = {
    files = { hosts = "[a:children]\nb\n" },
    refused = true,
  },
  ["ini: refused: variables of no group"] = {
    files = { hosts = "[a:vars]\nb=1\n" },
    refused = true,
  },
  ["ini: refused: no value"] = { files = { hosts = "a b\n" }, refused = true },
  ["ini: refused: an open quote"] = { files = { hosts = "a b='c\n" }, refused = true },
  ["ini: refused: a section of a kind"] = { files = { hosts = "[a:kids]\nb\n" }, refused = true },
  ["ini: refused: a bad range"] = { files = { hosts = "[g]\na[1-3]\n" }, refused = true },
  ["ini: refused: ends of two lengths"] = {
    files = { hosts = "[g]\na[01:100]\n" .. "" },
    refused = true,
  },
  ["ini: refused: a port that is missing"] = { files = { hosts = "[g]\na:\n" }, refused = true },
}
