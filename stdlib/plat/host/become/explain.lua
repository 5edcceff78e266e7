--- What sudo, su and doas say when they do not do it, and what to do then. Pure.

local M = {}

local function has(said, ...)
  for _, pattern in ipairs({ ... }) do
    if said:find(pattern) then
      return true
    end
  end
  return false
end

--- Returns whether it insists on a terminal (requiretty).
---@param said string
---@return boolean
function M.wants_tty(said)
  return has(
    said,
    "must have a tty",
    "must be run from a terminal",
    "no tty present and no askpass"
  )
end

--- Returns whether it asks for a password and got none.
---@param method string
---@param said string
---@return boolean
function M.wants_password(method, said)
  if method == "sudo" then
    return has(said, "password is required", "no password was provided", "terminal is required")
  elseif method == "doas" then
    return has(said, "Authentication required", "a tty is required", "Authorization required")
  end
  return has(said, "[Pp]assword:", "Authentication", "incorrect password")
end

local NOT_ALLOWED = {
  "not in the sudoers",
  "may not run sudo",
  "is not allowed to",
  "not allowed to execute",
  "Operation not permitted",
  "Permission denied",
  "permission denied",
}

local NO_USER = { "unknown user", "does not exist", "no passwd entry", "invalid user" }

local NOT_SETUID = {
  "effective uid is not 0",
  "must be setuid",
  "must be suid",
  "no new privileges",
  "not installed setuid",
}

local WRONG = {
  "incorrect password",
  "try again",
  "Authentication failure",
  "Authentication failed",
  "Maximum number of tries",
}

local function last_line(said)
  return said:match("([^\r\n]+)[\r\n]*$") or "it said nothing"
end

--- Returns the fields of a fault for a wrong password.
---@param become plat.host.Become
---@return table
function M.wrong(become)
  return {
    kind = "auth",
    msg = ("the password for %s is wrong; it was tried once"):format(become.method),
    hint = "-K asks for it; ansible_become_password in the inventory",
  }
end

--- Returns the fields of a fault for what was said.
---@param become plat.host.Become
---@param said string
---@param out { code: integer, signal: string? }
---@param with_password boolean a password was given
---@return table
function M.fault(become, said, out, with_password)
  local method, user = become.method, become.user
  local err = { kind = "refused", detail = { last_line(said) } }
  if out.code == 127 or has(said, "not found", "No such file or directory") then
    err.msg = ("there is no %s"):format(become.exe)
    err.hint = "another become_method: sudo, su, doas"
    err.detail = nil
  elseif has(said, table.unpack(NO_USER)) then
    err.msg = ("there is no user %s"):format(user)
  elseif has(said, table.unpack(NOT_SETUID)) then
    err.msg = ("%s has no right to change the user"):format(method)
  elseif has(said, table.unpack(NOT_ALLOWED)) then
    err.msg = ("who logs in may not become %s by %s"):format(user, method)
  elseif M.wants_tty(said) then
    err.msg = ("%s insists on a terminal"):format(method)
  elseif with_password and has(said, table.unpack(WRONG)) then
    return M.wrong(become)
  elseif not with_password and M.wants_password(method, said) then
    err.kind, err.detail = "auth", nil
    err.msg = ("%s asks for a password, and none is known"):format(method)
    err.hint = "-K asks for it; ansible_become_password in the inventory"
  else
    err.msg = ("%s did not become %s: %s"):format(method, user, last_line(said))
    err.detail = nil
  end
  return err
end

return M
