"""How a session is to be started, as a request says it; pure."""

from __future__ import annotations

from actors.sessions.messages import StartSession

from ..body_reader import BodyReader


def the_session(fields: BodyReader) -> StartSession:
    """The Compatibility API's one session, which is alone. What else a client says is passed over.

    Raises:
        Problem: a field is not as expected.
    """
    return StartSession(
        session_name=fields.label("session_name", most=255),
        config_id=fields.identifier("config_id"),
        alone=True,
    )


def one_more_session(fields: BodyReader) -> StartSession:
    """A session beside those that run.

    Raises:
        Problem: a field is not known, or not as expected.
    """
    command = StartSession(
        session_name=fields.label("session_name", most=255),
        config_id=fields.identifier("config_id"),
        portal=fields.label("portal", most=100),
    )
    fields.end()
    return command
