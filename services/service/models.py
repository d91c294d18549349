"""The tables of service."""

from __future__ import annotations

from sqlalchemy import UniqueConstraint

from chassis.records import Stored
from contracts import service as contracts


class Request(Stored, record=contracts.Request):
    __table_args__ = (UniqueConstraint("tenant_id", "number_key"),)


class ServiceContract(Stored, record=contracts.ServiceContract):
    __table_args__ = (UniqueConstraint("tenant_id", "number_key"),)


class Article(Stored, record=contracts.Article):
    pass
