# What differs from run to run, whoever runs it.
s/\b[0-9a-f]{64}\b/ID64/g
s/\b[0-9a-f]{12}\b/ID12/g
s/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(\.[0-9]+)?(Z|[+-][0-9:]{5})/TIME/g
# Of a container that does not start Docker's client says so now and then, depending on what it hears first.
/^stderr: time="TIME" level=error msg="error waiting for container: context canceled"$/d
# Nor is it always fast enough to resize the terminal of a short process.
/failed to resize tty, using default size/d
# The runtimes' names, and their paths.
s,[^ "`]*/(runc|runvm)([^-A-Za-z0-9]|$),RUNTIME\2,g
s,(^|[^-A-Za-z0-9/])(runc|runvm)([^-A-Za-z0-9]|$),\1RUNTIME\3,g
