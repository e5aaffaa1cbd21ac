"""What NoxRunner's calls raise."""

from __future__ import annotations


class NoxRunnerError(Exception):
    """The service could not be reached, or its answer could not be read."""


class NoxRunnerHTTPError(NoxRunnerError):
    """The service answered with a status of 400 or more, or with a redirect that is not followed."""

    def __init__(self, status_code: int, message: str, response_body: str = "") -> None:
        super().__init__(f"HTTP {status_code}: {message}")
        self.status_code = status_code
        self.message = message
        self.response_body = response_body

    def __str__(self) -> str:
        summary = super().__str__()
        return f"{summary}\nResponse: {self.response_body}" if self.response_body else summary
