--- Envelopes of Ansible Vault: damaged ones are told, the whole one is opened.
local vault = require("plat.ansible_vault")

--- What `encrypt_string` made of "hunter-two" with the password "sesame".
local WHOLE = [[
$ANSIBLE_VAULT;1.1;AES256
64383435656465366362316564383737383963316537646639373463353365373632343139653637
3137333665613331363532346464623332343838373633610a343832316266396430313536316436
63373464393533306362333236356431666433336436613863333761633662643365623930646461
3264316235363030390a653435306433633064376139306234353737373666303262623735656361
3462
]]

return {
  name = "vault",
  kinds = { parse = true, auth = true },
  where = "^the vault text: ",
  tokens = { "$ANSIBLE_VAULT", ";", "1.1", "1.2", "AES256", "0a", "30", "g", "\r\n" },
  corpus = {
    WHOLE,
    (WHOLE:gsub("1.1;AES256", "1.2;AES256;dev")),
    "$ANSIBLE_VAULT;1.1;AES256\n",
    "$ANSIBLE_VAULT;1.1;AES256\n30300a30300a3030\n",
  },
  check = function(text)
    vault.label(text)
    local plain = vault.decrypt(text, "sesame")
    assert(plain == "hunter-two", "another text came out")
  end,
}
