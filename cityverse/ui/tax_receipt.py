"""The receipt for the tax office as a PDF, with what the form Cerfa 11580 asks for.

It is in French whatever the language of the page: the tax office reads it.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from babel.dates import format_date
from babel.numbers import format_currency

from cityverse.community.city import CITY_ZONE
from cityverse.domain.tax_receipts import TaxReceipt, in_words
from cityverse.ui.texts import Texts

_FONT = "OpenSans"
COLUMNS = ("date", "amount", "method", "nature")


def euros(cents: int, language: str) -> str:
    """An amount of money as people write it in a language."""
    return str(format_currency(Decimal(cents) / 100, "EUR", locale=language))


def pdf(receipt: TaxReceipt) -> bytes:
    """The receipt as it was issued; the same each time, but for the mark that it is void."""
    sheet = _Sheet(receipt)
    sheet.head()
    sheet.parties()
    sheet.gifts()
    sheet.signature()
    return bytes(sheet.document.output())


class _Sheet:
    """One page of A4 that is written from the top down."""

    def __init__(self, receipt: TaxReceipt) -> None:
        from fpdf import FPDF
        from ttf_opensans import opensans

        self.receipt, self.texts = receipt, Texts("fr")
        self.document = document = FPDF(format="A4")
        document.set_creation_date(receipt.created)
        document.set_title(self.texts("tax.title"))
        document.set_lang("fr")
        for style, weight in (("", 400), ("B", 700)):
            document.add_font(_FONT, style, opensans(weight).path)
        document.set_margin(15)
        document.add_page()

    def _line(self, text: str, size: float = 10, style: str = "") -> None:
        self.document.set_font(_FONT, style, size)
        self.document.multi_cell(0, size * 0.55, text, new_x="LMARGIN", new_y="NEXT")

    def _heading(self, text: str) -> None:
        document = self.document
        document.ln(3)
        document.set_fill_color(236, 240, 233)
        document.set_font(_FONT, "B", 10)
        document.multi_cell(0, 7, text, fill=True, new_x="LMARGIN", new_y="NEXT")
        document.ln(1)

    def head(self) -> None:
        """What it is, its number, and whether it is void."""
        texts, receipt = self.texts, self.receipt
        self._line(texts("tax.title"), 15, "B")
        self._line(texts("tax.law"))
        self._line(texts("tax.number", number=receipt.number), 11, "B")
        if receipt.voided is not None:
            self.document.set_text_color(176, 0, 32)
            self._line(texts("tax.void", date=_day(receipt.voided)), 13, "B")
            self.document.set_text_color(0, 0, 0)

    def parties(self) -> None:
        """Who received, and who gave."""
        texts, receipt, issuer = self.texts, self.receipt, self.receipt.issuer
        self._heading(texts("tax.beneficiary"))
        self._line(issuer.name, 11, "B")
        if issuer.rna:
            self._line(texts("tax.rna", rna=issuer.rna))
        if issuer.siren:
            self._line(texts("tax.siren", siren=issuer.siren))
        self._line(texts("tax.address", address=issuer.address))
        self._line(texts("tax.object", purpose=issuer.purpose))
        self._line(texts("tax.kind"))
        self._heading(texts("tax.donor"))
        self._line(receipt.donor_name, 11, "B")
        self._line(texts("tax.address", address=receipt.donor_address))

    def gifts(self) -> None:
        """The sum in figures and words, and each gift."""
        texts, receipt, document = self.texts, self.receipt, self.document
        self._heading(texts("tax.gifts"))
        self._line(texts("tax.received", amount=_amount(receipt.cents)), 11, "B")
        self._line(texts("tax.words", words=in_words(receipt.cents)))
        document.ln(2)
        document.set_font(_FONT, "", 9)
        with document.table(col_widths=(45, 40, 60, 35), text_align="LEFT") as table:
            table.row([texts(f"tax.{name}") for name in COLUMNS])
            for gift in receipt.gifts:
                how = texts(f"payment.{gift.method}") if gift.method else texts("tax.unsaid")
                table.row([_day(gift.received), _amount(gift.cents), how, texts("tax.money")])

    def signature(self) -> None:
        """What is certified, and room to sign."""
        texts, receipt = self.texts, self.receipt
        self.document.ln(2)
        for key in ("tax.certified", "tax.articles", "tax.form"):
            self._line(texts(key))
        self.document.ln(4)
        self._line(texts("tax.done", date=_day(receipt.created)))
        self._line(texts("tax.signed", signatory=receipt.issuer.signatory))
        self.document.ln(22)
        self._line(texts("tax.signature_line"), 8)
        self._line(texts("tax.copy"), 8)


def _amount(cents: int) -> str:
    # The font has no narrow space, by which French groups digits.
    return euros(cents, "fr").replace("\u202f", "\xa0")


def _day(when: datetime) -> str:
    return str(format_date(when.astimezone(CITY_ZONE).date(), "long", locale="fr"))
