"""Service owns service requests, service contracts and the articles of the knowledge base.

It publishes `service.*`. It listens to customer (accounts and contacts) and sales (orders) to know what requests refer
to, and opens a follow-up for the owner of an order that was rejected.
"""
