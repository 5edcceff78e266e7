--- The connection ends in the middle of an answer, after the server has acted. A stream ends in the
--- middle of a line.

local fault = require("plat.fault")

local function half(text)
  return text:sub(1, (#text + 1) // 2)
end

--- A stream that breaks off in the middle of its next piece.
local function broken(stream)
  local read = 0
  return {
    read = function()
      read = read + 1
      local piece = read == 1 and stream:read()
      if piece then
        return half(piece)
      end
      stream:close()
      return nil,
        { kind = "http", op = "http", msg = "body ended in the middle (simulated)", phase = "http" }
    end,
    close = function()
      stream:close()
    end,
  }
end

return {
  usage = "partial[:TIMES]",
  help = "the server acts, and the connection ends in the middle of its answer",
  args = { { "times", "integer", default = 1 } },
  chance = true,
  after = function(at, _, resp)
    if resp.stream then
      resp.stream = broken(resp.stream)
      return resp
    end
    local body = resp.body or ""
    fault.raise("http", { op = at.req.op, target = at.req.target, object = at.req.object }, {
      code = resp.status,
      msg = ("body ended after %d of %d bytes (simulated)"):format(#half(body), #body),
      sent = true,
      phase = "http",
    })
  end,
}
