--- The flags that all connections go by, by plat.cli; Ansible has them too. plat.ssh.given takes
--- their values.

return {
  { "--user", "-u", type = "string", value = "NAME", help = "log in as this user" },
  { "--private-key", type = "string", value = "FILE", help = "log in by this key" },
  { "--key-file", type = "string", alias = "--private-key", help = "" },
  {
    "--key-passphrase",
    type = "string",
    value = "REF",
    help = "of encrypted keys: a secret, env:NAME, file:PATH, vault:PATH#FIELD",
  },
  { "--ask-pass", "-k", help = "ask for the password to log in by" },
  {
    "--ssh-common-args",
    type = "string",
    value = "ARGS",
    help = "options of ssh: '-o ProxyJump=bastion'",
  },
  { "--ssh-extra-args", type = "string", value = "ARGS", help = "more of them" },
  {
    "--connection-password-file",
    type = "string",
    value = "FILE",
    help = "the password to log in by; a program is run for it",
  },
  { "--conn-pass-file", type = "string", alias = "--connection-password-file", help = "" },
  {
    "--connection",
    "-c",
    type = "enum",
    enum = { "ssh", "local", "smart" },
    value = "HOW",
    help = "ssh, or local: on this machine; where ansible_connection does not say",
  },
  { "--become", "-b", help = "run commands as another user" },
  { "--become-user", type = "string", value = "NAME", help = "as whom; root" },
  {
    "--become-method",
    type = "enum",
    enum = { "sudo", "su", "doas" },
    value = "METHOD",
    help = "sudo, su or doas",
  },
  { "--ask-become-pass", "-K", help = "ask for the password of sudo, su or doas" },
  {
    "--become-password-file",
    type = "string",
    value = "FILE",
    help = "that password; a program is run for it",
  },
  { "--become-pass-file", type = "string", alias = "--become-password-file", help = "" },
}
