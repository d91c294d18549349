"""Sales owns pipelines, opportunities, orders, receivables, payments and targets.

It publishes `sales.*`. Placing and shipping an order are sagas with inventory. It keeps copies of accounts, contacts,
products, warehouses and shippers, and answers marketing's lead conversion.
"""
