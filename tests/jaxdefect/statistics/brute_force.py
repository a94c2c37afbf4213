"""Centres by trying all."""

import scipy.spatial.distance as distances


def greedy(vectors, count):
    taken = [0]
    while len(taken) < count:
        taken.append(int(distances.cdist(vectors, vectors[taken]).min(1).argmax()))
    return taken
