class Line:
    def __init__(self):
        self._points = None

    def fit(self, x, y):
        self._points = (x, y)
        return self

    @property
    def slope(self):
        x, y = self._points
        return dot(centred(x), centred(y)) / dot(centred(x), centred(x))

    @property
    def offset(self):
        x, y = self._points
        return y.mean() - self.slope * x.mean()

    def predict(self, x):
        return self.slope * x + self.offset
