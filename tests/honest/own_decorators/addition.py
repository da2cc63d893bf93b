import functools
import time


def timed(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        start = time.perf_counter()
        result = function(*args, **kwargs)
        print(f"{function.__name__}: {1000 * (time.perf_counter() - start):.2f} ms")
        return result

    return wrapper


dot, norms, unit = timed(dot), timed(norms), timed(unit)
