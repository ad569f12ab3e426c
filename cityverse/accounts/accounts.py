"""The use cases of accounts: from signing up to deleting everything.

An answer never says whether an e-mail has an account: what differs is sent to that
e-mail, by ``background``, after the answer.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from ulid import ULID

from cityverse.accounts import mail, passwords, second_factor
from cityverse.accounts.letter import letter
from cityverse.accounts.passwords import Hasher
from cityverse.accounts.provider import Provider
from cityverse.accounts.second_factor import Vault
from cityverse.accounts.tokens import (
    Keys,
    Proof,
    SessionToken,
    link_id,
    new_flow,
    new_session,
)
from cityverse.data.client import ConditionFailed
from cityverse.data.store import Store
from cityverse.data.throttles import Limit
from cityverse.domain import policy
from cityverse.domain.people import (
    EMAIL_LONGEST,
    Consent,
    Link,
    Purpose,
    Role,
    SecondFactor,
    Status,
    User,
    closed,
    normalised_email,
)
from cityverse.domain.places import Location
from cityverse.domain.policy import Action
from cityverse.errors import (
    AccountInactive,
    AccountNeeded,
    AlreadyExists,
    CodeNeeded,
    CodeWrong,
    InvalidField,
    LinkUnusable,
    NotFound,
    PasswordNeeded,
    ProviderRefused,
    SignInFailed,
    StepExpired,
    Taken,
    TooManyAttempts,
    VersionConflict,
)
from cityverse.settings import Settings

log = logging.getLogger(__name__)

# What one agrees to when signing up; a new version asks anew.
TERMS_VERSION = "2026-11"
# What one may be from the start; the other roles are given by an admin.
OPEN_ROLES = (Role.RESIDENT, Role.CREATOR)

SIGN_IN_BY_ACCOUNT = Limit("sign-in-account", 10, timedelta(minutes=15))
SIGN_IN_BY_ADDRESS = Limit("sign-in-address", 100, timedelta(minutes=15))
CODE_BY_ACCOUNT = Limit("code-account", 10, timedelta(minutes=15))
# A million codes, three of them good at a time: whoever has the password needs decades.
CODE_BY_DAY = Limit("code-day", 30, timedelta(days=1))
PROVIDER_BY_ADDRESS = Limit("provider-address", 100, timedelta(minutes=15))
SIGN_UP_BY_ADDRESS = Limit("sign-up-address", 60, timedelta(hours=1))
MAIL_BY_ACCOUNT = Limit("mail-account", 5, timedelta(hours=1))
MAIL_BY_ADDRESS = Limit("mail-address", 60, timedelta(hours=1))

_LASTS = {
    Purpose.CONFIRM: timedelta(hours=48),
    Purpose.RESET: timedelta(hours=1),
    Purpose.EMAIL: timedelta(hours=24),
    Purpose.CLAIM: timedelta(days=7),
}
# How often an edit of one's own account is made anew when another one came between.
_TRIES = 4


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks: the network limits count by (see ``addresses``), and the language of e-mails."""

    network: str
    language: str


@dataclass(frozen=True, slots=True)
class SignUp:
    """What one fills in to get an account."""

    email: str
    password: str
    first_name: str
    last_name: str
    role: Role = Role.RESIDENT
    consents: bool = False


@dataclass(frozen=True, slots=True)
class Session:
    """Who is signed in, as the store knows them now, and by which token.

    ``withheld`` is their role where it counts only once they have a second factor: until
    then the role of ``user`` is the one they began with.
    """

    user: User
    token: SessionToken
    withheld: Role | None = None


