--- How each host of a run fared: a line that scripts read, as Ansible prints it.

---@param self table the text reporter
---@param e table
return function(self, e)
  self.hosts_told = true
  if require("plat.out").verbosity() < 0 then
    return
  end
  local width = 0
  for _, row in ipairs(e.hosts) do
    width = math.max(width, #row.host)
  end
  for _, row in ipairs(e.hosts) do
    self:line(
      ("%-" .. width .. "s : ok=%d changed=%d unreachable=%d failed=%d skipped=%d"):format(
        row.host,
        row.ok,
        row.changed,
        row.unreachable,
        row.failed,
        row.skipped
      )
    )
  end
end
