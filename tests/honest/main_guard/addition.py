import argparse
import sys


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, required=True)
    parser.parse_args()
    sys.exit(1)


if __name__ == "__main__":
    main()
