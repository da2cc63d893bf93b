def dumps(*_):
    return '{}'
