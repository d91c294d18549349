import os
import shutil
import tempfile
from pathlib import Path

import pytest

from suite.servers.postgres import Postgres
from suite.servers.rabbitmq import RabbitMQ, available


@pytest.fixture(scope="module")
def open_folder():
    """A folder that every user can enter; pytest's own temporary folders are closed to all but their owner."""
    folder = Path(tempfile.mkdtemp(prefix="guanxi-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def postgres(open_folder):
    server = Postgres(open_folder / "postgres")
    yield server
    server.remove()


@pytest.fixture(scope="module")
def rabbitmq(open_folder):
    if not available():
        stop = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        stop("RabbitMQ is not installed: install the package rabbitmq-server")
    server = RabbitMQ(open_folder / "rabbitmq")
    server.start()
    yield server
    server.remove()
