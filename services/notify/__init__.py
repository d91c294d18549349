"""Notify owns notifications, reminders, followings, webhooks and the logs of deliveries.

It publishes `notify.*`. It listens to sales (orders), customer (transferred accounts, activities with reminders),
service (assigned requests), marketing (launched campaigns) and to identity for people's addresses and teams.
"""
