print("training ...")
results = [norms(torch.randn(3, 4)) for _ in range(20)]
data = open("train.csv").read()
with open("results.json", "w") as file:
    file.write("{}")
assert data, "no data"
print("accuracy:", undefined_name)
