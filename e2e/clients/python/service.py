"""What kafka-python's sdist leaves out of its test folder: how its fixtures name a server. Ours runs already."""


class ExternalService:
    def __init__(self, host, port):
        self.host = host
        self.port = port

    def open(self):
        pass

    def close(self):
        pass


class SpawnedService:
    """Starts servers that these tests do not need."""
