"""RabbitMQ, spoken by py-amqp. One `Link` per purpose: calls, publishing, consuming, replying."""
