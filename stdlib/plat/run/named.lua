--- Types of records that have a name, of which the newest one counts.
return { keep = true, guard = true, request = true, approval = true, lock = true }
