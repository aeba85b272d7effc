"""The split of a variance written a second time: value by value, with each image left out in turn."""

import math

from scipy.stats import t as student


def mean(values):
    return math.fsum(values) / len(values)


def mean_squares(images):
    """Mean squares between and within, and the corrected number of draws; `images` are lists of draws."""
    values = [value for draws in images for value in draws]
    grand = mean(values)
    between = math.fsum((mean(draws) - grand) ** 2 for draws in images for _ in draws) / (len(images) - 1)
    within = math.fsum((value - mean(draws)) ** 2 for draws in images for value in draws)
    within /= len(values) - len(images)
    squares = math.fsum(len(draws) ** 2 for draws in images)
    return between, within, (len(values) - squares / len(values)) / (len(images) - 1)


def split(images):
    """Deviation of images, deviation of draws, share of draws."""
    between, within, per = mean_squares(images)
    variance = max(0.0, (between - within) / per)
    return math.sqrt(variance), math.sqrt(within), within / (variance + within)


def share_interval(images, *, level=0.95):
    """Ends of the share of draws: Student's interval of log F over images left out, carried over."""

    def log_ratio(kept):
        between, within, _ = mean_squares(kept)
        return math.log(between / within)

    n, per = len(images), mean_squares(images)[2]
    without = [log_ratio(images[:at] + images[at + 1 :]) for at in range(n)]
    error = math.sqrt((n - 1) / n * math.fsum((one - mean(without)) ** 2 for one in without))
    far = float(student.ppf((1 + level) / 2, n - 1)) * error
    ends = []
    for end in (log_ratio(images) + far, log_ratio(images) - far):
        correlation = max(0.0, (math.exp(end) - 1) / (math.exp(end) - 1 + per))
        ends.append(1 - correlation)
    return ends
