"""``/api/bot/realtime-update``: messages of external programs to the WebSocket clients."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Final, cast

from quart import Blueprint, request

from ..addresses import ActorAddresses
from ..body_reader import BodyReader
from ..configuration.models import MessageModel, RealtimeBody
from ..documented import documented
from ..query_params import invalid_value, json_object
from ..serializers import Json
from .events import REALTIME_TYPES, RealtimeUpdate

MAX_DATA_BYTES: Final = 16_384
"""Limit of ``data``, because every client receives it."""


def realtime_blueprint(actors: ActorAddresses) -> Blueprint:
    """The route for external messages."""
    blueprint = Blueprint("realtime", __name__, url_prefix="/api/bot")

    @blueprint.post("/realtime-update")
    @documented(MessageModel, body=RealtimeBody)
    async def publish_update() -> Json:
        """Publish a message to WebSocket clients, marked as external.

        It changes no session, counter or stored data.
        """
        update = realtime_update(BodyReader(await json_object(request)))
        actors.bus.publish(update)
        return {"status": "success", "message": f"Published {update.type} to WebSocket clients"}

    return blueprint


def realtime_update(fields: BodyReader) -> RealtimeUpdate:
    """Parse the body.

    Raises:
        Problem: a field is invalid or unknown.
    """
    message_type = fields.text("type", max_length=60)
    data = fields.mapping("data")
    timestamp = fields.text("timestamp", max_length=60)
    fields.finish()
    if message_type is None or message_type not in REALTIME_TYPES:
        raise invalid_value("type", f"one of {', '.join(sorted(REALTIME_TYPES))}", message_type)
    if data is not None and len(json.dumps(data)) > MAX_DATA_BYTES:
        raise invalid_value("data", f"at most {MAX_DATA_BYTES} bytes of JSON", data)
    return RealtimeUpdate(
        type=message_type, data={**(data or {}), "external": True}, timestamp=_parse_timestamp(timestamp)
    )


def _parse_timestamp(text: str | None) -> datetime:
    """The time in UTC; now if it is missing. A time without a zone is UTC."""
    if text is None:
        return datetime.now(UTC)
    try:
        timestamp = datetime.fromisoformat(text)
        return timestamp.astimezone(UTC) if timestamp.tzinfo else timestamp.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise invalid_value("timestamp", "a time in ISO 8601", cast("object", text)) from None
