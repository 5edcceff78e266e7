--- What must be known of a real server, and the case that shows it. A claim without its case fails
--- the suite.
return {
  { "aggregated discovery is served", "aggregated discovery" },
  { "OpenAPI v3 is served", "OpenAPI v3 says which requests take fieldValidation" },
  {
    "strict validation of an unknown field is 400",
    "fieldValidation: strict refuses, warn warns, ignore is silent",
  },
  { "policy/v1 and autoscaling/v2 are there", "groups and resources" },
  {
    "the 429 of an eviction says which budget blocks",
    "a budget counts, and an eviction that it forbids is 429",
  },
  {
    "an old continue token goes on at its version",
    "pages go on where the last one ended, at the same version",
  },
  { "an unknown field in an apply is a 500 without reason", "what an apply refuses" },
  {
    "apply: 201 on create, 200 after, unchanged keeps the version",
    "an apply creates with 201, and again 200 with the same version",
  },
  { "apply: a JSON body is fine, +json is 415", "405 and 415" },
  { "apply: without a field manager 422", "what an apply refuses" },
  { "force on another patch is 422", "force belongs to apply" },
  { "managedFields set, or a wrong name, is 400", "what an apply refuses" },
  {
    "a conflict has causes with manager and field",
    "a conflict names manager and field, force takes the field",
  },
  { "a stale version is a 409 without such causes", "a stale update is a conflict" },
  { "AlreadyExists is the third 409", "409 for a name that is taken" },
  { "service ports without protocol", "a service may be applied without protocol" },
  { "scale: get, put and patch", "a scale is read, put and patched" },
  {
    "put of a scale with a stale version is 409, without one 200",
    "a scale is read, put and patched",
  },
  { "watch: events are lines of JSON", "changes come as ADDED, MODIFIED and DELETED" },
  { "a bookmark carries only a version", "a bookmark carries only a version" },
  {
    "too old is 200 and an ERROR event of code 410",
    "a version that is too old is 200 and an ERROR event of code 410",
  },
  { "a list of a future version is 504 with Retry-After", "a version of the future times out" },
  { "a watch of a future version is silent", "a version of the future is silent" },
  {
    "errors are Status, but an unknown path is text",
    "404 for objects, namespaces, resources and paths",
  },
  { "401 for a bad token, 403 by RBAC", "401 for a bad token, 403 without rights" },
  { "413 over 3 MiB closes the connection", "413 over 3 MiB" },
  { "422 has causes", "422 with every cause" },
  { "deprecated APIs send a Warning", "the columns of every kind" },
  { "a dry run stores nothing", "a dry run stores nothing" },
  { "tables for lists and objects", "a table of pods" },
  { "metadata alone, for lists and objects", "metadata alone" },
  { "tables and metadata in watches", "a watch of metadata, and of tables" },
  { "logs: a pod of several containers needs container=", "logs that cannot be had" },
  {
    "a stateful set shrinks from its highest ordinal",
    "a stateful set shrinks from its highest ordinal and keeps the claims",
  },
  {
    "an autoscaler owns the number of its target",
    "an autoscaler holds its target between its bounds",
  },
  { "only some fields of a stateful set change", "422 for what never changes" },
  {
    "times of a lease have six digits",
    "a lease may be nearly empty; its times have microseconds",
  },
  {
    "an update of a deleted lease makes a new one, unless it names the uid",
    "a lease is deleted as it was read, or not at all",
  },
  {
    "a lease changes hands by its version",
    "a lease is renewed, changes hands and is given back by its version",
  },
}
