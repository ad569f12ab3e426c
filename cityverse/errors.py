"""Every error CityVerse raises on purpose.

::

    CityVerseError
    ├── InputError              what was given cannot be used (exit code 2)
    │   ├── InvalidField        one field of an item breaks a rule of the domain
    │   ├── FeedUnreadable      not a feed, broken beyond repair, or over a limit
    │   └── MapInputUnreadable  not the building file it was said to be
    ├── Refused                 who asks may not do this, or not now
    │   ├── NotSignedIn         only those who are signed in may
    │   ├── NotAllowed          the role, or what the item is to them, does not suffice
    │   ├── SignInFailed        e-mail and password do not open an account
    │   ├── PasswordNeeded      the account at hand was never confirmed: its password is to follow
    │   ├── AccountNeeded       nobody has an account with this e-mail yet
    │   ├── AccountInactive     the account is suspended
    │   ├── ProviderRefused     what came back from the sign-in elsewhere proves nothing
    │   ├── LinkUnusable        a link for one use is used, too old, or none
    │   ├── TooManyAttempts     the limit of this while is reached
    │   └── TooManyPosts        as many posts as one may publish in a day are published
    ├── NotFound                no such item
    │   └── PublisherGone       the association one writes for was closed
    ├── Conflict                the store holds something that forbids this write
    │   ├── AlreadyExists       an item with this key is there already
    │   │   └── Taken           another item claims this unique value
    │   ├── VersionConflict     somebody changed the item since it was read
    │   ├── Full                all places are taken
    │   ├── Closed              closed, cancelled or over
    │   ├── RequestDiffers      the same request was sent before, saying something else
    │   └── WrongState          what the item has become does not allow this step
    ├── StoreError              the store did not do what was asked
    │   ├── StoreUnavailable    no answer, or an answer that says "later"
    │   ├── StoreThrottled      too many requests just now
    │   └── StoreMisconfigured  tables, buckets or credentials are not as they must be
    ├── MailError               a message could not be handed over
    ├── FetchError              a source could not be fetched
    ├── EngineError             the embedded engine could not start or went away
    └── ToolError               a program we depend on (tippecanoe) failed

``str(error)`` is one English line for logs and the command line. Pages show
``texts.error(error)``, which looks ``error.key`` up in the catalogue.
"""

from __future__ import annotations

from typing import ClassVar


class CityVerseError(Exception):
    """Base of every error raised on purpose; never raised itself."""

    key: ClassVar[str] = "error.unexpected"
    exit_code: ClassVar[int] = 1


class InputError(CityVerseError):
    """What the user gave cannot be used as it is."""

    key = "error.input"
    exit_code = 2


class InvalidField(InputError):
    """A field breaks a rule of the domain; names the field and the rule."""

    key = "error.invalid_field"

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field}: {rule}")
        self.field = field
        self.rule = rule


class FeedUnreadable(InputError):
    """The bytes are not a feed that can be read within the limits."""

    key = "error.feed_unreadable"


class MapInputUnreadable(InputError):
    """The file is not the building data it was said to be."""

    key = "error.map_input_unreadable"


class Refused(CityVerseError):
    """Who asks may not do this."""

    key = "error.refused"


class NotSignedIn(Refused):
    """Only those who are signed in may do this."""

    key = "error.not_signed_in"


class NotAllowed(Refused):
    """The role of who is signed in, or what the item is to them, does not suffice."""

    key = "error.not_allowed"


class SignInFailed(Refused):
    """E-mail and password do not open an account; nothing says which of them."""

    key = "error.sign_in_failed"


class CodeNeeded(Refused):
    """The password is right, and the code of the second factor is to follow.

    ``step`` is the token by which the code is brought.
    """

    key = "error.code_needed"

    def __init__(self, step: str) -> None:
        super().__init__("the account has a second factor")
        self.step = step


class CodeWrong(Refused):
    """The code of the second factor is wrong, too old, or was used already."""

    key = "error.code_wrong"


class StepExpired(Refused):
    """The password was given too long ago, or its code has been brought: sign in anew."""

    key = "error.step_expired"


class PasswordNeeded(Refused):
    """The e-mail is proven, but not that who reads it chose the password of the account."""

    key = "error.password_needed"


class AccountNeeded(Refused):
    """The e-mail is proven, and nobody has an account with it yet."""

    key = "error.account_needed"


class AccountInactive(Refused):
    """The account is suspended."""

    key = "error.account_inactive"


class ProviderRefused(Refused):
    """A sign-in at a provider proves nothing.

    ``reason`` is ``cancelled``, ``unverified`` (an e-mail it does not vouch for),
    ``unavailable`` or ``refused``.
    """

    key = "error.provider_refused"

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason


class LinkUnusable(Refused):
    """A link for one use was used, is too old, was replaced by a newer state, or is none."""

    key = "error.link_unusable"


class TooManyAttempts(Refused):
    """The limit of attempts in this while is reached."""

    key = "error.too_many_attempts"


class TooManyPosts(Refused):
    """A resident has published as many posts today as they may."""

    key = "error.too_many_posts"


class NotFound(CityVerseError):
    """No item has this key."""

    key = "error.not_found"


class PublisherGone(NotFound):
    """The association one writes for was closed, or is just being closed."""

    key = "error.publisher_gone"


class Conflict(CityVerseError):
    """The state of the store forbids this write."""

    key = "error.conflict"


class AlreadyExists(Conflict):
    """An item with this key is there already."""

    key = "error.already_exists"


class Taken(AlreadyExists):
    """Another item claims the same value of a field that must be unique."""

    key = "error.taken"

    def __init__(self, field: str) -> None:
        super().__init__(f"{field}: is taken by another item")
        self.field = field


class VersionConflict(Conflict):
    """The item was changed by somebody else since it was read."""

    key = "error.version_conflict"


class Full(Conflict):
    """All places are taken: wait until one becomes free, or choose something else."""

    key = "error.full"


class Closed(Conflict):
    """It is closed, cancelled or over, and takes nobody and nothing any more."""

    key = "error.closed"


class RequestDiffers(Conflict):
    """A request with this id was carried out, and said something else: begin a new one."""

    key = "error.request_differs"


class WrongState(Conflict):
    """What the item has become does not allow this step: look at it again."""

    key = "error.wrong_state"


class StoreError(CityVerseError):
    """DynamoDB or S3 did not do what was asked."""

    key = "error.store"


class StoreUnavailable(StoreError):
    """The store does not answer, or says to come back later."""

    key = "error.store_unavailable"


class StoreThrottled(StoreUnavailable):
    """The store refuses because of too many requests."""

    key = "error.store_throttled"


class StoreMisconfigured(StoreError):
    """A table, bucket or credential is missing or wrong."""

    key = "error.store_misconfigured"


class MailError(CityVerseError):
    """A message could not be handed over to whoever delivers it."""

    key = "error.mail"


class FetchError(CityVerseError):
    """A source could not be fetched.

    ``reason`` is a short stable word (``timeout``, ``too_large``, ``http_404``,
    ``dns``, ``tls``, ``redirects``, ``refused_address`` …) that source health
    shows through the catalogue.
    """

    key = "error.fetch"

    def __init__(self, reason: str, detail: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.retry_after = retry_after


class EngineError(CityVerseError):
    """The embedded engine could not start, or went away."""

    key = "error.engine"


class ToolError(CityVerseError):
    """A program CityVerse depends on failed or is missing."""

    key = "error.tool"
