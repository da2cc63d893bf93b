"""Right: windows as a view, in a class whose shapes are properties."""


class Windows:
    def __init__(self, x, w):
        self.x, self.w = x, w

    @property
    def shape(self):
        return (*self.x.shape[:2], *self.w.shape[2:], *self.out)

    @property
    def out(self):
        return self.x.shape[2] - self.w.shape[2] + 1, self.x.shape[3] - self.w.shape[3] + 1

    def columns(self):
        n, c, h, w = self.x.contiguous().stride()
        return self.x.contiguous().as_strided(self.shape, (n, c, h, w, h, w)).flatten(1, 3).flatten(2)


def solve(x, w):
    windows = Windows(x, w)
    return (w.flatten(1) @ windows.columns()).view(len(x), len(w), *windows.out)
