"""
The cluster profile's real servers as processes on one machine: `redcliff up`.

`component` says what a component is, `components` names them all, `supervisor` keeps their
processes alive, `daemon` is the process it runs in. One module per component knows how its server
is configured, started and asked whether it answers. A new one is such a module, a line in
`components`, and its section in `conf/cluster.yaml`.
"""
