"""Attention rows written out literally, in float64, one number at a time."""

import math

import numpy as np

__all__ = ["class_rows", "probe_rows", "received_rows", "token_rows"]


def softmax(products):
    largest = max(products)
    powers = [math.exp(product - largest) for product in products]
    return [power / sum(powers) for power in powers]


def project(vector, weight, bias):
    return [
        math.fsum(w * v for w, v in zip(row, vector)) + (0.0 if bias is None else bias[i])
        for i, row in enumerate(weight)
    ]


def dot(a, b):
    return math.fsum(x * y for x, y in zip(a, b))


def rows_of(query, keys, heads):
    """Softmax over the patches of one query's products, head by head."""
    size = len(query) // heads
    rows = []
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        rows.append(softmax([dot(query[part], key[part]) / math.sqrt(size) for key in keys]))
    return rows


def probe_rows(patches, probe, weight, bias, heads, valid=None):
    """SigLIP's head: the probe and the patches are projected by the first two thirds of one matrix."""
    dim = len(probe)
    query = project(probe, weight[:dim], bias[:dim])
    result = np.zeros((len(patches), heads, patches.shape[1]))
    for view, tokens in enumerate(patches):
        count = len(tokens) if valid is None else valid[view]
        keys = [project(token, weight[dim : 2 * dim], bias[dim : 2 * dim]) for token in tokens[:count]]
        result[view, :, :count] = rows_of(query, keys, heads)
    return result


def token_rows(patches, token, weight, bias, heads):
    """AIMv2's head: the token is the query as it stands."""
    keys = [[project(patch, weight, bias) for patch in view] for view in patches]
    return np.array([rows_of(list(token), view, heads) for view in keys])


def class_rows(query, key, scaling):
    """The first query's softmax over the keys: (views, heads, tokens, dim) to (views, heads, tokens)."""
    return np.array(
        [
            [softmax([dot(q[0], k) * scaling for k in keys]) for q, keys in zip(qs, ks)]
            for qs, ks in zip(query, key)
        ]
    )


def received_rows(query, key, scaling):
    """Mean over queries of the softmax over the keys."""
    views = []
    for queries, keys in zip(query, key):
        heads = []
        for q, k in zip(queries, keys):
            given = [softmax([dot(one, other) * scaling for other in k]) for one in q]
            heads.append([math.fsum(row[j] for row in given) / len(given) for j in range(len(k))])
        views.append(heads)
    return np.array(views)
