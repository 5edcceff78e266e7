--- Images, or images of pods, of a prefix cannot be had.

return {
  usage = "image-pull[:PREFIX]",
  help = "images (of pods) with this prefix cannot be had; default: all",
  args = { { "prefix", "string", default = "" } },
  world = function(world, args)
    world:model("kubernetes"):fault("image-pull", args)
  end,
}
