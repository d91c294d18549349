"""Search owns no records: it indexes those of all others and answers `GET /v1/search`.

It publishes nothing. It listens to every event of every service, many at a time, and keeps the newest version of each
record. What is searched, and how much it weighs, comes from the declarations. The index stands behind `index.py`.
"""