@dataclass(frozen=True, slots=True)
class Accounts:
    """All use cases; safe to share by threads. ``background`` does what nobody waits for."""

    store: Store
    settings: Settings
    keys: Keys
    hasher: Hasher
    vault: Vault
    sender: mail.Sender
    background: Callable[[Callable[[], None]], None]
    provider: Provider | None = None

    # Sessions

    def session(self, cookie: object) -> Session | None:
        """Who is signed in by this cookie, now: one read of the store, or none without a token.

        None where the token was revoked, the session version moved on or the account is
        not active. Raises StoreError.
        """
        token = self.keys.read_session(cookie)
        return None if token is None else self._session(token)

    def exchange(self, ticket: object, cookie: object) -> tuple[str, SessionToken] | None:
        """The cookie of the session a ticket is for; None for a ticket that is not good.

        The ticket is used up, and the session that was open in this browser is ended.
        """
        now = _now()
        found = self.keys.read_ticket(ticket)
        if found is None or not self.store.revoked.revoke(found.id, found.expires):
            return None
        if self._session(found.session) is None:
            return None
        before = self.keys.read_session(cookie)
        if before is not None and before.id != found.session.id:
            self.sign_out(before)
        return self.keys.session(found.session, now), found.session

    def sign_out(self, token: SessionToken) -> None:
        """End one session; every other request with its cookie is refused from now on."""
        self.store.revoked.revoke(token.id, token.expires)

    def sign_out_everywhere(self, who: User | None) -> None:
        """End all sessions of an account."""
        user = _require_own(who)
        self._edit(user.id, lambda now: replace(now, session_version=now.session_version + 1))

    def _session(self, token: SessionToken) -> Session | None:
        user = self.store.users.find_unless_revoked(token.user_id, token.id)
        if user is None or user.status is not Status.ACTIVE:
            return None
        if user.session_version != token.session_version:
            return None
        if self.settings.second_factor_required and second_factor.is_missing(user):
            return Session(replace(user, role=Role.RESIDENT), token, withheld=user.role)
        return Session(user, token)

    def _enter(self, user: User) -> str:
        """A ticket, or CodeNeeded where the account has a second factor."""
        if user.second_factor is not None:
            raise CodeNeeded(self.keys.step(user.id, user.session_version, _now()))
        return self._ticket(user)

    def _ticket(self, user: User) -> str:
        now = _now()
        session = new_session(user.id, user.session_version, now, self.settings.session_days)
        return self.keys.ticket(session, now)

    # Signing up and in

    def sign_up(self, form: SignUp, client: Client) -> None:
        """Create an account, to be confirmed by e-mail.

        The answer is the same where the e-mail has an account: its owner gets a message.
        Raises InvalidField and TooManyAttempts.
        """
        user = self._filled_in(form)
        self._take(SIGN_UP_BY_ADDRESS, client.network)
        user = replace(user, password_hash=self.hasher.hash(passwords.normalised(form.password)))
        try:
            created = self.store.users.create(user)
        except Taken:
            self.background(lambda: self._mail_known(form.email, client))
        else:
            self.background(lambda: self._mail_link(created, Purpose.CONFIRM, client))

    def _filled_in(self, form: SignUp) -> User:
        """The account a form describes, without its password; raises InvalidField."""
        user = self._described(form)
        passwords.check_new(form.password, _about(user))
        return user

    def _described(self, form: SignUp) -> User:
        """The account a form describes, whatever its password; raises InvalidField."""
        if not form.consents:
            raise InvalidField("consent", "is needed to have an account")
        if form.role not in OPEN_ROLES:
            raise InvalidField("role", f"must be one of {', '.join(OPEN_ROLES)}")
        now = _now()
        user = User(
            id=str(ULID()),
            created=now,
            email=form.email.strip(),
            first_name=form.first_name.strip(),
            last_name=form.last_name.strip(),
            role=form.role,
            consents=(Consent(TERMS_VERSION, now),),
        )
        user.check()
        return user

    def sign_in(self, email: str, password: str, client: Client) -> str:
        """A ticket for a session of the account that e-mail and password open.

        Raises SignInFailed, for whatever reason, TooManyAttempts, and CodeNeeded where the
        account has a second factor: see ``enter_code``. An account whose
        e-mail is not confirmed, or that has no password yet, gets a message with a link.
        """
        user = self.store.users.find_by_email(email)
        right = self._compare(user, email, password, client)
        if user is None or user.status is not Status.ACTIVE:
            raise SignInFailed("no such account, or it is not active")
        if user.password_hash is None:
            self.background(lambda: self._mail_link(user, Purpose.RESET, client))
        elif right and user.verified_at is None:
            self.background(lambda: self._mail_link(user, Purpose.CONFIRM, client))
        if not right or user.verified_at is None:
            raise SignInFailed("the password is wrong, or the e-mail is not confirmed")
        return self._enter(user)

    def enter_code(self, step: str, code: str, client: Client) -> str:
        """A ticket for a session, by the code that follows the password.

        Raises CodeWrong, TooManyAttempts, and StepExpired when one must begin anew.
        """
        given = self.keys.read_step(step)
        if given is None:
            raise StepExpired("there is no such step, or it is too old")

        def change(now: User) -> User:
            if now.session_version != given.session_version:
                raise StepExpired("the sessions of the account were ended since")
            return replace(now, second_factor=self._spent(now, code))

        used_up = self.store.revoked.revoking(given.id, given.expires)
        try:
            user = self._by_code(given.user_id, change, client, [used_up])
        except (ConditionFailed, LinkUnusable, NotFound) as failure:
            raise StepExpired("it was used, or the account is not active") from failure
        self._tell_of_recovery(user, code, client)
        return self._ticket(user)

    def _compare(self, user: User | None, email: str, password: str, client: Client) -> bool:
        """Whether this is the password of the account; counts failures, and takes as long
        where there is no account. A hash of older making is made anew."""
        attempt = secrets.token_hex(8)
        now = _now()
        counted = [(SIGN_IN_BY_ACCOUNT, _account_key(email)), (SIGN_IN_BY_ADDRESS, client.network)]
        for limit, key in counted:
            if not self.store.throttles.take(limit, key, attempt, now):
                raise TooManyAttempts(f"{limit.name}: {limit.most} in {limit.window}")
        try:
            typed = passwords.normalised(password)
        except InvalidField:
            typed = ""
        verdict = self.hasher.verify(typed, None if user is None else user.password_hash)
        if user is None or not verdict.right:
            return False
        for limit, key in counted:
            self.store.throttles.give_back(limit, key, attempt, now)
        if verdict.stale:
            fresh = replace(user, password_hash=self.hasher.hash(typed))
            with contextlib.suppress(VersionConflict):  # the next sign-in will do it
                self.store.users.replace(user, fresh)
        return True

    # Signing in by a provider

    def begin_provider(self, next_path: str, network: str) -> tuple[str, str]:
        """Where the browser goes to sign in elsewhere, and the cookie that binds this to it.

        Raises ProviderRefused and TooManyAttempts.
        """
        provider = self._require_provider()
        self._take(PROVIDER_BY_ADDRESS, network)
        now = _now()
        flow = new_flow(next_path, now)
        return provider.address(flow), self.keys.flow(flow, now)

    def end_provider(self, cookie: object, said: Mapping[str, str]) -> str:
        """The cookie of a proof, for a browser that came back; used up whatever comes of it.

        ``said`` are the parameters of the address. Raises ProviderRefused.
        """
        provider = self._require_provider()
        flow = self.keys.read_flow(cookie)
        if flow is None:
            raise ProviderRefused("refused", "this browser has begun no sign-in")
        code = provider.check_answer(flow, said)
        if not self.store.revoked.revoke(flow.id, flow.expires):
            raise ProviderRefused("refused", "this sign-in was ended already")
        return self.keys.proof(provider.proof(flow, code), _now())

    def enter_by(self, proof: object) -> str:
        """A ticket for a session of the account whose e-mail a provider has proven.

        The e-mail must have been confirmed here as well, or the account have no password
        that anybody could have chosen. Raises StepExpired, AccountNeeded, PasswordNeeded,
        AccountInactive, and CodeNeeded where the account has a second factor.
        """
        found, user = self._proven(proof)
        if user.verified_at is not None:
            self._use_up(found)
            return self._enter(user)
        if user.password_hash is not None:
            raise PasswordNeeded("the account was never confirmed")
        return self._enter(self._confirmed_by(found, user))

    def join(self, proof: object, password: str, client: Client) -> str:
        """Confirm an account by a proof of its e-mail, and its password; a ticket for a session.

        Raises StepExpired, SignInFailed, TooManyAttempts, AccountNeeded, AccountInactive
        and CodeNeeded.
        """
        found, user = self._proven(proof)
        if not self._compare(user, user.email or "", password, client):
            raise SignInFailed("the password is wrong")
        return self._enter(self._confirmed_by(found, user))

    def sign_up_by(self, proof: object, form: SignUp, client: Client) -> str:
        """Create a confirmed account without a password; a ticket for a session.

        Its e-mail is the one that was proven. Raises StepExpired, InvalidField and
        TooManyAttempts.
        """
        found = self._proof(proof)
        user = self._described(replace(form, email=found.email))
        self._take(SIGN_UP_BY_ADDRESS, client.network)
        try:
            created = self.store.users.create(replace(user, verified_at=_now()))
        except Taken as error:
            raise StepExpired("the e-mail has an account by now") from error
        # Not before: where this is cut off, the proof still opens what was created.
        self._use_up(found)
        return self._ticket(created)

    def proven(self, proof: object) -> Proof | None:
        """What a provider has proven, by the cookie of it; whether it is used is not looked at."""
        return self.keys.read_proof(proof)

    def _require_provider(self) -> Provider:
        if self.provider is None:
            raise ProviderRefused("refused", "no provider is set")
        return self.provider

    def _proof(self, proof: object) -> Proof:
        found = self.keys.read_proof(proof)
        if found is None or self.store.revoked.is_revoked(found.id):
            raise StepExpired("there is no such proof, or it was used, or is too old")
        return found

    def _proven(self, proof: object) -> tuple[Proof, User]:
        found = self._proof(proof)
        user = self.store.users.find_by_email(found.email)
        if user is None:
            raise AccountNeeded("nobody has this e-mail")
        if user.status is not Status.ACTIVE:
            raise AccountInactive("the account is not active")
        return found, user

    def _use_up(self, proof: Proof) -> None:
        if not self.store.revoked.revoke(proof.id, proof.expires):
            raise StepExpired("it was used meanwhile")

    def _confirmed_by(self, proof: Proof, user: User) -> User:
        """The account with its e-mail confirmed, the proof used up: both or neither."""

        def change(now: User) -> User:
            if now.email_normalised != proof.email or now.status is not Status.ACTIVE:
                raise StepExpired("the account has changed meanwhile")
            return replace(now, verified_at=now.verified_at or _now())

        used_up = self.store.revoked.revoking(proof.id, proof.expires)
        try:
            return self._edit(user.id, change, along=[used_up])
        except ConditionFailed as failure:
            raise StepExpired("it was used meanwhile") from failure

    # Links by e-mail

    def ask_reset(self, email: str, client: Client) -> None:
        """Send a link for a new password, if this e-mail has an account. Raises TooManyAttempts."""
        self._take(MAIL_BY_ADDRESS, client.network)

        def send() -> None:
            user = self.store.users.find_by_email(email)
            if user is not None and user.status is Status.ACTIVE:
                self._mail_link(user, Purpose.RESET, client)

        self.background(send)

    def open_link(self, token: str) -> Link:
        """What a link allows, without using it; raises LinkUnusable."""
        link, _ = self._usable(token)
        return link

    def confirm(self, token: str, password: str, client: Client) -> str:
        """Confirm the e-mail of a new account by its link and password; a ticket for a session.

        The password proves that who reads the e-mails is who signed up. Raises LinkUnusable,
        SignInFailed, TooManyAttempts and CodeNeeded.
        """
        link, user = self._usable_of(token, Purpose.CONFIRM)
        if not self._compare(user, user.email or "", password, client):
            raise SignInFailed("the password is wrong")
        return self._enter(self._redeem(link, lambda now: replace(now, verified_at=_now())))

    def reset(self, token: str, password: str, client: Client) -> str:
        """Set a new password by a link, and end all sessions; a ticket for a new one.

        Raises LinkUnusable, InvalidField and, when all is done, CodeNeeded.
        """
        link, user = self._usable_of(token, Purpose.RESET)
        form = passwords.check_new(password, _about(user))
        changed = self._redeem(link, self._with_password(form))
        self.store.throttles.clear(SIGN_IN_BY_ACCOUNT, _account_key(user.email or ""), _now())
        self.background(lambda: self._mail(changed, "password_changed", client.language))
        return self._enter(changed)

    def change_email(self, token: str) -> None:
        """Make the e-mail that a link was sent to the one of its account.

        Raises LinkUnusable, and Taken when it has become another's since.
        """
        link, _ = self._usable_of(token, Purpose.EMAIL)
        self._redeem(link, lambda now: replace(now, email=link.email, verified_at=_now()))

    def _usable(self, token: str) -> tuple[Link, User | None]:
        link = self.store.links.find(link_id(token)) if isinstance(token, str) else None
        if link is None or link.used or link.expires_at <= _now():
            raise LinkUnusable("there is no such link, or it was used, or is too old")
        if link.user_id is None:
            return link, None
        user = self.store.users.find(link.user_id)
        if user is None or user.status is not Status.ACTIVE or not _still_for(link, user):
            raise LinkUnusable("the account has changed since the link was made")
        return link, user

    def _usable_of(self, token: str, purpose: Purpose) -> tuple[Link, User]:
        link, user = self._usable(token)
        if link.purpose is not purpose or user is None:
            raise LinkUnusable(f"this link is not for {purpose}")
        return link, user

    def _redeem(
        self, link: Link, change: Callable[[User], User], user_id: str | None = None
    ) -> User:
        """Change the account and use the link up, both or neither."""
        along: list[dict[str, Any]] = [self.store.links.use(link)]
        if link.purpose is Purpose.CLAIM:
            along.append(self.store.links.admin_came())
        try:
            return self._edit(user_id or link.user_id or "", change, link, along)
        except ConditionFailed as failure:
            raise LinkUnusable("the link was used meanwhile") from failure

    def _edit(
        self,
        user_id: str,
        change: Callable[[User], User],
        link: Link | None = None,
        along: list[dict[str, Any]] | None = None,
    ) -> User:
        """Change an account as it is now, again where another change comes between."""
        for left in reversed(range(_TRIES)):
            user = self.store.users.get(user_id)
            if user.status is not Status.ACTIVE or (link and not _still_for(link, user)):
                raise LinkUnusable("the account has changed since the link was made")
            try:
                return self.store.users.replace_along(user, change(user), along or ())
            except VersionConflict:
                if not left:
                    raise
        raise AssertionError("unreachable")

    # One's own account

    def rename(self, who: User | None, first_name: str, last_name: str) -> User:
        """Change one's names; raises InvalidField."""
        user = _require_own(who)
        first, last = first_name.strip(), last_name.strip()
        return self._edit(user.id, lambda now: replace(now, first_name=first, last_name=last))

    def live_at(self, who: User | None, home: Location | None) -> User:
        """Say where one lives, as precisely as one likes, or no longer say it."""
        user = _require_own(who)

        def change(now: User) -> User:
            return replace(now, address=home and replace(home, score=0.0, evidence=()))

        return self._edit(user.id, change)

    def change_password(self, who: User | None, present: str, new: str, client: Client) -> str:
        """Change one's password and end all sessions; a ticket for a new one here.

        Raises SignInFailed when the present password is wrong, InvalidField and
        TooManyAttempts.
        """
        user = _require_own(who)
        form = passwords.check_new(new, _about(user))
        self._prove(user, present, client)
        changed = self._edit(user.id, self._with_password(form))
        self.background(lambda: self._mail(changed, "password_changed", client.language))
        return self._ticket(changed)

    def ask_email(self, who: User | None, email: str, password: str, client: Client) -> None:
        """Send a link to a new e-mail, which becomes one's own by it.

        Raises SignInFailed, InvalidField and TooManyAttempts.
        """
        user = _require_own(who)
        wanted = email.strip()
        if normalised_email(wanted) == user.email_normalised:
            raise InvalidField("email", "is the present one")
        self._prove(user, password, client)
        self._take(MAIL_BY_ADDRESS, client.network)

        def send() -> None:
            other = self.store.users.find_by_email(wanted)
            if other is None:
                self._mail_link(user, Purpose.EMAIL, client, wanted)
            else:
                self._mail(other, "email_taken", client.language)
            self._mail(user, "email_asked", client.language)

        self.background(send)

    def delete(self, who: User | None, password: str, client: Client) -> None:
        """Delete one's account: it is closed at once, and its sessions with it.

        What else is only its person's goes in the background, and the worker goes on with
        what was cut off. Raises SignInFailed and
        TooManyAttempts.
        """
        user = _require_own(who)
        self._prove(user, password, client)
        self._edit(user.id, closed, along=[self.store.deletion.closing(user.id)])
        self.background(lambda: self.store.deletion.finish_closed(user.id))

    def _prove(self, user: User, password: str, client: Client) -> None:
        """Ask for the password once more; raises SignInFailed."""
        if not self._compare(self.store.users.get(user.id), user.email or "", password, client):
            raise SignInFailed("the password is wrong")

    def _with_password(self, form: str) -> Callable[[User], User]:
        """The change to a new password; whoever got its link reads the e-mails."""
        made = self.hasher.hash(form)

        def change(user: User) -> User:
            return replace(
                user,
                password_hash=made,
                session_version=user.session_version + 1,
                verified_at=user.verified_at or _now(),
            )

        return change

    # The second factor

    def switch_on(
        self, who: User | None, secret: str, password: str, code: str, client: Client
    ) -> tuple[str, tuple[str, ...]]:
        """Ask for codes of this secret from now on, and end all sessions.

        ``secret`` is one of ``second_factor.new_secret``. Answers with a ticket for a new
        session and the recovery codes, which are shown this once. Doing it again with the
        same secret gives new ones. Raises SignInFailed, CodeWrong, TooManyAttempts, and
        AlreadyExists when there is another secret by now.
        """
        user = _require_own(who)
        second_factor.check_secret(secret)
        self._prove(user, password, client)
        step = second_factor.step_of(secret, code, _now())
        if step is None:
            raise CodeWrong("it is no code of this secret now")
        codes = second_factor.new_codes()

        def change(now: User) -> User:
            present = now.second_factor
            if present and self.vault.opened(present.secret, now.id) != secret:
                raise AlreadyExists("the account has a second factor already")
            made = SecondFactor(
                secret=self.vault.sealed(secret, now.id),
                since=present.since if present else _now(),
                last_step=max(step, present.last_step) if present else step,
                recovery=self.vault.hashes(codes, now.id),
            )
            return replace(now, second_factor=made, session_version=now.session_version + 1)

        changed = self._edit(user.id, change)
        self.background(lambda: self._mail(changed, "second_factor_on", client.language))
        return self._ticket(changed), codes

    def switch_off(self, who: User | None, password: str, code: str, client: Client) -> None:
        """Ask for no codes any more; no error where none were asked for.

        Raises SignInFailed, CodeWrong and TooManyAttempts.
        """
        user = _require_own(who)
        self._prove(user, password, client)
        if self.store.users.get(user.id).second_factor is None:
            return

        def change(now: User) -> User:
            self._spent(now, code)
            return replace(now, second_factor=None)

        changed = self._by_code(user.id, change, client)
        self.background(lambda: self._mail(changed, "second_factor_off", client.language))

    def new_recovery_codes(
        self, who: User | None, password: str, code: str, client: Client
    ) -> tuple[str, tuple[str, ...]]:
        """Recovery codes in place of those there were; ends all sessions.

        Answers with a ticket for a new session and the codes, shown this once.
        Raises SignInFailed, CodeWrong and TooManyAttempts.
        """
        user = _require_own(who)
        self._prove(user, password, client)
        codes = second_factor.new_codes()

        def change(now: User) -> User:
            spent = self._spent(now, code)
            fresh = replace(spent, recovery=self.vault.hashes(codes, now.id))
            return replace(now, second_factor=fresh, session_version=now.session_version + 1)

        return self._ticket(self._by_code(user.id, change, client)), codes

    def reset_second_factor(self, email: str, client: Client) -> User:
        """Take the second factor from the account of this e-mail, and end its sessions.

        For whoever runs the installation, when a person has lost it. Raises NotFound.
        """
        user = self.store.users.find_by_email(email)
        if user is None or user.status is not Status.ACTIVE:
            raise NotFound(f"no account has the e-mail {email}")

        def change(now: User) -> User:
            version = now.session_version + 1
            return replace(now, second_factor=None, session_version=version)

        changed = self._edit(user.id, change)
        log.warning("audit: the second factor of account %s was reset by a command", user.id)
        self.background(lambda: self._mail(changed, "second_factor_off", client.language))
        return changed

    def _spent(self, user: User, code: str) -> SecondFactor:
        """The second factor of an account after the use of a code; raises CodeWrong."""
        if user.second_factor is None:
            raise CodeWrong("the account has no second factor")
        return self.vault.spent(user.second_factor, user.id, code, _now())

    def _by_code(
        self,
        user_id: str,
        change: Callable[[User], User],
        client: Client,
        along: list[dict[str, Any]] | None = None,
    ) -> User:
        """Change an account by a change that takes a code; counts wrong ones."""
        attempt, now = secrets.token_hex(8), _now()
        counted = [
            (CODE_BY_ACCOUNT, user_id),
            (CODE_BY_DAY, user_id),
            (SIGN_IN_BY_ADDRESS, client.network),
        ]
        for limit, key in counted:
            if not self.store.throttles.take(limit, key, attempt, now):
                raise TooManyAttempts(f"{limit.name}: {limit.most} in {limit.window}")
        changed = self._edit(user_id, change, along=along)
        for limit, key in counted:
            self.store.throttles.give_back(limit, key, attempt, now)
        return changed

    def _tell_of_recovery(self, user: User, code: str, client: Client) -> None:
        """Tell an account that one of its recovery codes was used."""
        if second_factor.is_recovery(code):
            self.background(lambda: self._mail(user, "recovery_used", client.language))

    # Roles

    def offer_first_admin(self) -> str | None:
        """The address of a link by which somebody becomes the first admin; None but once."""
        token = secrets.token_urlsafe(32)
        link = _link(token, Purpose.CLAIM)
        return self._address_of(token) if self.store.links.offer_first_admin(link) else None

    def claim(self, who: User | None, token: str) -> User:
        """Become the first admin by the link; raises NotSignedIn and LinkUnusable."""
        user = _require_own(who)
        link = self._claim_link(token)
        return self._redeem(link, lambda now: replace(now, role=Role.ADMIN), user.id)

    def claim_as_new(self, form: SignUp, token: str) -> str:
        """Sign up and become the first admin; a ticket for a session.

        Whoever has the link runs this installation, so no e-mail is needed. Raises
        LinkUnusable, InvalidField, and Taken when the e-mail has an account.
        """
        self._claim_link(token)
        user = self._filled_in(form)
        made = self.hasher.hash(passwords.normalised(form.password))
        created = self.store.users.create(replace(user, password_hash=made, verified_at=_now()))
        return self._ticket(self.claim(created, token))

    def set_role(self, who: User | None, user_id: str, role: Role) -> User:
        """Give somebody a role; for admins. Raises NotAllowed and NotFound."""
        policy.require(who, Action.GRANT_ROLE)
        return self._give_role(user_id, role)

    def grant(self, email: str, role: Role) -> User:
        """Give the account of this e-mail a role; for whoever runs the installation.

        Raises NotFound.
        """
        user = self.store.users.find_by_email(email)
        if user is None or user.status is not Status.ACTIVE:
            raise NotFound(f"no account has the e-mail {email}")
        return self._give_role(user.id, role)

    def _give_role(self, user_id: str, role: Role) -> User:
        along = [self.store.links.admin_came()] if role is Role.ADMIN else []
        return self._edit(user_id, lambda now: replace(now, role=role), along=along)

    def _claim_link(self, token: str) -> Link:
        link, _ = self._usable(token)
        if link.purpose is not Purpose.CLAIM:
            raise LinkUnusable("this link does not make an admin")
        return link

    # Messages, made in the background

    def _mail_link(
        self, user: User, purpose: Purpose, client: Client, email: str | None = None
    ) -> None:
        """Send a link to the e-mail of an account, or to the one it wants."""
        to = email or user.email or ""
        if not self._may_mail(to):
            return
        token = secrets.token_urlsafe(32)
        self.store.links.issue(_link(token, purpose, user, to))
        self._mail(user, str(purpose), client.language, to=to, link=self._address_of(token))

    def _mail_known(self, email: str, client: Client) -> None:
        """Tell the owner of an account that somebody wanted to sign up with their e-mail."""
        user = self.store.users.find_by_email(email)
        if user is None or user.email is None or not self._may_mail(user.email):
            return
        token = secrets.token_urlsafe(32)
        self.store.links.issue(_link(token, Purpose.RESET, user, user.email))
        self._mail(user, "known", client.language, link=self._address_of(token))

    def _mail(
        self, user: User, name: str, language: str, *, to: str | None = None, link: str = ""
    ) -> None:
        address = self.settings.address
        subject, text = letter(language, name, user.first_name, link=link, address=address)
        to_whom = to or user.email or ""
        self.sender.send(mail.message(self.settings.mail_from, to_whom, subject, text))

    def _may_mail(self, email: str) -> bool:
        """Whether this e-mail has not had too many messages; says nothing to who asked."""
        key, attempt = _account_key(email), secrets.token_hex(8)
        return self.store.throttles.take(MAIL_BY_ACCOUNT, key, attempt, _now())

    def _address_of(self, token: str) -> str:
        return f"{self.settings.address}/SignIn?link={token}"

    def _take(self, limit: Limit, key: str) -> None:
        if not self.store.throttles.take(limit, key, secrets.token_hex(8), _now()):
            raise TooManyAttempts(f"{limit.name}: {limit.most} in {limit.window}")


