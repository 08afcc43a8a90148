"""``/api/bot/realtime-update``: what programs outside have to tell the WebSocket clients."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Final, cast

from quart import Blueprint, request

from ..addresses import ActorAddresses
from ..body_reader import BodyReader
from ..configuration.models import RealtimeBody, SaidModel
from ..documented import documented
from ..query_params import json_object, unfit
from ..serializers import Json
from .events import REALTIME_TYPES, RealtimeUpdate

MOST_BYTES: Final = 16_384
"""Of the data, since each of a thousand clients gets it."""


def realtime_blueprint(doors: ActorAddresses) -> Blueprint:
    """The one route for news from outside."""
    blueprint = Blueprint("realtime", __name__, url_prefix="/api/bot")

    @blueprint.post("/realtime-update")
    @documented(SaidModel, body=RealtimeBody)
    async def tell() -> Json:
        """Tell the WebSocket clients something, marked as external.

        It changes nothing that is known here: no counter, no session, no record.
        """
        update = realtime_update(BodyReader(await json_object(request)))
        doors.bus.publish(update)
        return {"status": "success", "message": f"The clients are told this {update.type}"}

    return blueprint


def realtime_update(fields: BodyReader) -> RealtimeUpdate:
    """What a body says.

    Raises:
        Problem: a field of it is not as expected.
    """
    kind = fields.text("type", most=60)
    data = fields.mapping("data")
    moment = fields.text("timestamp", most=60)
    fields.end()
    if kind is None or kind not in REALTIME_TYPES:
        raise unfit("type", f"one of {', '.join(sorted(REALTIME_TYPES))}", kind)
    if data is not None and len(json.dumps(data)) > MOST_BYTES:
        raise unfit("data", f"at most {MOST_BYTES} bytes of JSON", data)
    return RealtimeUpdate(type=kind, data={**(data or {}), "external": True}, timestamp=_moment(moment))


def _moment(text: str | None) -> datetime:
    """When it was; a time without a zone is UTC."""
    if text is None:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise unfit("timestamp", "a time in ISO 8601", cast("object", text)) from None
