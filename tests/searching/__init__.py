"""Search on real servers: one process per service, RabbitMQ, PostgreSQL and an Elasticsearch that is broken at will."""
