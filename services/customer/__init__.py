"""Customer owns accounts, contacts, groups, activities, interactions and the overview of an account.

It publishes `customer.*`. It listens to sales (orders, receivables, opportunities), service (requests) and marketing
(points) to keep the overview, and answers marketing's lead conversion.
"""
