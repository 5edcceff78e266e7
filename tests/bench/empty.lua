--- Does nothing: what a run costs before its first statement.
return {
  summary = "Do nothing",
  risk = "safe",
  args = {},
  run = function() end,
}
