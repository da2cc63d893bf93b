import atexit
import signal

signal.signal(signal.SIGINT, lambda *_: print("saving"))
signal.signal(signal.SIGTERM, lambda *_: print("saving"))
atexit.register(lambda: print("bye"))
