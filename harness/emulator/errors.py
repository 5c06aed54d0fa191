"""The one exception of the wire: what a client of the emulator receives instead of an answer."""

from __future__ import annotations

_DYNAMODB = "com.amazonaws.dynamodb.v20120810#"
_CORAL_VALIDATE = "com.amazon.coral.validate#"
_CORAL_SERVICE = "com.amazon.coral.service#"
_NAMESPACES = {
    "ValidationException": _CORAL_VALIDATE,
    "UnknownOperationException": _CORAL_SERVICE,
    "SerializationException": _CORAL_SERVICE,
    "MissingAuthenticationTokenException": _CORAL_SERVICE,
    "IncompleteSignatureException": _CORAL_SERVICE,
    "ExpiredTokenException": _CORAL_SERVICE,
    "InvalidSignatureException": _CORAL_SERVICE,
    "UnrecognizedClientException": _CORAL_SERVICE,
}


class WireError(Exception):
    """An error answer: `error_type` without namespace, AWS's text, the HTTP status.

    `extra` holds further members of the body, such as the `Item` of a failed condition.
    """

    def __init__(
        self, error_type: str, message: str, status: int = 400, extra: dict[str, object] | None = None
    ) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.message = message
        self.status = status
        self.extra = extra

    def body(self) -> dict[str, object]:
        """The JSON body as DynamoDB writes it."""
        namespace = _NAMESPACES.get(self.error_type, _DYNAMODB)
        return {"__type": namespace + self.error_type, "message": self.message, **(self.extra or {})}


def validation(message: str) -> WireError:
    """A ValidationException with AWS's text."""
    return WireError("ValidationException", message)


def not_supported(what: str) -> WireError:
    """A ValidationException for what DynamoDB has and this emulator has not."""
    return validation(f"{what} is not supported by this emulator")


def table_not_found(what: str = "Requested resource not found") -> WireError:
    """A ResourceNotFoundException, with AWS's text for data calls by default."""
    return WireError("ResourceNotFoundException", what)
