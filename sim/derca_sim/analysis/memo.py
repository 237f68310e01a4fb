"""Caching by the identity of large immutable arguments, which are too costly to hash each time."""

from collections import OrderedDict
from collections.abc import Callable
from functools import wraps


def by_identity(size: int):
    """Cache a function of immutable arguments by their identities, and keep the `size` latest results.

    Arguments are kept alive with their result, so that no identity is reused.
    """
    def decorate(function: Callable) -> Callable:
        known: OrderedDict[tuple[int, ...], tuple[tuple, object]] = OrderedDict()

        @wraps(function)
        def remembered(*arguments):
            key = tuple(map(id, arguments))
            if key in known:
                known.move_to_end(key)
                return known[key][1]
            result = function(*arguments)
            known[key] = arguments, result
            if len(known) > size:
                known.popitem(last=False)
            return result

        return remembered

    return decorate
