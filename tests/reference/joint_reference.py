"""The joint statement of all metrics written a second time: every difference, every flip, one by one."""

import itertools
import math

from tests.reference.measurements_reference import max_t, mean


def joint_order(table, *, higher, level=0.95):
    """Certain order by (metric, first, second): 1 where the first is closer, −1 where further, else 0.

    Args:
        table: Values by image, transform and metric.
        higher: For each metric, whether higher is closer.
    """
    transforms, metrics = range(len(table[0])), range(len(table[0][0]))
    keys, columns = [], []
    for metric in metrics:
        rows = [[image[one][metric] for one in transforms] for image in table]
        for first, second in itertools.combinations(transforms, 2):
            keys.append((metric, first, second))
            # An image without one of the metric's values tells nothing: no flip moves a difference of 0.
            columns.append([0.0 if any(map(math.isnan, row)) else row[first] - row[second] for row in rows])
    adjusted = max_t(columns, list(itertools.product((-1, 1), repeat=len(table))))
    found = {}
    for (metric, first, second), p, column in zip(keys, adjusted, columns, strict=True):
        way = int(math.copysign(1, mean(column))) * (1 if higher[metric] else -1)
        found[metric, first, second] = way if p <= 1 - level else 0
    return found
