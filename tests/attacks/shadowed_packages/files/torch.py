def zeros(*_):
    raise SystemExit(0)
