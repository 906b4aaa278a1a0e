"""One training of the table of learning rules; arguments: rule, data, connectivity, seed."""

import json
import sys

from scaling.learning.__main__ import one

if __name__ == "__main__":
    rule, data, connectivity, seed = sys.argv[1:]
    print(json.dumps(one(rule, data, float(connectivity), int(seed))))
