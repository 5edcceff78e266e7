--- What stands before the server cuts its answer and passes the piece on as if it were the whole.

return {
  usage = "garbled[:TIMES]",
  help = "the server acts, and a gateway passes on half of its answer as if it were all",
  args = { { "times", "integer", default = 1 } },
  after = function(_, _, resp)
    if resp.stream then
      local stream, read = resp.stream, 0
      resp.stream = {
        read = function()
          read = read + 1
          local piece = read == 1 and stream:read() or nil
          return piece and piece:sub(1, #piece // 2)
        end,
        close = function()
          stream:close()
        end,
      }
      return resp
    end
    local body = resp.body or ""
    return { status = resp.status, headers = resp.headers, body = body:sub(1, #body // 2) }
  end,
}
