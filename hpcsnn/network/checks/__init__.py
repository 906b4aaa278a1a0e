"""Whether what a user declares fits together."""

from hpcsnn.network.checks.declared import check_given, check_name, check_projection, checked_initial, parsed_weight

__all__ = ["check_given", "check_name", "check_projection", "checked_initial", "parsed_weight"]
