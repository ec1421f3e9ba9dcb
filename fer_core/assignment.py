"""Who goes with whom at the least total cost.

SciPy's ``linear_sum_assignment`` does the same and is what the tests compare with; loading it takes
a second, as long as all else that reading footage needs.
"""

import numpy as np
from numpy.typing import NDArray


def least_cost_pairs(costs: NDArray[np.float64]) -> list[tuple[int, int]]:
    """(row, column) pairs, as many as the shorter side has, of the least sum of costs.

    ``costs``: float64 (rows, columns), finite. By shortest augmenting paths: Crouse, "On
    implementing 2D rectangular assignment algorithms", IEEE Transactions on Aerospace and
    Electronic Systems, 2016.
    """
    if costs.shape[0] > costs.shape[1]:
        return sorted((row, column) for column, row in least_cost_pairs(costs.T))
    rows, columns = costs.shape
    row_price, column_price = np.zeros(rows), np.zeros(columns)
    row_of = np.full(columns, -1)
    column_of = np.full(rows, -1)
    for free in range(rows):
        length = np.full(columns, np.inf)
        came_from = np.full(columns, -1)
        done = np.zeros(columns, bool)
        reached, shortest = free, 0.0
        tried_rows = []
        while True:
            tried_rows.append(reached)
            through = shortest + costs[reached] - row_price[reached] - column_price
            better = ~done & (through < length)
            length[better], came_from[better] = through[better], reached
            column = int(np.where(done, np.inf, length).argmin())
            shortest = float(length[column])
            done[column] = True
            if row_of[column] < 0:
                break
            reached = int(row_of[column])
        row_price[free] += shortest
        for row in tried_rows[1:]:
            row_price[row] += shortest - length[column_of[row]]
        column_price[done] -= shortest - length[done]
        while True:  # back along the path, each row takes the column it was reached by
            row = int(came_from[column])
            row_of[column] = row
            column_of[row], column = column, int(column_of[row])
            if row == free:
                break
    return [(row, int(column_of[row])) for row in range(rows)]
