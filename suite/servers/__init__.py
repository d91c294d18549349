"""Real servers for one machine, started as children: no container, no system daemon, no root rights needed."""

from suite.servers.elasticsearch import Elasticsearch
from suite.servers.postgres import Postgres
from suite.servers.process import ServerError
from suite.servers.rabbitmq import RabbitMQ

__all__ = ["Elasticsearch", "Postgres", "RabbitMQ", "ServerError"]
