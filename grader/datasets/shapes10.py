NAME = "shapes10"
VERSION = "1"


def make():
    raise NotImplementedError
