"""Archives by their location. An adapter is imported where it is chosen: none needs the others' packages."""

from __future__ import annotations

from pathlib import Path

from assay.ports import Archive


def open_archive(location: str) -> Archive:
    """`s3://bucket/prefix`, or a folder. Raises `SettingsError`."""
    if location.startswith("s3://"):
        from assay.adapters.aws.archive import S3Archive
        from assay.adapters.aws.objects import open_store

        return S3Archive(open_store(location))
    from assay.adapters.local.archive import FolderArchive

    return FolderArchive(Path(location))
