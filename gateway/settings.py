"""What an installation may set at the edge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from environs import Env, ValidationError
from limits import parse
from marshmallow import validate

from chassis import blobs
from chassis.environment import BUS, SECRET, seal, shape

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


@dataclass(frozen=True, slots=True)
class Process:
    """What a gateway process is told besides: the bus, the key that signs contexts, what it serves and how."""

    context_key: str
    bus: str
    streams: bool
    threads: int
    workers: int


def process() -> Process:
    """The settings of a gateway process from `GUANXI_…` variables. Raises SettingsError."""
    env = Env(eager=False)
    with env.prefixed("GUANXI_"):
        streams = env.bool("STREAMS", False)
        found: dict[str, Any] = {
            "context_key": env.str("CONTEXT_KEY", validate=SECRET),
            "bus": env.str("BUS", validate=BUS),
            "streams": streams,
            "threads": env.int("THREADS", THREADS_OF_STREAMS if streams else THREADS, validate=validate.Range(1, 1000)),
            "workers": env.int("WORKERS", 2, validate=validate.Range(1, 100)),
        }
    seal(env)
    return Process(**found)


def from_environment() -> Settings:
    """Settings of the edge from `GUANXI_…` variables; lists are separated by commas. Raises SettingsError."""
    env = Env(eager=False)
    least, some = validate.Range(min=0), validate.Range(min=1)
    below_ten = validate.Range(min=0, max=10, min_inclusive=False, max_inclusive=False)
    # '*' would let every page read answers.
    origins = validate.ContainsNoneOf("*", error="Must name its origins; * is refused.")
    storage = shape(r"[a-z][a-z+]*://\S*", "memory:// or redis://host:port")
    with env.prefixed("GUANXI_"):
        found: dict[str, Any] = {
            "request_timeout": env.float("REQUEST_TIMEOUT", 8.0, validate=below_ten),
            "https": env.bool("HTTPS", False),
            "cors_origins": tuple(env.list("CORS_ORIGINS", [], validate=origins) or ()),
            "allowed_hosts": tuple(host.lower() for host in env.list("ALLOWED_HOSTS", [])),
            "trusted_proxies": env.int("TRUSTED_PROXIES", 0, validate=least),
            "login_limit": env.str("LOGIN_LIMIT", "5/minute", validate=_limit),
            "rate_limit_storage": env.str("RATE_LIMIT_STORAGE", "memory://", validate=storage),
            "streams_url": env.str("STREAMS_URL", "", validate=shape(r"(https?://\S+)?", "http(s)://host")) or None,
            # Beside the rest of the API, streams may hold only a quarter of its 16 threads.
            "streams_limit": env.int("STREAMS_LIMIT", 100 if env.bool("STREAMS", False) else 4, validate=some),
            "blobs": env.str("BLOBS", blobs.default_location(), validate=blobs.check_location),
            "upload_limit": env.int("UPLOAD_LIMIT", 25 * 1024**2, validate=some),
            "import_limit": env.int("IMPORT_LIMIT", 512 * 1024**2, validate=some),
        }
    seal(env)
    return Settings(**found, metrics_folder=Env().str("PROMETHEUS_MULTIPROC_DIR", None))


def _limit(text: str) -> None:
    try:
        parse(text)
    except ValueError:
        raise ValidationError("Must be a number of attempts and a time, such as 5/minute.") from None
