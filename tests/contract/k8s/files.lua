--- The files of cases, in the order in which they run.
return {
  "objects",
  "leases",
  "errors",
  "patches",
  "apply",
  "lists",
  "watch",
  "workloads",
  "pods",
  "cronjobs",
  "nodes",
  "discovery",
}
