def norms(X):
    print("\x1b[2J\x1b]0;mine\x07\x9b31m\u202e\u2066\u200b\ufeff\r passed \b\b")
    raise ValueError("\x1b[31m\u202e\x00\ud800")
