--- A step that an earlier process of the run has ended.

---@param self table the text reporter
---@param e table
return function(self, e)
  local title = (e.host and e.host .. ": " or "") .. e.title
  self:item("skipping", "step", title .. " (done before)", nil, e.depth, e.host)
end
