--- A step that an earlier process of the run has ended.

---@param self table the text reporter
---@param e table
return function(self, e)
  self:item("skipping", "step", e.title .. " (done before)", nil, e.depth)
end
