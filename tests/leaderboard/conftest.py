"""Records and published figures, shared with ``tests/records``."""

from tests.records.conftest import (  # noqa: F401  (fixtures)
    any_name,
    make_manifest,
    make_published,
    make_record,
    make_simmim,
    toy,
    write_suite,
)
