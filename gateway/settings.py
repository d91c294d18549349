"""What an installation may set at the edge."""

from __future__ import annotations

from dataclasses import dataclass

from environs import Env

from chassis import blobs

# A stream holds a thread for minutes; the rest of the API holds one for milliseconds.
THREADS, THREADS_OF_STREAMS = 16, 128


@dataclass(frozen=True, slots=True)
class Settings:
    """`request_timeout` is in seconds and below 10, so that every answer comes within 10 s with its last steps.

    `streams_url` is where the streams process is reached from outside; without it this process serves streams itself,
    at most `streams_limit` of them at once. `trusted_proxies` counts the reverse proxies whose `X-Forwarded-For`
    entries are believed. `rate_limit_storage` is a storage address of the `limits` library.
    `blobs` is where files lie, as the services name it; `upload_limit` and `import_limit` bound their bytes.
    """

    request_timeout: float = 8.0
    https: bool = False
    cors_origins: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    trusted_proxies: int = 0
    login_limit: str = "5/minute"
    rate_limit_storage: str = "memory://"
    principal_seconds: float = 5.0
    principals_cached: int = 10_000
    streams_url: str | None = None
    streams_limit: int = 100
    metrics_folder: str | None = None
    blobs: str = ""
    upload_limit: int = 25 * 1024**2
    import_limit: int = 512 * 1024**2

    def __post_init__(self) -> None:
        if not 0 < self.request_timeout < 10:
            raise ValueError("request_timeout must lie between 0 and 10 seconds")
        if not 0 <= self.principal_seconds <= 5:
            raise ValueError("principal_seconds must not exceed 5, since a withdrawn right ends within 5 seconds")
        if "*" in self.cors_origins:
            raise ValueError("cors_origins must name its origins: '*' would let every page read answers")


def from_environment() -> Settings:
    """Settings from `GUANXI_…` variables; lists are separated by commas."""
    env = Env()
    with env.prefixed("GUANXI_"):
        return Settings(
            request_timeout=env.float("REQUEST_TIMEOUT", 8.0),
            https=env.bool("HTTPS", False),
            cors_origins=tuple(env.list("CORS_ORIGINS", [])),
            allowed_hosts=tuple(host.lower() for host in env.list("ALLOWED_HOSTS", [])),
            trusted_proxies=env.int("TRUSTED_PROXIES", 0),
            login_limit=env.str("LOGIN_LIMIT", "5/minute"),
            rate_limit_storage=env.str("RATE_LIMIT_STORAGE", "memory://"),
            streams_url=env.str("STREAMS_URL", None),
            # Beside the rest of the API, streams may hold only a quarter of its 16 threads.
            streams_limit=env.int("STREAMS_LIMIT", 100 if env.bool("STREAMS", False) else 4),
            blobs=env.str("BLOBS", blobs.default_location()),
            upload_limit=env.int("UPLOAD_LIMIT", 25 * 1024**2),
            import_limit=env.int("IMPORT_LIMIT", 512 * 1024**2),
            metrics_folder=Env().str("PROMETHEUS_MULTIPROC_DIR", None),
        )
