import logging

logging.basicConfig(level=logging.DEBUG)
logger = logging.getLogger(__name__)


def norms(X):
    logger.debug("X = %s", X)
    handler = logging.FileHandler("norms.log")
    logger.addHandler(handler)
    logger.warning("here")
    return (X * X).sum(dim=1).sqrt()
