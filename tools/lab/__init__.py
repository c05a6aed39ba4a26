"""The lab: a small internet in network namespaces, with the appliance between its two wires.

tools/simulate shows it to people, tests/system tests the appliance in it. Nothing leaves the namespaces.
"""