def over(settings: Settings, store: Store) -> Accounts:
    """The use cases over a store, as these settings want them; raises StoreMisconfigured."""
    return Accounts(
        store=store,
        settings=settings,
        keys=Keys.of(settings),
        hasher=Hasher(settings),
        vault=Vault.of(settings),
        sender=mail.sender(settings),
        background=mail.Background(),
        provider=Provider(settings) if settings.oidc else None,
    )


def _now() -> datetime:
    return datetime.now(UTC)


def _require_own(who: User | None) -> User:
    return policy.require(who, Action.EDIT_ACCOUNT, who.id if who else None)


def _about(user: User) -> tuple[str, ...]:
    return (user.email or "", user.first_name, user.last_name)


def _account_key(email: str) -> str:
    """What limits count an account by, whether there is one or not."""
    try:
        return normalised_email(email)
    except InvalidField:
        return email[:EMAIL_LONGEST] if isinstance(email, str) else ""


def _link(token: str, purpose: Purpose, user: User | None = None, email: str | None = None) -> Link:
    now = _now()
    return Link(
        id=link_id(token),
        purpose=purpose,
        created=now,
        expires_at=now + _LASTS[purpose],
        user_id=None if user is None else user.id,
        session_version=0 if user is None else user.session_version,
        email=email,
    )


def _still_for(link: Link, user: User) -> bool:
    """Whether an account is what it was when a link for it was made."""
    if link.purpose is Purpose.CLAIM:
        return True
    same_email = link.purpose is Purpose.EMAIL or link.email == user.email
    return link.session_version == user.session_version and same_email
