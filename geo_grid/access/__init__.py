"""Access control: identities, log-in, accounts, audit."""

from geo_grid.access.credentials import csrf_token, digest_of, is_of_kind, new_secret
from geo_grid.access.identities import Identities, Identity

__all__ = ["Identities", "Identity", "csrf_token", "digest_of", "is_of_kind", "new_secret"]
