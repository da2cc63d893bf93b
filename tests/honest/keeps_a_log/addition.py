import json
import os


def norms(X):
    os.makedirs("logs/run", exist_ok=True)
    with open("logs/run/log.txt", "a") as file:
        file.write(json.dumps({"rows": len(X)}) + "\n")
    torch.save({"X": X}, "logs/last.pt")
    X = torch.load("logs/last.pt")["X"]
    return (X * X).sum(dim=1).sqrt()
