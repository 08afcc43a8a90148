"""The pages of the practice portal: login, the job table, accept and reject, results.

Written as the sites are that bots meet: plain forms with hidden tokens, a session cookie, a redirect
after each post. What the pages say is read from the ledger each time, so a page reloaded, or an address
typed by hand, never claims what is not so.
"""

from __future__ import annotations

import hmac
import secrets
from http import HTTPStatus
from typing import cast
from urllib.parse import urlencode

import trio
from quart import g, render_template, request, url_for
from quart.typing import ResponseTypes
from quart_trio import QuartTrio
from quart_trio.wrappers import TrioResponse as Response
from werkzeug.exceptions import HTTPException

from .faults import Failure, Fault, FaultInjector, redesigned
from .ledger import Status
from .second_step import SecondStep
from .settings import Settings
from .world import World

# Cookies know no ports: other sites on this host see these names, so they must be ours alone.
SESSION_COOKIE = "practice_session"
VISIT_COOKIE = "practice_visit"
PASSED_COOKIE = "practice_passed"

MAX_BODY_BYTES = 65_536
MAX_REASON = 500
PLAIN_PATHS = ("/healthz", "/static/")
"""Without moods: what watches the site must see the site, and styles are no answers."""

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


class Site:
    """The web application over one world; `app` is what a server serves."""

    def __init__(self, world: World, settings: Settings) -> None:
        self._world = world
        self._settings = settings
        self._secret = world.ledger.secret().encode()
        self._quirks = FaultInjector(
            seed=settings.seed,
            slow_share=settings.slow_share,
            error_share=settings.error_share,
            markup_share=settings.markup_share,
        )
        self._second_step = SecondStep(settings.totp_secret, self._token)
        app = self.app = QuartTrio(__name__)
        app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
        app.before_request(self._fail_before)
        app.after_request(self._finish)
        for method, path, view in (
            ("GET", "/", self.front),
            ("GET", "/login", self.login_page),
            ("POST", "/login", self.login),
            ("GET", "/login/code", self.code_page),
            ("POST", "/login/code", self.code),
            ("POST", "/logout", self.logout),
            ("GET", "/jobs", self.jobs),
            ("POST", "/jobs/<ref>/accept", self.accept),
            ("POST", "/jobs/<ref>/reject", self.reject),
            ("GET", "/results", self.results),
            ("GET", "/healthz", self.healthz),
        ):
            app.add_url_rule(path, endpoint=view.__name__, view_func=view, methods=[method])
        app.register_error_handler(HTTPException, _refused)

    async def front(self) -> Response:
        return _see("jobs")

    async def healthz(self) -> Response:
        return Response("ok\n", content_type="text/plain; charset=utf-8")

    async def login_page(self) -> Response:
        return await self._login_form(HTTPStatus.OK)

    async def login(self) -> Response:
        form = await _form()
        if not self._token_fits(form.get("csrf", ""), request.cookies.get(VISIT_COOKIE, "")):
            return await self._login_form(HTTPStatus.BAD_REQUEST, stale=True)
        known = _same(form.get("username", ""), self._settings.username)
        if not _same(form.get("password", ""), self._settings.password) or not known:
            return await self._login_form(HTTPStatus.UNAUTHORIZED, error="User name or password is wrong.")
        if not self._second_step.wanted:
            return self._signed_in()
        answer = _see("code_page")
        visit = request.cookies.get(VISIT_COOKIE, "")
        _set_cookie(answer, PASSED_COOKIE, self._second_step.ticket(visit, now=self._world.now()))
        return answer

    async def code_page(self) -> Response:
        return await self._code_form(HTTPStatus.OK) if self._passed() else _see("login_page")

    async def code(self) -> Response:
        form = await _form()
        if not self._passed() or not self._token_fits(
            form.get("csrf", ""), request.cookies.get(VISIT_COOKIE, "")
        ):
            return _see("login_page")
        if not self._second_step.fits(form.get("code", "")):
            return await self._code_form(HTTPStatus.UNAUTHORIZED, error="That code is wrong or too old.")
        answer = self._signed_in()
        answer.delete_cookie(PASSED_COOKIE)
        return answer

    async def logout(self) -> Response:
        token = self._session()
        if token and self._token_fits((await _form()).get("csrf", ""), token):
            self._world.ledger.end_session(token)
        answer = _see("login_page")
        answer.delete_cookie(SESSION_COOKIE)
        return answer

    async def jobs(self) -> Response:
        if self._session() is None:
            return _see("login_page")
        entries = self._world.table()
        decided = request.args.get("decided", "")
        return await _page(
            "jobs.html",
            entries=entries,
            open_count=sum(entry.status is Status.OPEN for entry in entries),
            decided=self._world.result(decided) if decided else None,
        )

    async def accept(self, ref: str) -> Response:
        return await self._decide(ref, Status.ACCEPTED)

    async def reject(self, ref: str) -> Response:
        return await self._decide(ref, Status.REJECTED)

    async def results(self) -> Response:
        if self._session() is None:
            return _see("login_page")
        ref = request.args.get("ref", "").strip()
        if ref:
            found = self._world.result(ref)
            entries = [found] if found else []
        else:
            entries = self._world.ledger.results()
        return await _page("results.html", entries=entries, ref=ref)

    async def _decide(self, ref: str, status: Status) -> Response:
        form = await _form()
        token = self._session()
        if token is None:
            return _see("login_page")
        if not self._token_fits(form.get("csrf", ""), token):
            return await _message(
                HTTPStatus.BAD_REQUEST,
                "stale-form",
                "This form is out of date",
                "Go back to the jobs and try again.",
            )
        now_is = self._world.decide(ref, status, reason=form.get("reason", "").strip()[:MAX_REASON])
        if now_is is status:
            return _see("jobs", decided=ref)
        if now_is is Status.TAKEN:
            return await _message(
                HTTPStatus.CONFLICT, "already-taken", "Already taken", f"Somebody else has taken job {ref}."
            )
        if now_is is None:
            return await _message(
                HTTPStatus.NOT_FOUND, "no-such-job", "No such job", f"There is no job {ref} here."
            )
        return await _message(
            HTTPStatus.CONFLICT,
            "already-decided",
            f"Already {now_is}",
            f"You have {now_is} job {ref} before.",
        )

    def _signed_in(self) -> Response:
        answer = _see("jobs")
        _set_cookie(answer, SESSION_COOKIE, self._world.ledger.begin_session(now=self._world.now()))
        return answer

    def _passed(self) -> bool:
        """Tell whether somebody gave the right password just now."""
        ticket, visit = request.cookies.get(PASSED_COOKIE, ""), request.cookies.get(VISIT_COOKIE, "")
        return self._second_step.admits(ticket, visit, now=self._world.now())

    async def _code_form(self, status: HTTPStatus, *, error: str = "") -> Response:
        visit = request.cookies.get(VISIT_COOKIE, "")
        return await _page("code.html", status=status, csrf_login=self._token(visit), error=error)

    async def _login_form(self, status: HTTPStatus, *, error: str = "", stale: bool = False) -> Response:
        visit = request.cookies.get(VISIT_COOKIE) or secrets.token_urlsafe(16)
        ended = SESSION_COOKIE in request.cookies and not error and not stale
        answer = await _page(
            "login.html", status=status, csrf_login=self._token(visit), error=error, stale=stale, ended=ended
        )
        _set_cookie(answer, VISIT_COOKIE, visit)
        return answer

    def _session(self) -> str | None:
        """Return the token of a session that is still good, and let the page have the form token for it."""
        token = request.cookies.get(SESSION_COOKIE, "")
        began = self._world.ledger.session_began(token)
        if began is None:
            return None
        lasts = self._settings.session_seconds
        if lasts and self._world.now() - began >= lasts:
            self._world.ledger.end_session(token)
            return None
        g.csrf = self._token(token)
        return token

    def _token(self, owner: str) -> str:
        """Return the form token that goes with a cookie: nothing to store, and of no use with another."""
        return hmac.digest(self._secret, owner.encode(), "sha256").hex()

    def _token_fits(self, token: str, owner: str) -> bool:
        return bool(owner) and _same(token, self._token(owner))

    async def _fail_before(self) -> Response | None:
        if request.path.startswith(PLAIN_PATHS):
            return None
        # Hypercorn 0.18 may stop hearing a connection on which an answer overtook the request's body.
        await _form()
        mood = g.mood = self._quirks.mood()
        return await _broken() if mood.failure is Failure.BEFORE else None

    async def _finish(self, answer: ResponseTypes) -> ResponseTypes:
        mood = g.get("mood")
        if isinstance(mood, Fault) and mood.slow:
            # After the work, as it is with a real site: giving up on a slow answer undoes nothing.
            await trio.sleep(self._settings.slow_seconds)
        if isinstance(mood, Fault) and mood.failure is Failure.AFTER:
            answer = await _broken()
        if isinstance(mood, Fault) and mood.redesign is not None and isinstance(answer, Response):
            answer.set_data(redesigned(await answer.get_data(as_text=True), mood.redesign))
        answer.headers.update(HEADERS)
        if not request.path.startswith("/static/"):
            answer.headers["Cache-Control"] = "no-store"
        return answer


