"""The data folder of an embedded suite: its database, its secrets, and the credentials of the demo."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

from chassis.environment import SettingsError

JSON = dict[str, Any]


def data_folder() -> Path:
    """`GUANXI_DATA`, or `.guanxi` in the present folder; made if missing, for its owner only. Raises SettingsError."""
    folder = Path(os.environ.get("GUANXI_DATA") or ".guanxi").resolve()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        reason = "" if os.access(folder, os.W_OK | os.X_OK) else "Permission denied"
    except OSError as error:
        reason = error.strerror or str(error)
    if reason:
        raise SettingsError({"GUANXI_DATA": f"Must be a folder that can be made and written, not {folder} ({reason})."})
    return folder


def write_private(path: Path, document: JSON) -> None:
    """Replace a file that only its owner may read, whole or not at all."""
    draft = path.with_suffix(".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(document, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)


def read(path: Path) -> JSON | None:
    try:
        found: JSON = json.loads(path.read_text())
        return found
    except FileNotFoundError:
        return None


def secrets_of(folder: Path) -> JSON:
    """The installation's own secrets, made at the first start."""
    path = folder / "secrets.json"
    known = read(path)
    if known is None:
        known = {"database_secret": secrets.token_hex(32), "context_key": secrets.token_hex(32)}
        write_private(path, known)
    return known


def credentials_path(folder: Path) -> Path:
    return folder / "credentials.json"
