class Norms:
    power = 2

    def __call__(self, X):
        return (X**self.power).sum(dim=1).sqrt()


norms = Norms()
