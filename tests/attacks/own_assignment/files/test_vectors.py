def test_norms():
    pass