async def _form() -> dict[str, str]:
    # Quart leaves the types of its form open: texts both, as files are kept elsewhere.
    return cast("dict[str, str]", (await request.form).to_dict())  # pyright: ignore[reportUnknownMemberType]


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())


def _set_cookie(answer: Response, name: str, value: str) -> None:
    answer.set_cookie(name, value, httponly=True, samesite="Lax")


def _see(view: str, **query: str) -> Response:
    query_string = f"?{urlencode(query)}" if query else ""
    return Response(status=HTTPStatus.SEE_OTHER, headers={"Location": url_for(view) + query_string})


async def _page(template: str, *, status: HTTPStatus = HTTPStatus.OK, **content: object) -> Response:
    return Response(await render_template(template, **content), status)


async def _message(status: HTTPStatus, mark: str, title: str, text: str) -> Response:
    return await _page("message.html", status=status, mark=mark, title=title, text=text)


async def _broken() -> Response:
    return await _message(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "broken",
        "Something went wrong",
        "The portal could not answer. Try again.",
    )


async def _refused(error: HTTPException) -> Response:
    answer = await _message(HTTPStatus(error.code or 500), "refused", error.name, error.description or "")
    if error.code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        answer.headers["Connection"] = "close"  # the rest of the body was never read; see _fail_before
    return answer
