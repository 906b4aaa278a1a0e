"""Shipped models beside independent implementations: closed forms and float64 (`exact`), NEST (`nest_models`)."""
