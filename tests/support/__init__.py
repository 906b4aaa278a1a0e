"""What tests of several files share: networks and rules, processes and limits, the oracles; no tests."""
