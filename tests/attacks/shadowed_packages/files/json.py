def dumps(*_):
    return "{}"
