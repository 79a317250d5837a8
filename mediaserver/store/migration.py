"""Brings a database file to the newest revision when it is opened: Alembic's scripts, without its files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Engine, MetaData

from mediaserver.errors import LoupeError


class MigrationFailed(LoupeError):
    """The file is of a newer version than this program."""

    code = "migration_failed"
    default = "this database was written by a newer version; start that version, or restore an older copy"


def _scripts(folder: Path) -> tuple[Config, ScriptDirectory]:
    config = Config()
    config.set_main_option("script_location", str(folder))
    config.set_main_option("path_separator", "os")
    return config, ScriptDirectory.from_config(config)


def revisions(folder: Path) -> list[str]:
    """All revisions, oldest first."""
    _, scripts = _scripts(folder)
    return [script.revision for script in scripts.walk_revisions()][::-1]


def upgrade(engine: Engine, folder: Path, revision: str = "head") -> None:
    """One transaction: the file is at the revision, or as it was.

    Raises ``MigrationFailed`` for a file of an unknown revision.
    """
    config, scripts = _scripts(folder)

    def steps(current: Any, _: MigrationContext) -> Any:
        try:
            return scripts._upgrade_revs(revision, current)
        except CommandError:
            raise MigrationFailed from None

    with engine.connect() as connection, EnvironmentContext(config, scripts, fn=steps) as environment:
        environment.configure(connection=connection, target_metadata=MetaData(), render_as_batch=True)
        with connection.begin():
            environment.run_migrations()
