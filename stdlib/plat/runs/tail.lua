--- The events of a run as lines of text, while it lives if wanted.

local fault = require("plat.fault")
local files = require("plat.journal.files")
local fs = require("prim.fs")
local json = require("plat.json")
local out = require("plat.out")
local task = require("plat.task")
local tell = require("plat.runs.tell")
local time = require("plat.time")

local M = {}

local EVERY = 0.5 -- seconds between two looks

local LINE = {}

local function took(e)
  return e.seconds and e.seconds >= 0.5 and ("  " .. time.human(e.seconds)) or ""
end

local function word(text)
  return tell.word(text, 10)
end

function LINE.start(e)
  return ("%s %s: %s"):format(word("start"), e.name, e.summary or "")
end

function LINE.guard(e)
  local why = e.reason and (": " .. e.reason) or ""
  return ("%s guard %s%s"):format(word(e.status), e.title, why)
end

function LINE.step_start(e)
  return ("%s %s%s"):format(word("begin"), ("  "):rep(e.depth or 0), e.title)
end

function LINE.step_end(e)
  return ("%s %s%s%s"):format(word(e.status), ("  "):rep(e.depth or 0), e.title, took(e))
end

function LINE.step_skip(e)
  return ("%s %s%s (before)"):format(word("done"), ("  "):rep(e.depth or 0), e.title)
end

function LINE.change(e)
  return ("%s %s"):format(word("change"), e.text)
end

function LINE.outcome(e)
  if e.outcome ~= "done" then
    return ("%s the last change%s"):format(word(e.outcome), e.error and ": " .. e.error or "")
  end
end

function LINE.log(e)
  return ("%s %s"):format(word("log"), e.text)
end

function LINE.progress(e)
  return ("%s %s"):format(word("..."), e.text)
end

function LINE.finish(e)
  local err = type(e.fault) == "table" and (e.fault.text or e.fault.msg)
  local ended = ("%s exit %s%s"):format(word("end"), tostring(e.exit), took(e))
  return err and ("%s: %s"):format(ended, err) or ended
end

--- What a line of the events says to people, nil when it says nothing to them. Pure.
---@param line string JSON
---@return string?
function M.line(line)
  local e = fault.try(json.decode, line)
  if type(e) ~= "table" then
    return word("?") .. " " .. line
  end
  local text
  local make = LINE[e.event]
  if make then
    text = fault.try(make, e)
    if text == nil then
      return nil
    end
  elseif e.title or e.text then
    local status = e.status and (" " .. tostring(e.status)) or ""
    text = ("%s%s: %s"):format(word(tostring(e.event)), status, tostring(e.title or e.text))
  else
    return nil
  end
  return ("%s %s"):format(out.paint("dim", tostring(e.time)), (text:gsub("[\n\r]+", "\n  ")))
end

local function read(path)
  local text, err = fs.read(path, { max = 1 << 30 })
  if text or err.code == 2 then
    return text or ""
  end
  fault.raise_err({ op = "runs tail", object = path }, err)
end

--- Prints the events of a run; with `follow` goes on while a process works on it.
---@async
---@param id string
---@param opts { follow: boolean?, raw: boolean? } raw: the JSON as it is
function M.print(id, opts)
  local path = ("%s/%s/events.jsonl"):format(files.dir(), id)
  local at = 1
  while true do
    local running = opts.follow and files.running(id) -- before reading: nothing comes after it
    local st = fs.stat(path)
    if st and st.size >= at then
      local text = read(path)
      while true do
        local stop = text:find("\n", at, true)
        if not stop then
          break
        end
        local line = text:sub(at, stop - 1)
        local shown = opts.raw and line or M.line(line)
        if shown then
          out.line(shown)
        end
        at = stop + 1
      end
    end
    if not running then
      return
    end
    task.sleep(EVERY)
  end
end

return M
