"""Marketing owns campaigns, leads, segments, point accounts and the ledger of points.

It publishes `marketing.*`. It listens to customer (accounts that leads and points refer to), to sales (receivables,
whose payment earns points) and to its own leads (the counts of their campaigns). Converting a lead asks customer and
sales.
"""
