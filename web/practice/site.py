"""The pages of the practice portal: login, job table, accept and reject, results.

Built like real portals: plain forms with hidden tokens, a session cookie, a redirect after each POST. Each
page is rendered from the ledger, so that a reload or a URL typed by hand never shows a false result.
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
from .ledger import PostingStatus
from .second_factor import SecondFactor
from .settings import SiteSettings
from .world import World

# Cookies are shared between ports: other sites on this host see these names, so they must be unique.
SESSION_COOKIE = "practice_session"
BROWSER_COOKIE = "practice_visit"
TICKET_COOKIE = "practice_passed"

MAX_BODY_BYTES = 65_536
MAX_REASON = 500
FAULTLESS_PATHS = ("/healthz", "/static/")
"""Without faults: health checks must see the real state, and static files are no pages."""

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


class Site:
    """The web application; `app` is the ASGI app to serve."""

    def __init__(self, world: World, settings: SiteSettings) -> None:
        self._world = world
        self._settings = settings
        self._secret = world.ledger.secret().encode()
        self._faults = FaultInjector(
            seed=settings.seed,
            slow_share=settings.slow_share,
            error_share=settings.error_share,
            markup_share=settings.markup_share,
        )
        self._second_factor = SecondFactor(settings.totp_secret, self._token)
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
        app.register_error_handler(HTTPException, _http_error)

    async def front(self) -> Response:
        """Redirect to the job table."""
        return _redirect("jobs")

    async def healthz(self) -> Response:
        """Report that the portal is up; never with faults."""
        return Response("ok\n", content_type="text/plain; charset=utf-8")

    async def login_page(self) -> Response:
        """Show the login form."""
        return await self._login_form(HTTPStatus.OK)

    async def login(self) -> Response:
        """Check user name and password."""
        form = await _form()
        if not self._token_fits(form.get("csrf", ""), request.cookies.get(BROWSER_COOKIE, "")):
            return await self._login_form(HTTPStatus.BAD_REQUEST, stale=True)
        name_matches = _same(form.get("username", ""), self._settings.username)
        if not _same(form.get("password", ""), self._settings.password) or not name_matches:
            return await self._login_form(HTTPStatus.UNAUTHORIZED, error="User name or password is wrong.")
        if not self._second_factor.enabled:
            return self._signed_in()
        response = _redirect("code_page")
        browser = request.cookies.get(BROWSER_COOKIE, "")
        _set_cookie(response, TICKET_COOKIE, self._second_factor.ticket(browser, now=self._world.now()))
        return response

    async def code_page(self) -> Response:
        """Show the form for the one-time code."""
        return await self._code_form(HTTPStatus.OK) if self._has_ticket() else _redirect("login_page")

    async def code(self) -> Response:
        """Check the one-time code."""
        form = await _form()
        if not self._has_ticket() or not self._token_fits(
            form.get("csrf", ""), request.cookies.get(BROWSER_COOKIE, "")
        ):
            return _redirect("login_page")
        if not self._second_factor.is_valid_code(form.get("code", "")):
            return await self._code_form(HTTPStatus.UNAUTHORIZED, error="That code is wrong or too old.")
        response = self._signed_in()
        response.delete_cookie(TICKET_COOKIE)
        return response

    async def logout(self) -> Response:
        """End the login session."""
        token = self._session()
        if token and self._token_fits((await _form()).get("csrf", ""), token):
            self._world.ledger.end_session(token)
        response = _redirect("login_page")
        response.delete_cookie(SESSION_COOKIE)
        return response

    async def jobs(self) -> Response:
        """Show the job table."""
        if self._session() is None:
            return _redirect("login_page")
        entries = self._world.table()
        decided = request.args.get("decided", "")
        return await _page(
            "jobs.html",
            entries=entries,
            open_count=sum(entry.status is PostingStatus.OPEN for entry in entries),
            decided=self._world.result(decided) if decided else None,
        )

    async def accept(self, ref: str) -> Response:
        """Accept a job."""
        return await self._decide(ref, PostingStatus.ACCEPTED)

    async def reject(self, ref: str) -> Response:
        """Reject a job with a reason."""
        return await self._decide(ref, PostingStatus.REJECTED)

    async def results(self) -> Response:
        """Show decided jobs, or one by its ref."""
        if self._session() is None:
            return _redirect("login_page")
        ref = request.args.get("ref", "").strip()
        if ref:
            found = self._world.result(ref)
            entries = [found] if found else []
        else:
            entries = self._world.ledger.results()
        return await _page("results.html", entries=entries, ref=ref)

    async def _decide(self, ref: str, status: PostingStatus) -> Response:
        form = await _form()
        token = self._session()
        if token is None:
            return _redirect("login_page")
        if not self._token_fits(form.get("csrf", ""), token):
            return await _message(
                HTTPStatus.BAD_REQUEST,
                "stale-form",
                "This form is out of date",
                "Go back to the jobs and try again.",
            )
        result = self._world.decide(ref, status, reason=form.get("reason", "").strip()[:MAX_REASON])
        if result is status:
            return _redirect("jobs", decided=ref)
        if result is PostingStatus.TAKEN:
            return await _message(
                HTTPStatus.CONFLICT,
                "already-taken",
                "Already taken",
                f"Job {ref} was taken by another interpreter.",
            )
        if result is None:
            return await _message(
                HTTPStatus.NOT_FOUND, "no-such-job", "No such job", f"There is no job {ref} here."
            )
        return await _message(
            HTTPStatus.CONFLICT,
            "already-decided",
            f"Already {result}",
            f"You have already {result} job {ref}.",
        )

    def _signed_in(self) -> Response:
        response = _redirect("jobs")
        _set_cookie(response, SESSION_COOKIE, self._world.ledger.begin_session(now=self._world.now()))
        return response

    def _has_ticket(self) -> bool:
        """Return whether this browser has entered the correct password recently."""
        ticket, browser = request.cookies.get(TICKET_COOKIE, ""), request.cookies.get(BROWSER_COOKIE, "")
        return self._second_factor.is_valid_ticket(ticket, browser, now=self._world.now())

    async def _code_form(self, status: HTTPStatus, *, error: str = "") -> Response:
        browser = request.cookies.get(BROWSER_COOKIE, "")
        return await _page("code.html", status=status, csrf_login=self._token(browser), error=error)

    async def _login_form(self, status: HTTPStatus, *, error: str = "", stale: bool = False) -> Response:
        browser = request.cookies.get(BROWSER_COOKIE) or secrets.token_urlsafe(16)
        ended = SESSION_COOKIE in request.cookies and not error and not stale
        response = await _page(
            "login.html",
            status=status,
            csrf_login=self._token(browser),
            error=error,
            stale=stale,
            ended=ended,
        )
        _set_cookie(response, BROWSER_COOKIE, browser)
        return response

    def _session(self) -> str | None:
        """Return the token of the current login session, and set the form token of the page."""
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
        """Return the form token of a cookie; it is not stored, and is valid with this cookie only."""
        return hmac.digest(self._secret, owner.encode(), "sha256").hex()

    def _token_fits(self, token: str, owner: str) -> bool:
        return bool(owner) and _same(token, self._token(owner))

    async def _fail_before(self) -> Response | None:
        if request.path.startswith(FAULTLESS_PATHS):
            return None
        # Hypercorn 0.18 may stop reading a connection if the response is sent before the body is read.
        await _form()
        fault = g.fault = self._faults.draw()
        return await _server_error() if fault.failure is Failure.BEFORE else None

    async def _finish(self, response: ResponseTypes) -> ResponseTypes:
        fault = g.get("fault")
        if isinstance(fault, Fault) and fault.slow:
            # After the work, as on a real site: a client that gives up does not undo it.
            await trio.sleep(self._settings.slow_seconds)
        if isinstance(fault, Fault) and fault.failure is Failure.AFTER:
            response = await _server_error()
        if isinstance(fault, Fault) and fault.redesign is not None and isinstance(response, Response):
            response.set_data(redesigned(await response.get_data(as_text=True), fault.redesign))
        response.headers.update(HEADERS)
        if not request.path.startswith("/static/"):
            response.headers["Cache-Control"] = "no-store"
        return response


async def _form() -> dict[str, str]:
    # Quart does not type its form: both are text, as files are kept separately.
    return cast("dict[str, str]", (await request.form).to_dict())  # pyright: ignore[reportUnknownMemberType]


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())


def _set_cookie(response: Response, name: str, value: str) -> None:
    response.set_cookie(name, value, httponly=True, samesite="Lax")


def _redirect(view: str, **query: str) -> Response:
    query_string = f"?{urlencode(query)}" if query else ""
    return Response(status=HTTPStatus.SEE_OTHER, headers={"Location": url_for(view) + query_string})


async def _page(template: str, *, status: HTTPStatus = HTTPStatus.OK, **content: object) -> Response:
    return Response(await render_template(template, **content), status)


async def _message(status: HTTPStatus, mark: str, title: str, text: str) -> Response:
    return await _page("message.html", status=status, mark=mark, title=title, text=text)


async def _server_error() -> Response:
    return await _message(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "broken",
        "Something went wrong",
        "The portal could not answer. Try again.",
    )


async def _http_error(error: HTTPException) -> Response:
    response = await _message(HTTPStatus(error.code or 500), "refused", error.name, error.description or "")
    if error.code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        response.headers["Connection"] = "close"  # the rest of the body was never read; see _fail_before
    return response
