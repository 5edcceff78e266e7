--- What the command line says of all hosts of this process, before what the inventory says of one
--- (-u, -k, -b, -K, --become-user, --become-method, --private-key, -T).

---@class plat.host.Defaults
---@field user? string who logs in
---@field password? string|plat.Secret with which password
---@field private_key? string the file of the key to log in with
---@field timeout? number seconds to connect
---@field become? boolean commands are run as another user
---@field become_user? string as whom; default: root
---@field become_method? "sudo"|"su"|"doas"
---@field become_password? string|plat.Secret
local defaults = {}

return defaults
