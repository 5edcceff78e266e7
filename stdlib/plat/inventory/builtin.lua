--- The inventory of the sandbox where no repository is at hand. inventory/sandbox is its readable
--- twin; a test keeps them alike.
return [[
platrun:
  sandbox: true
  environment: sandbox
  clusters:
    sandbox:
      kubernetes:
        server: https://kubernetes.sandbox
      namespace: data-platform
  dremio:
    main:
      cluster: sandbox
      url: http://dremio.sandbox:9047
      user: platrun
      password: platrun-sandbox
      statefulset: dremio-executor
      min: 1
      executors:
        tz: Europe/Berlin
        business: {days: mon-fri, from: "07:30", to: "20:00", executors: 6}
        otherwise: 2
]]
