"""The Authorization header of a collector's requests."""

from __future__ import annotations

from collectors.collector import CollectError
from core.http import credentials


class Credentials(credentials.Credentials):
    """As core.http.credentials.Credentials, with the errors of a collector."""

    async def header(self) -> dict[str, str]:
        """Return the header, or nothing.

        Raises: CollectError: the secret's file cannot be read any more, or holds what no header may.
        """
        try:
            return await super().header()
        except credentials.CredentialsError as error:
            raise CollectError(str(error), reason="credentials") from error
